"""The claim map against the closed form of a two-stage queue."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.claim_map import PARTS, Crossing, Loaders, MapPoint, crossing, line, shape_of
from bench.stats import Interval

BATCH = 64
TIMES = st.floats(0.001, 2.0)


def point(images_per_s: float, speedup: float, spread: float | None = 0.1) -> MapPoint:
    if spread is None:
        return MapPoint(images_per_s, Interval(speedup, None, None, 1, "too few"), None)
    ends = (speedup / (1 + spread), speedup * (1 + spread))
    return MapPoint(images_per_s, Interval(speedup, *ends, 3), None)


def sweep(loaders: Loaders, speeds: list[float], spread: float = 0.1) -> list[MapPoint]:
    return [point(speed, loaders.expected(BATCH / speed), spread) for speed in speeds]


def speeds(low: float = 1.0, high: float = 1e6, count: int = 30) -> list[float]:
    return [low * (high / low) ** (k / (count - 1)) for k in range(count)]


@given(TIMES, TIMES, st.integers(2, 50), st.integers(0, 3), TIMES)
def test_the_expected_speedup_lies_between_one_and_that_of_the_loaders(
    base: float, other: float, batches: int, ahead: int, step: float
) -> None:
    found = Loaders(base, other, batches, ahead)
    low, high = sorted((1.0, found.speedup))
    assert low * (1 - 1e-9) <= found.expected(step) <= high * (1 + 1e-9)


def test_the_expected_speedup_tends_to_one_and_to_the_loaders() -> None:
    found = Loaders(0.4, 0.02, batches=100, ahead=2)
    assert found.expected(1000.0) == pytest.approx(1.0, abs=1e-3)
    assert found.expected(0.0) == pytest.approx(20.0)


@given(st.floats(8, 100), st.integers(0, 2))
def test_the_crossing_is_where_the_queue_says(factor: float, ahead: int) -> None:
    """With one batch an epoch times do not overlap: (b + s) / (c + s) = 7, so s = (b - 7c) / 6."""
    loaders = Loaders(0.01 * factor, 0.01, batches=1, ahead=ahead)
    step = (loaders.baseline_s - 7 * loaders.candidate_s) / 6
    found = crossing(sweep(loaders, speeds(10, 1e8)), 7.0, shape_of(loaders, BATCH))
    assert found.at == pytest.approx(BATCH / step, rel=1e-3)


def test_a_device_between_both_loaders_crosses_where_it_takes_a_seventh_of_the_baseline() -> None:
    """n batches: (n b + s) / (n s + c) is 7 at s = (n b - 7 c) / (7 n - 1)."""
    loaders = Loaders(0.400, 0.010, batches=50, ahead=2)
    step = (50 * 0.4 - 7 * 0.01) / (7 * 50 - 1)
    assert 0.010 < step < 0.400
    assert loaders.expected(step) == pytest.approx(7.0)
    found = crossing(sweep(loaders, speeds()), 7.0, shape_of(loaders, BATCH))
    assert found.at == pytest.approx(BATCH / step, rel=1e-3)


@given(st.floats(9, 100), st.floats(0.01, 0.2))
def test_the_band_crosses_before_and_behind_its_centre(factor: float, spread: float) -> None:
    loaders = Loaders(0.01 * factor, 0.01, batches=20, ahead=2)
    assume(loaders.speedup > 7 * (1 + spread))
    found = crossing(sweep(loaders, speeds(), spread), 7.0)
    assert found.earliest is not None
    assert found.at is not None
    assert found.latest is not None
    assert found.earliest < found.at < found.latest


def test_between_two_points_the_line_is_straight_on_log_scales() -> None:
    found = crossing([point(100, 2.0), point(400, 8.0)], 4.0)
    assert found.at == pytest.approx(200.0)


BENT = Loaders(0.2, 0.02, batches=50, ahead=2)  # from 3,200 images/s on a device waits for both
FEW = [128.0, 640.0, 6400.0]


def test_between_few_points_the_line_bends_where_the_queue_does() -> None:
    found = line(sweep(BENT, FEW), shape_of(BENT, BATCH))
    assert len(found) == 2 * PARTS + 1
    for item in found:
        expected = BENT.expected(BATCH / item.images_per_s)
        assert item.centre == pytest.approx(expected)
        assert item.low == pytest.approx(expected / 1.1)
        assert item.high == pytest.approx(expected * 1.1)


def test_few_points_cross_where_many_do_and_a_straight_line_does_not() -> None:
    many = crossing(sweep(BENT, speeds(128, 6400, 400)), 7.0).at
    few = sweep(BENT, FEW)
    bent, cut = crossing(few, 7.0, shape_of(BENT, BATCH)).at, crossing(few, 7.0).at
    assert many is not None
    assert cut is not None
    assert bent == pytest.approx(many, rel=1e-3)
    assert cut > 1.1 * many


@given(st.floats(0.5, 2.0), st.floats(0.5, 2.0))
def test_the_line_goes_through_what_was_measured_however_far_from_the_queue(
    slow: float, fast: float
) -> None:
    made = [point(128, 1.2 * slow), point(1280, 6.0 * fast)]
    found = line(made, shape_of(BENT, BATCH))
    assert found[0].centre == pytest.approx(1.2 * slow)
    assert found[-1].centre == pytest.approx(6.0 * fast)
    assert [item.images_per_s for item in found] == sorted(item.images_per_s for item in found)


def test_pipelines_that_were_not_timed_alone_give_a_straight_line() -> None:
    found = line([point(100, 2.0), point(400, 8.0)], shape_of(None, BATCH))
    assert found[PARTS // 2].images_per_s == pytest.approx(200.0)
    assert found[PARTS // 2].centre == pytest.approx(4.0)


def test_a_claim_that_is_never_reached_crosses_nowhere() -> None:
    assert crossing([point(100, 1.0), point(1000, 3.0)], 7.0) == Crossing(None, None, None)


def test_a_claim_that_holds_from_the_slowest_device_on_crosses_there() -> None:
    assert crossing([point(100, 9.0), point(1000, 12.0)], 7.0) == Crossing(100, 100, 100)


def test_only_the_upper_end_may_reach_it() -> None:
    found = crossing([point(100, 1.0), point(1000, 6.9)], 7.0)
    assert found.at is found.latest is None
    assert found.earliest == pytest.approx(1000 * math.exp(-_share()), rel=1e-9)


def _share() -> float:
    """Of the way back from 1,000 to 100 images/s, where the upper end (6.9 x 1.1) is at 7."""
    return math.log(10) * math.log(6.9 * 1.1 / 7) / math.log(6.9)


def test_a_dip_behind_the_first_crossing_counts_against_the_claim() -> None:
    dipping = [point(100, 2.0), point(200, 8.0), point(400, 6.0), point(800, 12.0)]
    found = crossing(dipping, 7.0)
    assert found.at is not None
    assert 400 < found.at < 800
    assert found.earliest is not None
    assert found.earliest < 200


def test_without_an_interval_there_is_no_band() -> None:
    found = crossing([point(100, 2.0), point(400, 8.0, spread=None)], 4.0)
    assert (found.earliest, found.latest) == (None, None)
    assert found.at == pytest.approx(200.0)
