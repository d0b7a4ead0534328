"""Where the factor comes from, in the report, in its figure and in the terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from matplotlib.colors import to_hex

from bench.report import waterfall, waterfall_figure
from bench.report.waterfall_figure import SHOWN, TOTAL, UNSHOWN
from bench.results import RunResults, compute
from bench.variants import variant
from tests.bench.samples import failed_record, proof_records, run_record, trial_records

LADDER = ("default", "plain", "parallel", "prefetch", "in_model")
# Factors of 2, 3, 1 and 1.25.
SECONDS = {"default": 60.0, "plain": 30.0, "parallel": 10.0, "prefetch": 10.0, "in_model": 8.0}


def make(variants=LADDER, lost=(), seconds=SECONDS, without=(), **config) -> RunResults:
    """`lost`: (variant, block) whose trial failed."""
    run = run_record(variants=variants, **config)
    trials = [
        failed_record(trial.spec) if (trial.spec.variant, trial.spec.block) in lost else trial
        for trial in trial_records(run, seconds)
    ]
    return compute(run, trials, proof_records(run, without=without))


def only(results: RunResults):
    ((found,),) = [item.longest for item in results.causes]
    return found


def test_the_table_has_the_start_a_row_a_rung_and_the_total():
    rows = waterfall.rows(only(make()))
    assert [row[1] for row in rows] == [*LADDER, "in_model"]
    assert rows[1][0] == "loader: ImageDataGenerator to tf.data"
    assert rows[2][0] == "parallel map: sequential to cores"
    assert [row[4] for row in rows] == ["", "yes", "yes", "not shown", "yes", "yes"]
    assert re.match(r"3\.0\d?x \(", rows[2][2])


def test_it_names_the_largest_factor_and_those_beyond_chance():
    text = waterfall.causes(make())
    assert re.search(r"The largest factor is parallel map: \d\.\d\dx \(95% interval", text)
    beyond = r"Beyond chance: loader \(tf\.data\) \S+x, parallel map \S+x and augmentation \S+x\."
    assert re.search(beyond, text)
    assert re.search(r"in_model is 7\.\d\d times as fast as default \(95% interval \S+ to", text)


def test_a_factor_whose_interval_holds_one_is_not_shown():
    seconds = dict.fromkeys(LADDER, 10.0)
    text = waterfall.causes(make(seconds=seconds))
    assert "Beyond chance: none of the factors." in text
    assert re.search(r"The largest factor is [^:]+: .* which holds 1: not shown\)", text)


def test_several_changes_at_once_are_said_and_what_would_part_them():
    results = make(("default", "in_model"))
    text = waterfall.causes(results)
    assert "From default to in_model 4 axes change at once" in text
    assert "the parts of the rung from default to in_model (plain, parallel and prefetch)" in text
    found = waterfall_figure.draw(only(results)).axes[0].get_yticklabels()[0].get_text()
    assert found == "4 axes at once\nin_model"


def test_the_command_for_what_is_missing_names_variants_that_can_be_run():
    results = make(("default", "in_model"))
    words = waterfall.missing_command(results.run.config, results.causes).split()
    names = words[words.index("--variants") + 1].split(",")
    assert names[:2] == ["default", "in_model"]
    assert len(set(names)) == len(names)
    assert [variant(name).name for name in names] == names
    assert words[words.index("--blocks") + 1] == "3"


def test_leave_one_outs_stand_beside_their_rungs():
    names = (*LADDER, "in_model_cache", "cache_prefetch")
    seconds = SECONDS | {"in_model_cache": 7.0, "cache_prefetch": 9.0}
    results = make(names, seconds=seconds)
    found = only(results)
    rows = {row[1]: row for row in waterfall.out_rows(found)}
    assert rows.keys() == {"in_model", "cache_prefetch"}
    assert rows["in_model"][2] == rows["in_model"][3]
    assert rows["cache_prefetch"][2] != rows["cache_prefetch"][3]
    text = waterfall.causes(results)
    assert "(chosen as the fastest here, which flatters it a little)" in text
    assert "Interaction, the rungs of cache and augmentation over their leave-one-outs: " in text


@pytest.mark.parametrize(
    ("cache_prefetch", "words"),
    [(7.5, "others stand in for them"), (12.0, "they need others"), (8.75, "none is shown")],
)
def test_an_interaction_has_its_words(cache_prefetch, words):
    names = (*LADDER, "in_model_cache", "cache_prefetch")
    seconds = SECONDS | {"in_model_cache": 7.0, "cache_prefetch": cache_prefetch}
    assert words in " ".join(
        sentence
        for item in make(names, seconds=seconds, blocks=6).causes
        for found in item.waterfalls
        if found.target == "in_model_cache"
        for sentence in waterfall.sentences(make().run.config, found)
    )


def test_one_block_has_factors_and_says_that_there_is_no_interval():
    text = waterfall.causes(make(blocks=1))
    assert "(no interval: 1 block measured, an interval needs 3)" in text
    assert "Beyond chance:" not in text
    assert text.count("(no interval) |") == 5 + 2  # the ladder; the one leave-one-out, twice


def test_a_variant_with_failed_trials_is_no_rung_and_is_named():
    text = waterfall.causes(make(lost={("parallel", 0), ("parallel", 1)}))
    assert "parallel is no rung: it was timed in 1 of the 3 blocks that both ends have." in text
    assert "From plain to prefetch 2 axes change at once" in text


def test_blocks_that_a_rung_lacks_are_counted():
    text = waterfall.causes(make(blocks=6, lost={("parallel", 0)}))
    assert "all come from the same 5 blocks" in text
    assert "1 of the 6 blocks is left out, which a rung lacks." in text


def test_a_variant_without_proof_is_named():
    assert "Not proved to be what the name says: plain." in waterfall.causes(
        make(without=["plain"])
    )


def test_without_a_baseline_it_says_why_and_draws_nothing():
    results = make(lost={("default", block) for block in range(3)})
    text = waterfall.causes(results)
    assert "No waterfall: no steady epoch of default was measured in cnn." in text
    assert "figures/" not in text
    assert waterfall_figure.figures(results) == {}


def test_a_run_without_records_has_no_section():
    assert waterfall.causes(compute(run_record(), (), ())) == ""


def test_each_phase_has_a_waterfall_and_reading_help_comes_once():
    text = waterfall.causes(make(("default", "in_model"), phases=("cnn", "transfer")))
    assert re.findall(r"^### (\w+)$", text, re.MULTILINE) == ["cnn", "transfer"]
    assert text.count("*Times as fast*") == 1
    assert text.count("```sh") == 1
    assert text.count("Not measured, and not guessed") == 1


def test_a_name_with_signs_is_a_name_of_a_file():
    found = only(make())
    odd = replace(found, phase="finetune+mish", target="in_model+prefetch=8")
    assert waterfall.file_name(odd) == "waterfall-finetune_mish-in_model_prefetch_8.png"


def bars(axes):
    return [(p.get_x(), p.get_x() + p.get_width(), to_hex(p.get_facecolor())) for p in axes.patches]


def test_each_bar_begins_where_the_last_one_ended():
    found = only(make())
    (axes,) = waterfall_figure.draw(found).axes
    *rungs, total = bars(axes)
    starts = [1.0, *(rung.so_far.median for rung in found.rungs)]
    assert [bar[:2] for bar in rungs] == [pytest.approx(pair) for pair in pairwise(starts)]
    assert total[:2] == pytest.approx((1.0, found.total.median))
    assert [bar[2] for bar in rungs] == [SHOWN[0], SHOWN[0], UNSHOWN[0], SHOWN[0]]
    assert total[2] == TOTAL[0]


def test_a_total_that_chance_could_be_is_drawn_like_such_a_rung():
    found = only(make(seconds=dict.fromkeys(LADDER, 10.0)))
    assert found.total.contains(1.0)
    (axes,) = waterfall_figure.draw(found).axes
    total = axes.patches[len(found.rungs)]
    assert (to_hex(total.get_facecolor()), total.get_hatch()) == UNSHOWN[:2]


def test_a_hatched_total_is_in_the_legend_though_every_rung_is_shown():
    found = only(make())
    odd = replace(found, rungs=(found.rungs[0],), total=replace(found.total, low=0.5))
    (axes,) = waterfall_figure.draw(odd).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [SHOWN[2], UNSHOWN[2]]


def test_a_target_named_beforehand_was_not_chosen_by_chance():
    names = (*LADDER, "in_model_cache", "cache_prefetch")
    seconds = SECONDS | {"in_model_cache": 9.0, "cache_prefetch": 4.0}
    results = make(names, seconds=seconds, explain=("in_model_cache",))
    assert [found.target for found in results.causes[0].waterfalls] == [
        "in_model",
        "in_model_cache",
    ]
    assert "chosen as the fastest here" not in waterfall.causes(results)
    assert "chosen as the fastest here" in waterfall.causes(make(names, seconds=seconds))


def test_a_named_target_that_the_run_leaves_out_is_none():
    results = make(explain=("fused_cache",))
    assert [found.target for found in results.causes[0].waterfalls] == ["in_model"]
    assert results.causes[0].obstacles == ()


def test_the_axis_holds_every_bar_and_interval():
    for results in (make(), make(blocks=1), make(seconds=dict.fromkeys(LADDER, 10.0))):
        found = only(results)
        (axes,) = waterfall_figure.draw(found).axes
        low, high = axes.get_xlim()
        for left, right, _ in bars(axes):
            assert low < min(left, right)
            assert max(left, right) < high
        assert low < 1 < high
        assert low < (found.total.low or 1)


def test_only_what_is_drawn_is_in_the_legend():
    (axes,) = waterfall_figure.draw(only(make())).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [SHOWN[2], UNSHOWN[2]]
    (axes,) = waterfall_figure.draw(only(make(blocks=1))).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [UNSHOWN[2]]
