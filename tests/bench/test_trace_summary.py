"""Stages, operations and the timeline of a window."""

from __future__ import annotations

import pytest

from bench.profile_schema import OperationReading, Place, Span, StageReading, StepReading
from bench.trace_steps import StepTime, part
from bench.trace_summary import MOST_SPANS, SHOWN_STEPS, operations, spans, stages, within
from bench.trace_work import Slice


def work(cause: str, begin_ns: int, end_ns: int, thread: str = "a", first: bool = True) -> Slice:
    place, kind = cause.split("/")
    return Slice(thread, Place(place), kind, f"{kind}:Op", begin_ns, end_ns, first)


def steps(*lengths: int) -> tuple[StepReading, ...]:
    begins = [sum(lengths[:number]) for number in range(len(lengths))]
    times = [StepTime(n, b, b + ns) for n, (b, ns) in enumerate(zip(begins, lengths, strict=True))]
    return part(times, [], [])


def test_the_window_cuts_work_and_what_began_before_it_is_no_call() -> None:
    found = within(
        [work("input/read", -5, 5), work("input/read", 8, 20), work("input/read", 12, 14)], 10
    )
    assert [(s.begin_ns, s.end_ns, s.first) for s in found] == [(0, 5, False), (8, 10, True)]


def test_a_stage_is_busy_on_every_thread_and_at_work_on_any() -> None:
    found = stages(
        [
            work("input/read", 0, 10, "b"),
            work("input/read", 5, 15, "a"),
            work("input/read", 15, 16, "a", first=False),
            work("model/dense", 0, 99),
        ]
    )
    assert found == (StageReading("read", 21, 16, 2, {"a": 11, "b": 10}),)
    assert list(found[0].threads) == ["a", "b"]


def test_stages_are_in_the_order_that_data_takes() -> None:
    found = stages([work(f"input/{name}", 0, 1) for name in ("other", "batch", "read")])
    assert [stage.stage for stage in found] == ["read", "batch", "other"]


def test_operations_are_added_up_longest_first() -> None:
    found = operations(
        [
            work("model/dense", 0, 4),
            work("input/read", 0, 3),
            work("input/read", 5, 9, first=False),
        ]
    )
    assert found == (
        OperationReading("read:Op", Place.INPUT, "read", 7, 1),
        OperationReading("dense:Op", Place.MODEL, "dense", 4, 1),
    )


def test_only_the_longest_operations_are_kept() -> None:
    many = [work("model/dense", 0, ns)._replace(name=f"op{ns:02d}") for ns in range(1, 31)]
    found = operations(many)
    assert [operation.self_ns for operation in found] == list(range(30, 10, -1))


@pytest.mark.parametrize(
    ("cause", "lane"),
    [
        ("input/decode", "input/decode"),
        ("model/augmentation", "model/augmentation"),
        ("model/optimiser", "model/compute"),
        ("model/other", "model/compute"),
    ],
)
def test_work_has_a_lane(cause: str, lane: str) -> None:
    assert Span(lane, 10, 90) in spans(steps(100), [], [work(cause, 10, 90)])


def test_the_first_steps_are_shown_each_for_itself_and_nothing_behind_them() -> None:
    found = spans(steps(100, 100, 100, 100), [(0, 10), (290, 310)], [work("input/read", 350, 390)])
    assert found == (
        *(Span("step", begin, begin + 100) for begin in (0, 100, 200)),
        Span("wait", 0, 10),
        Span("wait", 290, 300),
    )
    assert len([span for span in found if span.lane == "step"]) == SHOWN_STEPS


def test_spans_nearer_than_a_pixel_are_joined() -> None:
    near = [work("input/read", 0, 100), work("input/read", 120, 200), work("input/read", 300, 400)]
    assert spans(steps(10_000), [], near)[1:] == (
        Span("input/read", 0, 200),
        Span("input/read", 300, 400),
    )


def test_a_crowded_timeline_gets_coarser() -> None:
    lanes = ("read", "decode", "resize", "convert", "augment", "batch")
    crowd = [
        work(f"input/{lane}", begin, begin + 1000)
        for lane in lanes
        for begin in range(0, 1_000_000, 3_001)
    ]
    found = spans(steps(1_000_000), [], crowd)
    assert len(found) <= MOST_SPANS + SHOWN_STEPS
    assert {span.lane for span in found} == {"step", *(f"input/{lane}" for lane in lanes)}
