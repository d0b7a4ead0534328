"""The matrix of phases and variants, its sentences, and accuracy in the report."""

from __future__ import annotations

from dataclasses import replace

from bench.learning import AccuracyDifference
from bench.report import learning, phase_figures, phases
from bench.report.markdown import markdown
from bench.results import RunResults, compute
from bench.schema import StartRecord, StartSpec
from bench.stats import Interval
from tests.bench import samples
from tests.bench.samples import data_summary, proof_records, run_record, trial_record

PHASES = ("cnn", "transfer")
SECONDS = {
    ("default", "cnn"): 10.0,
    ("in_model", "cnn"): 9.0,
    ("ceiling_none", "cnn"): 8.5,
    ("ceiling_model", "cnn"): 8.8,
    ("default", "transfer"): 6.0,
    ("in_model", "transfer"): 3.0,
    ("feature_cache", "transfer"): 0.1,
    ("ceiling_none", "transfer"): 2.0,
    ("ceiling_model", "transfer"): 2.9,
}
START = StartRecord(
    1,
    StartSpec("transfer", "efficientnet_lite0", "imagenet", 8, 32, 224, 1, 900.0),
    "0" * 64,
    12_000_000_000,
    0.9,
)


def results(**changes: object) -> RunResults:
    """Two phases; cached features in one of them."""
    run = run_record(
        variants=("default", "in_model", "feature_cache"),
        phases=PHASES,
        data=data_summary(test_images=50),
        **changes,
    )
    planned = [s for s in run.plan if (s.variant, s.phase) != ("feature_cache", "cnn")]
    run = replace(run, plan=tuple(planned))
    trials = [
        trial_record(
            spec,
            [1.5 * SECONDS[spec.variant, spec.phase]] + [SECONDS[spec.variant, spec.phase]] * 3,
            test_accuracy=0.8,
        )
        for spec in run.plan
    ]
    return compute(run, trials, proof_records(run), starts=(START,))


def test_the_matrix_has_a_row_a_variant_and_says_what_cannot_be() -> None:
    text = phases.phases(results())
    assert "| Variant | cnn | transfer |" in text
    assert "| default | 1 | 1 |" in text
    assert "| in_model | 1.11x" in text
    assert "| feature_cache | not here | 60.0x" in text


def test_each_phase_says_why_its_pipeline_matters_or_not() -> None:
    text = phases.phases(results())
    assert "**cnn**: the model's own arithmetic takes 85% of default's epoch, so little is" in text
    assert (
        "**transfer**: the model's own arithmetic takes 33% of default's epoch, so the rest" in text
    )
    assert "The fastest pipeline, in_model, gives 2.00x" in text
    assert "runs at 97% of its ceiling" in text
    assert "feature_cache is under no such bound" in text


def test_cached_features_are_held_against_no_ceiling() -> None:
    found = results().find("feature_cache", "transfer")
    assert found is not None
    assert found.share_of_ceiling is None
    assert found.speedup is not None
    best = results().fastest("transfer")
    assert best is not None
    assert best.variant == "in_model"


def test_one_phase_has_no_matrix() -> None:
    run = run_record()
    one = compute(run, samples.trial_records(run), proof_records(run))
    assert phases.phases(one) == ""
    assert phase_figures.matrix(one) is None


def test_the_figure_writes_each_number_in_its_cell() -> None:
    figure = phase_figures.matrix(results())
    assert figure is not None
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"1.00x", "1.11x", "2.00x", "60.0x", "not in this phase", "baseline"} <= words


def test_accuracy_says_what_trials_began_with_and_what_is_unaugmented() -> None:
    text = learning.accuracy(results())
    assert "transfer: 8 epochs on cached features of efficientnet_lite0 (imagenet)" in text
    assert "feature_cache computes what the frozen backbone makes of each image" in text
    assert "simple CNN 59.8%" in text
    assert "may not be compared" in text
    assert "80.0% (67.0% to 88.8%)" in text  # Wilson, 40 of 50 test images


def test_a_gain_beyond_chance_is_not_said_to_be_chance() -> None:
    gain = _difference(0.010, 0.074, 0.139)
    text = learning.accuracy(replace(results(), differences=(gain,)))
    assert (
        "No variant is shown to lose accuracy against the baseline; more, with intervals that hold "
        "for the one difference at once, was reached by in_model (cnn): +7.4 points (+1.0 to +13.9)"
    ) in text
    assert "can explain" not in text


def test_a_difference_within_chance_says_what_loss_it_would_have_hidden() -> None:
    unclear = _difference(-0.03, 0.01, 0.05)
    text = learning.accuracy(replace(results(), differences=(unclear, unclear)))
    assert "hold for all 2 differences at once, the spread between seeds can explain each" in text
    assert "a loss of 4 points would have gone unseen" in text


def _difference(low: float, median: float, high: float) -> AccuracyDifference:
    found = Interval(median, low, high, 6)
    return AccuracyDifference("cnn", "default", "in_model", 7, found, found, 1)


def test_an_accuracy_that_nobody_reached_is_said_so() -> None:
    text = learning.accuracy(results(until_accuracy=0.99))
    assert "### Time to 99.0% validation accuracy, cnn" in text
    assert "**No trial reached it**: the best validation accuracy of any trial" in text
    assert "0 of 3 seeds" in text


def test_the_whole_report_holds_the_new_sections() -> None:
    text = markdown(results(until_accuracy=0.5))
    assert text.index("## In which phases") < text.index("## Where an epoch's time goes")
    assert "--until-accuracy 0.5" in text


def test_nothing_is_held_against_cached_features_that_only_pipelines_have() -> None:
    accused = {item.code for item in results().findings if item.where.startswith("feature_cache")}
    assert accused.isdisjoint({"no-ceiling", "input-bound", "compute-bound"})


def test_the_opening_says_of_which_phase_it_speaks() -> None:
    text = markdown(results())
    assert "per epoch of cnn" in text
    assert "Both sentences are about cnn. For transfer see [below]" in text
