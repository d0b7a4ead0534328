"""Intervals from few blocks: do they cover what they claim to, and behave as ratios do?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import stats
from bench.stats import BlockTimes, Interval

TRUTH = 1.3
seconds = st.floats(0.01, 1000)
blocks = st.lists(st.lists(seconds, min_size=1, max_size=4), min_size=3, max_size=6)


def make(values: list[list[float]], first: float = 1.0) -> list[BlockTimes]:
    return [BlockTimes(block, first, tuple(row)) for block, row in enumerate(values)]


def coverage(blocks: int, block_noise: float, epoch_noise: float, runs: int = 600) -> float:
    """Share of simulated runs whose interval holds the true ratio."""
    rng = np.random.default_rng(20_26)
    hits = 0
    for _ in range(runs):
        drift = rng.normal(0, 0.1, blocks)
        sides = []
        for level in (TRUTH, 1.0):
            trial = drift + rng.normal(0, block_noise, blocks)
            noise = rng.normal(0, epoch_noise, (blocks, 4))
            sides.append(make((level * np.exp(trial[:, None] + noise)).tolist()))
        found = stats.ratio(*sides)
        assert found is not None
        hits += bool(found.contains(TRUTH))
    return hits / runs


@pytest.mark.parametrize("blocks", [3, 5, 10])
@pytest.mark.parametrize(("block_noise", "epoch_noise"), [(0.03, 0.01), (0.03, 0.03)])
def test_an_interval_covers_the_truth_as_often_as_it_says(blocks, block_noise, epoch_noise):
    assert 0.92 <= coverage(blocks, block_noise, epoch_noise) <= 0.98


def test_the_interval_errs_on_the_wide_side_if_only_epochs_vary():
    assert coverage(3, 0.0, 0.03) >= 0.95


@settings(max_examples=30, deadline=None)
@given(blocks)
def test_a_variant_against_itself_contains_one(values):
    found = stats.ratio(make(values), make(values))
    assert found.median == pytest.approx(1)
    assert found.low <= 1 + 1e-12
    assert found.high >= 1 - 1e-12


@settings(max_examples=30, deadline=None)
@given(blocks, blocks, st.floats(0.001, 1000))
def test_both_sides_in_other_units_give_the_same_ratio(a, b, scale):
    found = stats.ratio(make(a), make(b))
    scaled = stats.ratio(
        make([[scale * x for x in row] for row in a]), make([[scale * x for x in row] for row in b])
    )
    assert [scaled.median, scaled.low, scaled.high] == [
        pytest.approx(value, rel=1e-6) for value in (found.median, found.low, found.high)
    ] or found.why


@settings(max_examples=30, deadline=None)
@given(blocks, blocks)
def test_swapping_the_sides_inverts_the_interval(a, b):
    one, other = stats.ratio(make(a), make(b)), stats.ratio(make(b), make(a))
    if one.why:
        assert other.why == one.why
        return
    assert one.median == pytest.approx(1 / other.median)
    # The epochs' draws differ from side to side, so the ends agree up to the bootstrap's own error.
    assert math.log(one.high) == pytest.approx(-math.log(other.low), rel=0.15, abs=1e-9)


def test_the_centre_is_the_geometric_mean_of_the_blocks_ratios():
    found = stats.ratio(make([[2.0], [8.0], [4.0]]), make([[1.0], [1.0], [1.0]]))
    assert found.median == pytest.approx(4.0)


def test_a_block_is_worth_the_mean_of_its_epochs_so_that_rare_stalls_count():
    found = stats.ratio(make([[10.0] * 4] * 3), make([[10.0, 10.0, 10.0, 30.0]] * 3))
    assert found.median == pytest.approx(10 / 15)


def test_without_any_spread_the_interval_is_a_point():
    found = stats.ratio(make([[2.0, 2.0]] * 3), make([[1.0, 1.0]] * 3))
    assert (found.median, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))


def test_equal_blocks_do_not_hide_the_spread_of_their_epochs():
    found = stats.ratio(make([[1.0, 3.0, 2.0]] * 3), make([[1.0, 1.0, 1.0]] * 3))
    assert found.low < 1.9
    assert found.high > 2.1


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_blocks_give_no_interval_and_say_so(count):
    found = stats.ratio(make([[2.0]] * count), make([[1.0]] * count))
    assert (found.median, found.low, found.high) == (pytest.approx(2.0), None, None)
    assert "needs 3" in found.why
    assert found.contains(2.0) is None


def test_without_a_steady_epoch_there_is_no_ratio_but_a_first_epoch():
    steady, amortised = stats.ratios(make([[]] * 3, first=6.0), make([[]] * 3, first=2.0), (1, 5))
    assert steady is None
    assert amortised[1].median == pytest.approx(3.0)
    assert amortised[5] is None


def test_only_blocks_that_both_sides_have_are_compared():
    base = [BlockTimes(block, 1.0, (value,)) for block, value in ((0, 2.0), (1, 4.0), (2, 99.0))]
    other = [BlockTimes(block, 1.0, (1.0,)) for block in (0, 1, 3)]
    found = stats.ratio(base, other)
    assert found.blocks == 2
    assert found.median == pytest.approx(math.sqrt(8))
    assert stats.ratio(base[:1], other[1:]) is None


def test_amortised_cost_spreads_the_first_epoch():
    times = make([[2.0, 2.0]] * 3, first=12.0)
    assert stats.amortised(times, 1) == pytest.approx(12.0)
    assert stats.amortised(times, 5) == pytest.approx((12 + 4 * 2) / 5)
    assert stats.amortised(make([[]]), 5) is None
    assert stats.amortised((), 1) is None


def test_level_is_the_geometric_mean_of_blocks():
    assert stats.level(make([[1.0], [4.0], [2.0]])).median == pytest.approx(2.0)
    assert stats.level(()) is None


def test_the_same_data_give_the_same_interval():
    values = np.random.default_rng(3).lognormal(0, 0.1, (2, 4, 5)).tolist()
    assert stats.ratio(*map(make, values)) == stats.ratio(*map(make, values))


def test_wilson_agrees_with_a_published_example():
    # Newcombe 1998, table I: 81 of 263.
    low, high = stats.wilson(81 / 263, 263)
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert stats.wilson(0.0, 10)[0] == 0.0
    assert stats.wilson(1.0, 10)[1] == pytest.approx(1.0)


def test_more_blocks_decide_sooner_the_farther_the_target():
    interval = Interval(1.0, math.exp(-0.3), math.exp(0.3), 3)
    near, far = stats.blocks_to_decide(interval, 1.1), stats.blocks_to_decide(interval, 1.25)
    assert 3 < far < near
    assert stats.blocks_to_decide(interval, 1.0) is None
    assert stats.blocks_to_decide(interval, 1.001) is None
    assert stats.blocks_to_decide(Interval(1.0, None, None, 2, "few"), 2.0) is None


def test_an_interval_has_both_ends_or_a_reason():
    with pytest.raises(ValueError, match="both ends"):
        Interval(1.0, 0.9, None, 3)
    with pytest.raises(ValueError, match="reason"):
        Interval(1.0, None, None, 3)
