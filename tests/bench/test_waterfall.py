"""Factors that multiply to the total, leave-one-outs and their interaction, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ladder import Change
from bench.schema import ClaimSpec
from bench.stats import BlockTimes, Interval
from bench.timed import Measured, Timed
from bench.variants import VARIANTS
from bench.waterfall import explain, own_rungs, waterfall

LISTED = {name: item.pipeline for name, item in VARIANTS.items()}
CLAIM = ClaimSpec()
LADDER = ("default", "plain", "parallel", "prefetch", "in_model")
# Seconds of a steady epoch with factors that are easy to see: 2, 3, 1.5 and 1.25.
SECONDS = {"default": 90.0, "plain": 45.0, "parallel": 15.0, "prefetch": 10.0, "in_model": 8.0}


def block(number: int, *steady: float) -> BlockTimes:
    return BlockTimes(number, 2 * steady[0], steady)


def measured(
    seconds: Mapping[str, Sequence[Sequence[float]]], without: Mapping[str, set[int]] | None = None
) -> Measured:
    """Variant -> its blocks' steady epochs; `without` names blocks that a variant lacks."""
    lacks = without or {}
    variants = {
        name: Timed(
            LISTED[name],
            tuple(
                block(k, *steady)
                for k, steady in enumerate(blocks)
                if k not in lacks.get(name, set())
            ),
        )
        for name, blocks in seconds.items()
    }
    return Measured("cnn", variants, LISTED, frozenset({"resize"}))


def noisy(
    seconds: Mapping[str, float] = SECONDS, blocks: int = 3, noise: float = 0.01, seed: int = 3
) -> Mapping[str, Sequence[Sequence[float]]]:
    """Lognormal noise over blocks (shared), trials and epochs."""
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 0.1, blocks)
    return {
        name: [
            [value * math.exp(shared + own + rng.normal(0, noise)) for _ in range(3)]
            for shared, own in zip(drift, rng.normal(0, noise, blocks), strict=True)
        ]
        for name, value in seconds.items()
    }


def factors(rungs) -> list[float]:
    return [rung.factor.median for rung in rungs]


def test_each_rung_has_the_factor_that_was_planted():
    found = waterfall(measured({n: [[s]] * 3 for n, s in SECONDS.items()}), "default", "in_model")
    assert found.names == LADDER
    assert factors(found.rungs) == pytest.approx([2, 3, 1.5, 1.25])
    assert [rung.so_far.median for rung in found.rungs] == pytest.approx([2, 6, 9, 11.25])
    assert found.total.median == pytest.approx(11.25)
    assert found.largest.after == "parallel"


def test_the_largest_factor_may_be_a_loss():
    seconds = SECONDS | {"parallel": 450.0, "prefetch": 225.0, "in_model": 75.0}
    found = waterfall(measured({n: [[s]] * 3 for n, s in seconds.items()}), "default", "in_model")
    assert factors(found.rungs) == pytest.approx([2, 0.1, 2, 3])
    assert found.largest.after == "parallel"


epoch = st.floats(0.01, 1000.0)
times = st.integers(1, 4).flatmap(
    lambda blocks: st.fixed_dictionaries(
        {
            name: st.lists(
                st.lists(epoch, min_size=1, max_size=3), min_size=blocks, max_size=blocks
            )
            for name in SECONDS
        }
    )
)


@given(times)
def test_rungs_multiply_to_the_total(seconds):
    found = waterfall(measured(seconds), "default", "in_model")
    product = math.fsum(math.log(value) for value in factors(found.rungs))
    assert product == pytest.approx(math.log(found.total.median), abs=1e-9)
    assert found.rungs[-1].so_far.median == pytest.approx(found.total.median)


def ends(interval: Interval):
    return interval.median, interval.low, interval.high


@given(times)
def test_the_other_way_down_inverts_every_factor(seconds):
    """The centres exactly; the ends up to the epochs' draws, which each side has of its own."""
    up = waterfall(measured(seconds), "default", "in_model")
    down = waterfall(measured(seconds), "in_model", "default")
    assert down.names == up.names[::-1]
    assert factors(down.rungs)[::-1] == pytest.approx([1 / x for x in factors(up.rungs)])
    assert down.total.median == pytest.approx(1 / up.total.median)
    if all(len(epochs) == 1 for blocks in seconds.values() for epochs in blocks):
        for one, other in zip(up.rungs, reversed(down.rungs), strict=True):
            if one.factor.low is not None:
                assert other.factor.high == pytest.approx(1 / one.factor.low)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Rungs, total and interaction of 200 made runs of 4 blocks; deterministic."""
    truth = SECONDS | {"in_model_cache": 5.0, "cache_prefetch": 9.0}
    hits: dict[str, list[bool]] = {"rungs": [], "total": [], "interaction": []}
    for seed in range(200):
        given_times = measured(noisy(truth, blocks=4, noise=0.03, seed=seed))
        found = waterfall(given_times, "default", "in_model_cache", via="in_model")
        for rung in found.rungs:
            real = truth[rung.before] / truth[rung.after]
            hits["rungs"].append(bool(rung.factor.contains(real)))
        hits["total"].append(bool(found.total.contains(90 / 5)))
        assert found.interaction is not None
        # Rungs of augmentation and cache (10/8 and 8/5) over leave-one-outs (9/5 and 8/5).
        hits["interaction"].append(bool(found.interaction.factor.contains((10 / 8) / (9 / 5))))
    for kind, held in hits.items():
        assert 0.91 <= sum(held) / len(held) <= 0.99, kind


def test_a_leave_one_out_compares_the_top_with_what_lacks_one_axis():
    seconds = SECONDS | {"in_model_cache": 5.0, "cache_prefetch": 9.0}
    given_times = measured({name: [[value]] * 3 for name, value in seconds.items()})
    found = waterfall(given_times, "default", "in_model_cache", via="in_model")
    by_axis = {item.change.axis: item for item in found.left_out}
    assert by_axis.keys() == {"cache", "augment"}
    assert by_axis["cache"].variant == "in_model"
    assert by_axis["cache"].factor.median == pytest.approx(8 / 5)
    assert by_axis["augment"].variant == "cache_prefetch"
    assert by_axis["augment"].factor.median == pytest.approx(9 / 5)
    assert found.inseparable == (Change("loader", "image_data_generator", "tf_data"),)


def test_causes_that_act_each_by_itself_have_no_interaction():
    seconds = SECONDS | {"in_model_cache": 4.0, "cache_prefetch": 5.0}
    given_times = measured({name: [[value]] * 3 for name, value in seconds.items()})
    found = waterfall(given_times, "default", "in_model_cache", via="in_model").interaction
    assert found is not None
    assert set(found.axes) == {"augment", "cache"}
    assert ends(found.factor) == pytest.approx((1.0, 1.0, 1.0))


def test_causes_that_stand_in_for_each_other_show_above_one():
    """Either of the two lifts the same brake: on the ladder one has it all, on top neither."""
    seconds = SECONDS | {"prefetch": 20.0, "in_model": 8.0, "in_model_cache": 8.0}
    seconds |= {"cache_prefetch": 8.0}
    found = waterfall(
        measured({name: [[value]] * 3 for name, value in seconds.items()}),
        "default",
        "in_model_cache",
        via="in_model",
    ).interaction
    assert found is not None
    assert found.factor.median == pytest.approx(2.5)


def test_a_leave_one_out_that_is_the_last_rung_is_no_interaction():
    assert waterfall(measured(noisy()), "default", "in_model").interaction is None


def test_one_block_gives_factors_without_an_interval_and_says_so():
    found = waterfall(measured(noisy(blocks=1)), "default", "in_model")
    assert math.prod(factors(found.rungs)) == pytest.approx(found.total.median)
    assert {rung.factor.low for rung in found.rungs} == {None}
    assert found.total.why == "1 block measured, an interval needs 3"


def test_a_rung_that_lost_its_blocks_is_left_out_and_named():
    found = waterfall(measured(noisy(), {"parallel": {0, 2}}), "default", "in_model")
    assert found.names == ("default", "plain", "prefetch", "in_model")
    assert [(item.variant, item.blocks) for item in found.dropped] == [("parallel", 1)]
    assert found.blocks == found.shared == 3
    assert "parallel" in [item.variant for item in found.missing]


def test_of_many_blocks_a_rung_may_cost_some():
    given_times = measured(noisy(blocks=6), {"parallel": {0}, "plain": {1}})
    found = waterfall(given_times, "default", "in_model")
    assert found.names == LADDER
    assert (found.blocks, found.shared) == (4, 6)
    assert {rung.factor.blocks for rung in found.rungs} == {found.total.blocks} == {4}


def test_a_variant_whose_trials_all_failed_is_left_out():
    found = waterfall(measured(noisy(), {"prefetch": {0, 1, 2}}), "default", "in_model")
    assert [(item.variant, item.blocks) for item in found.dropped] == [("prefetch", 0)]
    (jump,) = [rung for rung in found.rungs if len(rung.changes) > 1]
    assert (jump.before, jump.after) == ("parallel", "in_model")


def test_what_was_not_measured_is_named_and_never_guessed():
    seconds = {name: noisy()[name] for name in ("default", "in_model")}
    found = waterfall(measured(seconds), "default", "in_model")
    assert found.left_out == ()
    parts = [m.variant for m in found.missing if "from default to in_model" in m.tells]
    alone = [m.variant for m in found.missing if "alone" in m.tells]
    assert parts == ["plain", "parallel", "prefetch"]
    assert alone == ["in_model+map_parallelism=sequential", "parallel+augment=model", "prefetch"]


def test_the_candidate_and_the_fastest_each_have_a_waterfall():
    seconds = noisy(SECONDS | {"in_model_cache": 5.0})
    found = explain(measured(seconds), CLAIM, "in_model_cache")
    assert [item.target for item in found.waterfalls] == ["in_model", "in_model_cache"]
    assert [item.target for item in found.longest] == ["in_model_cache"]
    same = explain(measured(seconds), CLAIM, "in_model")
    assert [item.target for item in same.longest] == ["in_model"]


def test_a_fastest_variant_beside_the_candidate_does_not_hide_its_ladder():
    found = explain(measured(noisy(SECONDS | {"cache_prefetch": 5.0})), CLAIM, "cache_prefetch")
    assert [item.target for item in found.longest] == ["in_model", "cache_prefetch"]


@pytest.mark.parametrize(
    ("seconds", "without", "why"),
    [
        (("plain", "in_model"), {}, "default is not among the variants of this run's phase cnn"),
        (("default", "in_model"), {"default": {0, 1, 2}}, "no steady epoch of default"),
        (("default", "in_model"), {"default": {0}, "in_model": {1, 2}}, "no block has steady"),
    ],
)
def test_without_both_ends_it_says_why(seconds, without, why):
    found = explain(measured({name: noisy()[name] for name in seconds}, without), CLAIM, None)
    assert found.waterfalls == ()
    assert why in found.obstacles[0]


def test_a_claim_of_the_baseline_against_itself_has_nothing_to_take_apart():
    found = explain(measured(noisy()), ClaimSpec(candidate="default"), "in_model")
    assert "default against itself" in found.obstacles[0]
    assert [item.target for item in found.waterfalls] == ["in_model"]


def test_a_variant_without_proof_is_named():
    variants = dict(measured(noisy()).variants)
    variants["plain"] = Timed(LISTED["plain"], variants["plain"].times, proved=False)
    found = waterfall(Measured("cnn", variants, LISTED), "default", "in_model")
    assert found.unproved == ("plain",)


def test_the_same_pipeline_under_another_name_changes_nothing():
    variants = dict(measured(noisy()).variants)
    variants["in_model"] = Timed(LISTED["prefetch"], variants["in_model"].times)
    found = waterfall(Measured("cnn", variants, LISTED), "prefetch", "in_model")
    (rung,) = found.rungs
    assert rung.changes == ()
    assert found.missing == found.left_out == ()


def test_an_axis_shares_its_rungs_with_no_other():
    seconds = {name: noisy()[name] for name in ("default", "plain", "in_model")}
    found = waterfall(measured(seconds), "default", "in_model")
    assert [rung.after for rung in own_rungs(found.rungs, "loader")] == ["plain"]
    assert own_rungs(found.rungs, "prefetch") == ()
