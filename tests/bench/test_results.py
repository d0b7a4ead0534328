"""Everything computed of a run, from records that are whole, partial, failed or missing."""

from __future__ import annotations

from dataclasses import replace
from statistics import stdev

import pytest

from bench.claim import ClaimVerdict
from bench.results import compute
from bench.schema import ClaimSpec
from leafmodel.pipelines.facts import ProofStatus
from tests.bench.samples import (
    failed_record,
    proof_check,
    proof_records,
    run_record,
    trial_record,
    trial_records,
    trial_spec,
)

SECONDS = {"default": 10.0, "in_model": 8.0, "ceiling_none": 7.0, "ceiling_model": 7.6}


def results(run=None, trials=None, proofs=None):
    run = run or run_record()
    trials = trial_records(run, SECONDS, block_noise=0.004) if trials is None else trials
    return compute(run, trials, proof_records(run) if proofs is None else proofs)


def exact(epoch_args=None, **changes):
    """A run without noise."""
    run = run_record()
    trials = [
        trial_record(
            spec,
            (1.5 * SECONDS[spec.variant], *[SECONDS[spec.variant]] * 3),
            epoch_args=epoch_args,
            **changes,
        )
        for spec in run.plan
    ]
    return compute(run, trials, proof_records(run))


def test_a_variant_has_its_numbers():
    found = exact().find("in_model", "cnn")
    assert found.steady_epoch_s.median == pytest.approx(8.0)
    assert found.images_per_s == pytest.approx(640 / 8)
    assert found.first_epoch_s == pytest.approx(12.0)
    assert found.first_batch_s == pytest.approx(2.0)
    assert found.boundary_gap_s == pytest.approx(0.07)
    assert found.speedup.median == pytest.approx(1.25)
    assert found.amortised_s[5] == pytest.approx((12 + 4 * 8) / 5)
    assert found.share_of_ceiling.median == pytest.approx(7.6 / 8)
    assert found.loader_epoch_s == pytest.approx(3.0)
    assert found.bound_s == pytest.approx(7.6)
    assert (found.trials, found.failed, found.planned, found.epochs) == (3, 0, 3, 4)
    assert [(dot.block, dot.epoch) for dot in found.dots[:4]] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_the_parts_of_an_epoch_add_up():
    parts = exact().find("default", "cnn").breakdown
    total = parts.wait_s + parts.compute_s + parts.boundary_s + parts.other_s
    assert total == pytest.approx(parts.epoch_s)
    assert parts.wait_s == pytest.approx(2.5, rel=1e-6)
    assert exact().find("default", "cnn").input_wait_share == pytest.approx(2.5 / 9.93, rel=1e-4)


def test_an_epoch_that_was_not_metered_has_no_wait_but_a_boundary():
    found = exact(epoch_args={"wait_share": None}).find("default", "cnn")
    assert found.input_wait_share is None
    assert found.wait_interval is None
    assert (found.breakdown.wait_s, found.breakdown.compute_s) == (None, None)
    assert found.breakdown.other_s + found.breakdown.boundary_s == pytest.approx(10.0)


def test_the_interval_of_waiting_is_over_trials_and_never_without_width():
    run = run_record(variants=("default",), ceilings=False)
    waits = (0.20, 0.25, 0.33)
    firsts = [spec for spec in run.plan if spec.replica == 0]
    trials = [
        trial_record(spec, epoch_args={"wait_share": share})
        for spec, share in zip(firsts, waits, strict=True)
    ]
    found = results(run, trials).find("default", "cnn").wait_interval
    expected = [share * 10 / 9.93 for share in waits]
    assert found.median == pytest.approx(sum(expected) / 3, rel=1e-6)
    assert found.high - found.median == pytest.approx(4.3027 * stdev(expected) / 3**0.5, rel=1e-4)
    steady = exact().find("default", "cnn").wait_interval
    assert steady.high - steady.low == pytest.approx(2 * 4.3027 * 0.001 / 3**0.5, rel=1e-4)


def test_the_baseline_is_not_compared_with_itself():
    assert exact().find("default", "cnn").comparison is None
    assert exact().noise_floor["cnn"].median == pytest.approx(1.0)


def test_each_ceiling_has_the_variants_own_augmentation_place():
    found = exact()
    assert found.find("default", "cnn").ceiling_s == pytest.approx(7.0)
    assert found.find("in_model", "cnn").ceiling_s == pytest.approx(7.6)
    assert found.claim.ceiling.median == pytest.approx(10 / 7)
    assert [item.variant for item in found.ceilings] == ["ceiling_none", "ceiling_model"]


def test_a_fused_augmentation_has_a_ceiling_of_its_own():
    seconds = SECONDS | {"fused_model": 7.5, "ceiling_fused": 7.2}
    run = run_record(variants=("default", "in_model", "fused_model"))
    more = (trial_spec("ceiling_fused", block=block, position=9) for block in range(3))
    run = replace(run, plan=(*run.plan, *more))
    trials = [trial_record(spec, (seconds[spec.variant],) * 4) for spec in run.plan]
    found = compute(run, trials, proof_records(run))
    assert found.find("fused_model", "cnn").ceiling_s == pytest.approx(7.2)
    assert found.find("in_model", "cnn").ceiling_s == pytest.approx(7.6)
    ceilings = [item.variant for item in found.ceilings]
    assert ceilings == ["ceiling_none", "ceiling_model", "ceiling_fused"]


def test_accuracy_has_the_interval_of_the_validation_images():
    found = exact().find("default", "cnn").accuracy
    assert found.images == 128
    assert found.low < found.value < found.high
    curve = exact().find("default", "cnn").curve
    assert [point.epoch for point in curve] == [1, 2, 3, 4]
    assert curve[1].wall_s == pytest.approx(25.0)


def test_the_race_goes_to_an_accuracy_that_all_reached():
    race = exact().races[0]
    mean_s = {item.variant: item.mean_s for item in race.results}
    assert mean_s == {"default": pytest.approx(45.0), "in_model": pytest.approx(36.0)}
    assert not race.asked


@pytest.mark.parametrize(
    ("target", "verdict"),
    [(7.0, ClaimVerdict.IMPOSSIBLE), (1.35, ClaimVerdict.REFUTED), (1.1, ClaimVerdict.SUPPORTED)],
)
def test_the_claim_is_audited(target, verdict):
    found = results(run_record(claim=ClaimSpec(target=target)))
    assert found.claim.verdict is verdict


@pytest.mark.parametrize("without", ["default", "in_model"])
def test_a_claim_needs_the_proof_of_both_sides(without):
    run = run_record(claim=ClaimSpec(target=1.1))
    found = results(run, proofs=proof_records(run, without=[without]))
    assert found.claim.verdict is ClaimVerdict.UNDECIDED
    assert f"{without} was not proved" in found.claim.reasons[0]


def test_a_failed_proof_leaves_a_claim_undecided():
    run = run_record(claim=ClaimSpec(target=1.1))
    good, bad = proof_records(run)
    bad = replace(bad, checks=(proof_check(status=ProofStatus.FAILED),))
    found = results(run, proofs=(good, bad))
    assert found.claim.verdict is ClaimVerdict.UNDECIDED
    assert "failed" in found.claim.reasons[0]


def test_a_claim_of_the_baseline_against_itself_is_the_noise_floor():
    run = run_record(claim=ClaimSpec(target=7, baseline="default", candidate="default"))
    found = results(run)
    assert found.claim.speedup == found.noise_floor["cnn"]
    assert found.claim.speedup.contains(1.0)


def test_a_partial_run_says_what_is_missing():
    run = run_record()
    trials = trial_records(run, SECONDS)[:7]
    found = results(run, trials)
    assert (found.recorded, len(found.missing)) == (7, 8)
    assert found.find("in_model", "cnn").speedup.why
    assert found.claim.verdict is ClaimVerdict.UNDECIDED


def test_only_failed_trials_leave_no_number():
    run = run_record()
    found = results(run, [failed_record(spec) for spec in run.plan])
    variant = found.find("in_model", "cnn")
    assert (variant.trials, variant.failed) == (0, 3)
    assert variant.steady_epoch_s is variant.speedup is variant.peak_rss_bytes is None
    assert variant.breakdown is variant.accuracy is variant.comparison is None
    assert len(found.failed) == 15
    assert "no steady epoch of default was measured" in found.claim.reasons


def test_an_empty_run_has_a_claim_and_nothing_else():
    found = results(trials=())
    assert found.phases == found.variants == found.ceilings == ()
    assert found.claim.verdict is ClaimVerdict.UNDECIDED
    assert len(found.missing) == 15


def test_a_failed_trial_costs_only_its_block():
    run = run_record(blocks=4)
    trials = [
        failed_record(trial.spec)
        if (trial.spec.variant, trial.spec.block) == ("in_model", 1)
        else trial
        for trial in trial_records(run, SECONDS)
    ]
    found = results(run, trials).find("in_model", "cnn")
    assert (found.speedup.blocks, found.failed) == (3, 1)
    assert found.speedup.low is not None


def test_each_phase_has_its_own_claim():
    found = results(run_record(phases=("cnn", "transfer")))
    assert [audit.phase for audit in found.claims] == ["cnn", "transfer"]
    assert found.claim == found.claims[0]
    assert [item.phase for item in found.of_phase("transfer")] == ["transfer", "transfer"]


def test_the_order_of_records_does_not_matter():
    run = run_record()
    trials = trial_records(run, SECONDS)
    backwards = results(run, trials[::-1])
    assert backwards.variants == results(run, trials).variants
    assert backwards.claim == results(run, trials).claim


def test_an_accuracy_that_guessing_may_reach_is_no_goal_to_race_for():
    run = run_record()
    lucky = [
        replace(t, epochs=tuple(replace(e, val_accuracy=0.36) for e in t.epochs))
        for t in trial_records(run, SECONDS)
    ]
    found = compute(run, lucky, proof_records(run))
    assert found.guess == pytest.approx(1 / 3)
    assert found.races == ()
