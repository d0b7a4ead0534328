"""The bounds hold at all looks at once, and are exactly where the ratio says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gate.sequences import (
    FEWEST,
    PRECISION,
    Bounds,
    bounds,
    count_for,
    half_width,
    look,
)

VALUES = st.lists(st.floats(-1, 1, allow_nan=False), min_size=FEWEST, max_size=30)


def ratio(values: list[float], mean: float) -> float:
    """The mixture's likelihood ratio, by the formula of `half_width`'s docstring."""
    n, g = len(values), PRECISION
    t2 = n * (np.mean(values) - mean) ** 2 / np.var(values, ddof=1)
    inner = (1 + t2 / (n - 1)) / (1 + t2 * g / ((n + g) * (n - 1)))
    return float(math.sqrt(g / (n + g)) * inner ** (n / 2))


@pytest.mark.parametrize("count", [5, 8, 20, 60])
@pytest.mark.parametrize("error", [0.05, 0.01 / 7])
def test_at_the_bound_the_ratio_is_one_over_the_error(count: int, error: float) -> None:
    values = list(np.random.default_rng(count).normal(0.1, 0.3, count))
    found = look(values, error)
    for end in (found.low, found.high):
        assert ratio(values, end) == pytest.approx(1 / error, rel=1e-6)


def test_ratio_is_the_mixture_of_student_ratios_that_it_is_called() -> None:
    """Integrated numerically over effect sizes, as Lai (1976) and Wang and Ramdas (2023) do."""
    values = [0.11, 0.31, -0.05, 0.22, 0.4, 0.18]
    n = len(values)
    mean, square = np.mean(values), np.mean(np.square(values))
    # Likelihood of scale-invariant data under effect d, against d = 0: integrate the scale with
    # the right Haar prior, in s = sqrt(sum of squares)/scale.
    scales = np.linspace(1e-6, 90, 20_000)
    logs = (n - 1) * np.log(scales) - scales**2 / 2
    base = np.trapezoid(np.exp(logs), scales)
    shift = n * mean / math.sqrt(n * square)

    def of(effect: float) -> float:
        part = np.exp(logs + effect * shift * scales - n * effect**2 / 2)
        return float(np.trapezoid(part, scales) / base)

    effects = np.linspace(-25, 25, 2_001)
    prior = np.sqrt(PRECISION / (2 * math.pi)) * np.exp(-PRECISION * effects**2 / 2)
    mixed = np.trapezoid(prior * np.array([of(effect) for effect in effects]), effects)
    assert ratio(values, 0.0) == pytest.approx(mixed, rel=1e-3)


def test_the_mean_is_outside_at_any_look_no_more_often_than_the_error() -> None:
    rng = np.random.default_rng(7)
    runs, error = 2_000, 0.05
    outside = 0
    for _ in range(runs):
        values = rng.normal(0, 1, 40)
        found = bounds(list(values), error)
        outside += not found.low <= 0 <= found.high
    assert 0 < outside / runs <= error


@pytest.mark.parametrize("tails", [3, 30])
def test_one_side_errs_half_as_often_with_normal_values_and_with_heavy_tails(tails: int) -> None:
    """What the gate counts on: it uses one side of each bound (`bench.gate.decision.SIDES`)."""
    rng = np.random.default_rng(tails)
    runs, error = 2_000, 0.10
    below = 0
    for _ in range(runs):
        below += bounds(list(rng.standard_t(tails, 30)), error).low > 0
    assert 0 < below / runs <= error / 2


def test_an_ordinary_interval_looked_at_as_often_is_wrong_far_more_often() -> None:
    """Why a sequence is needed at all."""
    rng = np.random.default_rng(8)
    wrong = 0
    for _ in range(300):
        values = rng.normal(0, 1, 40)
        looks = range(FEWEST, 41)
        wrong += any(
            abs(values[:n].mean()) > 2.1 * values[:n].std(ddof=1) / math.sqrt(n) for n in looks
        )
    assert wrong / 300 > 0.15


@given(VALUES, st.floats(0.001, 0.2))
def test_bounds_hold_the_mean_and_move_with_the_values(values: list[float], error: float) -> None:
    found = look(values, error)
    assert found.low - 1e-9 <= np.mean(values) <= found.high + 1e-9
    moved = look([value + 3 for value in values], error)
    assert moved.low == pytest.approx(found.low + 3, abs=1e-6)
    turned = look([-value for value in values], error)
    assert turned.high == pytest.approx(-found.low, abs=1e-6)


@given(VALUES)
def test_less_error_is_never_narrower(values: list[float]) -> None:
    wide, narrow = look(values, 0.001), look(values, 0.1)
    assert wide.low <= narrow.low
    assert wide.high >= narrow.high


def test_what_a_look_excluded_stays_excluded() -> None:
    calm = [0.01, 0.0, -0.01, 0.0, 0.01]
    noisy = [*calm, 0.5]
    assert look(noisy, 0.05).high > look(calm, 0.05).high
    assert bounds(noisy, 0.05).high == min(look(noisy[:n], 0.05).high for n in range(FEWEST, 7))


def test_looks_that_exclude_each_other_leave_the_last() -> None:
    values = [0.0, 0.001, -0.001, 0.0, 0.001, *[1.0] * 60]
    found = bounds(values, 0.05)
    assert found == look(values, 0.05)
    assert found != Bounds(-math.inf, math.inf)


def test_fewer_than_three_values_bound_nothing() -> None:
    assert bounds([0.1, 0.1], 0.05).low == -math.inf
    assert half_width(2, 0.5) == math.inf


def test_values_that_agree_by_luck_spread_no_less_than_they_can() -> None:
    found = bounds([0.0] * 6, 0.05, least_spread=0.02)
    assert found.high == pytest.approx(0.02 * half_width(6, 0.05))
    assert bounds([0.0] * 6, 0.05).high == 0.0


def test_count_for_is_the_first_count_that_is_narrow_enough() -> None:
    count = count_for(0.05, 0.02, 0.05)
    assert count is not None
    assert half_width(count, 0.05) * 0.02 <= 0.05 < half_width(count - 1, 0.05) * 0.02
    assert count_for(1e-6, 1.0, 0.05) is None
