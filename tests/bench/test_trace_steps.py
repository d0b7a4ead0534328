"""The partition of steps: by hand, and that it adds up whatever the trace holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.profile_schema import Place, Share, StepReading
from bench.trace_steps import (
    Interval,
    StepTime,
    apportion,
    clip,
    length,
    part,
    step_times,
    union,
)
from bench.trace_work import Slice

ONE_STEP = (StepTime(3, 0, 100),)


def work(cause: str, begin_ns: int, end_ns: int, thread: str = "a") -> Slice:
    """`work("input/read", 0, 10)`."""
    place, kind = cause.split("/")
    return Slice(thread, Place(place), kind, f"{kind}:Op", begin_ns, end_ns, True)


def shares(reading: StepReading) -> dict[str, int]:
    return {f"{share.place}/{share.name}": share.wall_ns for share in reading.shares}


def parted(waits: list[Interval], *slices: Slice) -> dict[str, int]:
    return shares(part(ONE_STEP, waits, slices)[0])


def test_a_wait_goes_to_the_stage_at_work_and_to_the_hand_over_without_one() -> None:
    found = parted([(0, 40)], work("input/read", 5, 15), work("input/decode", 15, 38))
    assert found == {
        "idle/idle": 60,
        "input/decode": 23,
        "input/read": 10,
        "input/hand-over": 7,
    }


def test_what_the_pipeline_does_while_the_model_computes_costs_the_step_nothing() -> None:
    found = parted([(0, 10)], work("input/decode", 0, 90), work("model/dense", 10, 100, "b"))
    assert found == {"model/dense": 90, "input/decode": 10}


def test_the_models_operations_do_not_count_while_it_waits() -> None:
    assert parted([(0, 100)], work("model/dense", 0, 100)) == {"input/hand-over": 100}


def test_stages_at_once_divide_the_wait_by_threads() -> None:
    found = parted(
        [(0, 90)],
        work("input/read", 0, 90, "a"),
        work("input/augment", 0, 90, "b"),
        work("input/augment", 0, 90, "c"),
    )
    assert found == {"input/augment": 60, "input/read": 30, "idle/idle": 10}


def test_operations_at_once_divide_the_rest_by_operations() -> None:
    found = parted(
        [],
        work("model/convolution", 0, 100, "a"),
        work("model/optimiser", 40, 60, "b"),
    )
    assert found == {"model/convolution": 90, "model/optimiser": 10}


def test_largest_share_first() -> None:
    (reading,) = part(ONE_STEP, [(0, 30)], [work("model/dense", 30, 75)])
    assert reading.shares == (
        Share(Place.MODEL, "dense", 45),
        Share(Place.INPUT, "hand-over", 30),
        Share(Place.IDLE, "idle", 25),
    )


def test_a_wait_across_two_steps_is_parted_between_them() -> None:
    steps = (StepTime(3, 0, 100), StepTime(4, 100, 150))
    first, second = part(steps, [(90, 120)], [work("input/read", 80, 110)])
    assert (first.wait_ns, second.wait_ns) == (10, 20)
    assert shares(first) == {"idle/idle": 90, "input/read": 10}
    assert shares(second) == {"idle/idle": 30, "input/read": 10, "input/hand-over": 10}


def test_what_is_outside_the_window_does_not_count() -> None:
    found = parted(
        [(-50, -10), (130, 150)], work("model/dense", -20, 30), work("input/read", 90, 300)
    )
    assert found == {"idle/idle": 70, "model/dense": 30}


def test_steps_reach_to_the_next_begin_and_the_last_to_its_end() -> None:
    marks = [(5, 1000, 1080), (6, 1100, 1190), (7, 1200, 1250)]
    assert step_times(marks) == (StepTime(5, 0, 100), StepTime(6, 100, 200), StepTime(7, 200, 250))


def test_the_largest_remainder_is_rounded_up() -> None:
    assert apportion(10, {"a": 1.0, "b": 1.0, "c": 1.0}) == {"a": 4, "b": 3, "c": 3}
    assert apportion(10, {"a": 0.8, "b": 5.7, "c": 3.5}) == {"a": 1, "b": 6, "c": 3}
    assert apportion(0, {}) == {}


@pytest.mark.parametrize(
    ("gap_ns", "expected"),
    [(0, ((0, 7), (9, 12), (14, 15))), (2, ((0, 15),)), (1, ((0, 7), (9, 12), (14, 15)))],
)
def test_union_joins_what_touches_or_is_near(gap_ns: int, expected: tuple[Interval, ...]) -> None:
    assert union([(9, 12), (0, 5), (5, 7), (1, 2), (14, 15)], gap_ns) == expected


def test_clip_cuts_and_drops() -> None:
    assert clip([(0, 5), (6, 9), (20, 30)], 3, 8) == ((3, 5), (6, 8))


CAUSES = ("input/read", "input/decode", "input/augment", "model/dense", "model/convolution")
SPANS = st.tuples(st.integers(-50, 400), st.integers(1, 200))
STEPS = st.lists(st.integers(1, 150), min_size=1, max_size=4)
WORK = st.lists(st.tuples(st.sampled_from(CAUSES), SPANS), max_size=15)


@given(STEPS, st.lists(SPANS, max_size=5), WORK)
def test_shares_add_up_exactly_and_none_is_negative(
    lengths: list[int], waits: list[Interval], pieces: list[tuple[str, Interval]]
) -> None:
    """`StepReading` itself refuses shares that do not add up to the step and to its wait."""
    begins = [sum(lengths[:number]) for number in range(len(lengths) + 1)]
    steps = tuple(StepTime(n, begins[n], begins[n + 1]) for n in range(len(lengths)))
    joined = union((begin, begin + ns) for begin, ns in waits)
    slices = [work(cause, begin, begin + ns) for cause, (begin, ns) in pieces]
    readings = part(steps, joined, slices)
    assert [reading.step_ns for reading in readings] == lengths
    assert sum(r.wait_ns for r in readings) == length(clip(joined, 0, begins[-1]))
    assert all(share.wall_ns > 0 for reading in readings for share in reading.shares)


@given(st.integers(0, 10**12), st.lists(st.floats(0, 1e9), min_size=1, max_size=9))
def test_apportioned_parts_add_up_whatever_the_weights(total: int, weights: list[float]) -> None:
    weights[0] += 1.0
    parts = apportion(total, dict(enumerate(weights)))
    assert sum(parts.values()) == total
    assert min(parts.values()) >= 0
