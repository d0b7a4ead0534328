"""Nested events to self time. A text stands for a thread: see `thread`."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.profile_schema import Place
from bench.trace_work import Event, Role, Slice, Thread, outermost, slices

READ, DECODE, NAMELESS = "read/ReadFile:ReadFile", "decode/DecodeImage:DecodeImage", "Mul_1:Mul"
CONV = "StatefulPartitionedCall/conv2d/convolution:Conv2D"
PYTHON = "PyFunc:PyFunc"
BATCH = "Iterator::Root::BatchV2"
MAP = "Iterator::Root::BatchV2::Map"


def thread(*events: tuple[str, int, int], role: Role = Role.PIPELINE) -> Thread:
    return Thread("pool/1", role, tuple(Event(*event) for event in events))


def times(*events: tuple[str, int, int], role: Role = Role.PIPELINE) -> list[tuple[str, int, int]]:
    """Kind, begin and end of each slice."""
    return [(s.kind, s.begin_ns, s.end_ns) for s in slices(thread(*events, role=role))]


def test_an_operation_is_a_slice() -> None:
    found = slices(thread((CONV, 5, 9), role=Role.MODEL), origin_ns=3)
    name = "conv2d/convolution:Conv2D"
    assert found == (Slice("pool/1", Place.MODEL, "convolution", name, 2, 6, True),)


def test_self_time_is_without_the_work_inside() -> None:
    assert times((BATCH, 0, 10), (READ, 2, 4), (DECODE, 4, 7)) == [
        ("batch", 0, 2),
        ("read", 2, 4),
        ("decode", 4, 7),
        ("batch", 7, 10),
    ]


def test_only_the_first_piece_of_an_event_counts_as_a_call() -> None:
    found = slices(thread((BATCH, 0, 10), (READ, 2, 4), (BATCH, 20, 22)))
    assert [piece.first for piece in found] == [True, True, False, True]


def test_an_iterator_that_waits_takes_the_time_of_the_one_around_it_and_does_no_work() -> None:
    assert times((BATCH, 0, 10), (MAP, 3, 8)) == [("batch", 0, 3), ("batch", 8, 10)]


@pytest.mark.parametrize("name", ["DecodeImageV2Op::JPEG", "MemoryAllocation", "ParallelFor"])
def test_events_that_are_no_work_leave_their_time_to_the_work_around(name: str) -> None:
    assert times((DECODE, 0, 10), (name, 1, 9)) == [("decode", 0, 10)]


def test_an_executors_loop_is_no_work() -> None:
    assert times(("ExecutorState::Process", 0, 10), (READ, 1, 3)) == [("read", 1, 3)]


def test_a_generator_is_python_but_for_its_augmentation() -> None:
    assert times((PYTHON, 0, 10), ("augment", 2, 5), ("augment", 6, 7)) == [
        ("python", 0, 2),
        ("augment", 2, 5),
        ("python", 5, 6),
        ("augment", 6, 7),
        ("python", 7, 10),
    ]


def test_whatever_runs_inside_augmentation_is_augmentation() -> None:
    inside = ("Cast:Cast", 3, 4)
    assert times((PYTHON, 0, 6), ("augment", 2, 5), inside)[1:4] == [
        ("augment", 2, 3),
        ("augment", 3, 4),
        ("augment", 4, 5),
    ]


def test_an_operation_whose_name_tells_nothing_is_of_the_stage_around_it() -> None:
    assert times((PYTHON, 0, 3), (NAMELESS, 1, 2))[1] == ("python", 1, 2)
    assert times((MAP, 0, 3), (NAMELESS, 1, 2)) == [("other", 1, 2)]
    assert times((NAMELESS, 1, 2)) == [("other", 1, 2)]


def test_on_the_programs_own_thread_what_is_in_an_iterator_is_the_pipelines() -> None:
    found = slices(thread((MAP, 0, 4), (READ, 1, 2), (CONV, 5, 6), role=Role.HOST))
    assert [(s.place, s.kind) for s in found] == [
        (Place.INPUT, "read"),
        (Place.MODEL, "convolution"),
    ]


def test_a_devices_kernels_are_the_models_and_of_no_kind() -> None:
    (found,) = slices(thread(("void cudnn::conv<float>", 1, 2), role=Role.DEVICE))
    assert (found.place, found.kind) == (Place.MODEL, "other")


def test_an_event_that_outlasts_the_one_around_it_is_cut() -> None:
    assert times((BATCH, 0, 5), (READ, 3, 9)) == [("batch", 0, 3), ("read", 3, 5)]


def test_the_order_of_events_in_the_file_does_not_matter() -> None:
    events = [(BATCH, 0, 10), (READ, 0, 4), (DECODE, 4, 7)]
    assert times(*reversed(events)) == times(*events)


def test_outermost_leaves_out_what_is_inside_another() -> None:
    events = [Event(BATCH, 2, 9), Event(MAP, 3, 9), Event(READ, 0, 20), Event(MAP, 12, 15)]
    assert list(outermost(events, "Iterator::")) == [(2, 9), (12, 15)]


NAMES = st.sampled_from([READ, DECODE, BATCH, MAP, PYTHON, "augment", "ExecutorState::Process"])
EVENTS = st.lists(st.tuples(NAMES, st.integers(0, 60), st.integers(0, 30)), max_size=12)


@given(EVENTS)
def test_slices_never_overlap_and_are_in_order(events: list[tuple[str, int, int]]) -> None:
    found = times(*((name, begin, begin + length) for name, begin, length in events))
    assert all(begin < end for _, begin, end in found)
    assert all(a[2] <= b[1] for a, b in pairwise(found))
