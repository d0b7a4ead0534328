from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.queueing import Busy, Queue, epoch, steady_epoch

TIMES = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=30
).map(lambda pairs: tuple(zip(*pairs, strict=True)))
AHEAD = st.integers(0, 5)


@given(TIMES, AHEAD)
def test_an_epoch_is_as_long_as_its_slower_stage_at_least_and_as_both_at_most(
    times: tuple[tuple[int, ...], ...], ahead: int
) -> None:
    make, busy = times
    found = epoch(make, busy, ahead)
    assert max(sum(make) + busy[-1], make[0] + sum(busy)) <= found <= sum(make) + sum(busy)


@given(TIMES)
def test_without_a_queue_the_stages_take_turns(times: tuple[tuple[int, ...], ...]) -> None:
    make, busy = times
    assert epoch(make, busy, 0) == sum(make) + sum(busy)


@given(TIMES)
def test_a_queue_that_holds_the_epoch_is_never_full(times: tuple[tuple[int, ...], ...]) -> None:
    """Then only the device waits: its last idle moment ends with some batch's making."""
    make, busy = times
    made = [sum(make[: k + 1]) + sum(busy[k:]) for k in range(len(make))]
    assert epoch(make, busy, len(make)) == max(made)


@given(TIMES, AHEAD, st.data())
def test_nothing_is_faster_because_a_batch_takes_longer(
    times: tuple[tuple[int, ...], ...], ahead: int, data: st.DataObject
) -> None:
    make, busy = times
    more = data.draw(st.lists(st.integers(0, 500), min_size=len(make), max_size=len(make)))
    longer_make = [a + b for a, b in zip(make, more, strict=True)]
    longer_busy = [a + b for a, b in zip(busy, more, strict=True)]
    found = epoch(make, busy, ahead)
    assert epoch(longer_make, busy, ahead) >= found
    assert epoch(make, longer_busy, ahead) >= found


@given(TIMES, AHEAD)
def test_a_longer_queue_never_costs_time(times: tuple[tuple[int, ...], ...], ahead: int) -> None:
    make, busy = times
    assert epoch(make, busy, ahead + 1) <= epoch(make, busy, ahead)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 30), AHEAD)
def test_equal_batches_have_a_closed_form(make: int, busy: int, batches: int, ahead: int) -> None:
    found = epoch([make] * batches, [busy] * batches, ahead)
    assert found == steady_epoch(make, busy, batches, ahead)


def test_the_closed_form_is_the_slower_stage_and_the_other_one_once() -> None:
    assert steady_epoch(3, 10, 4, 1) == 43
    assert steady_epoch(10, 3, 4, 2) == 43
    assert steady_epoch(10, 3, 4, 0) == 52


def test_the_pipeline_waits_when_more_than_ahead_batches_are_not_done() -> None:
    queue = Queue(ahead=1, begin=100)
    assert queue.room_from == 100
    assert queue.hand_over(made=110, busy=50) == Busy(110, 160)
    assert queue.room_from == 100  # one batch is not done: the next may be made
    assert queue.hand_over(made=120, busy=50) == Busy(160, 210)
    assert (queue.room_from, queue.done) == (160, 210)
    assert queue.hand_over(made=300, busy=50) == Busy(300, 350)


def test_a_negative_queue_cannot_be() -> None:
    with pytest.raises(ValueError, match="a queue of -1 batches cannot be"):
        Queue(-1)
