"""Two means that were measured apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from bench import stats
from bench.gate.welch import Mean, blocks_for, difference, mean_of

FIRST = (0.31, 0.28, 0.35, 0.30)
SECOND = (0.21, 0.40, 0.15, 0.33, 0.27, 0.19)


def mean(values: tuple[float, ...] | np.ndarray) -> Mean:
    interval = stats.mean_interval(list(values))
    assert interval is not None
    assert interval.low is not None
    assert interval.high is not None
    found = mean_of(interval.low, interval.high, interval.blocks)
    assert found is not None
    return found


def test_an_interval_gives_its_mean_and_standard_error_back() -> None:
    found = mean(FIRST)
    assert found.centre == pytest.approx(np.mean(FIRST))
    assert found.error == pytest.approx(np.std(FIRST, ddof=1) / math.sqrt(len(FIRST)))


def test_it_is_the_welch_interval_of_a_statistics_package() -> None:
    theirs = ttest_ind(SECOND, FIRST, equal_var=False)
    ours = difference(mean(FIRST), mean(SECOND))
    expected = theirs.confidence_interval(0.95)
    assert ours.freedom == pytest.approx(theirs.df)
    assert (ours.bounds(0.05).low, ours.bounds(0.05).high) == pytest.approx(
        (expected.low, expected.high)
    )


@pytest.mark.parametrize(
    ("low", "high", "blocks"), [(0.1, 0.2, 2), (0.1, 0.2, 0), (0.1, 0.1, 9), (0.2, 0.1, 9)]
)
def test_what_is_no_interval_gives_no_mean(low: float, high: float, blocks: int) -> None:
    assert mean_of(low, high, blocks) is None


@given(
    st.floats(-2, 2),
    st.floats(-2, 2),
    st.floats(0.001, 1),
    st.floats(0.001, 1),
    st.integers(3, 40),
    st.integers(3, 40),
)
def test_swapped_sides_are_the_mirror_image(
    a: float, b: float, a_error: float, b_error: float, a_blocks: int, b_blocks: int
) -> None:
    left, right = Mean(a, a_error, a_blocks), Mean(b, b_error, b_blocks)
    there, back = difference(left, right), difference(right, left)
    assert there.centre == -back.centre
    assert there.bounds(0.05).low == pytest.approx(-back.bounds(0.05).high)
    assert there.error > max(a_error, b_error) * 0.999
    fewest = min(a_blocks, b_blocks) - 1
    assert fewest * 0.999 <= there.freedom <= (a_blocks + b_blocks - 2) * 1.001


def test_the_smaller_the_error_the_wider_the_bounds() -> None:
    found = difference(mean(FIRST), mean(SECOND))
    assert found.half_width(0.01 / 20) > found.half_width(0.01) > found.half_width(0.05)


def test_the_foreseen_number_of_blocks_is_the_first_that_is_enough() -> None:
    left, right = Mean(0.0, 0.02, 3), Mean(0.01, 0.03, 5)
    blocks = blocks_for(left, right, 0.04, 0.05)
    assert blocks is not None

    def half(count: int) -> float:
        sides = (
            Mean(m.centre, m.error * math.sqrt(m.blocks / count), count) for m in (left, right)
        )
        return difference(*sides).half_width(0.05)

    assert half(blocks) <= 0.04 < half(blocks - 1)
    assert blocks_for(left, right, 0.000_1, 0.05) is None


def test_the_interval_covers_what_it_says_with_unequal_noise_and_few_blocks() -> None:
    rng = np.random.default_rng(11)
    count = 4_000
    first, second = rng.normal(1.0, 0.02, (count, 3)), rng.normal(1.1, 0.05, (count, 6))
    found = [difference(mean(a), mean(b)) for a, b in zip(first, second, strict=True)]
    inside = [d.bounds(0.05).low <= 0.1 <= d.bounds(0.05).high for d in found]
    assert 0.93 < np.mean(inside) < 0.97
