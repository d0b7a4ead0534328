"""Emulated trials on a clock that only moves when somebody sleeps or makes a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import emulation, queueing
from bench.device_schema import DeviceTimes
from bench.emulation import Clock, Feed
from bench.schema import TrialKind, TrialSpec
from tests.bench.samples import trial_spec

MS = 1_000_000
DEVICE = DeviceTimes("d", step_s=0.010, image_s=0.001, transfer_s=0.002, byte_s=0.0, ahead=1)


class Time:
    """A monotonic clock that a test moves; a sleep may end early or late."""

    def __init__(self, sleeps: float = 1.0, late_ns: int = 0) -> None:
        self.now_ns = 5 * MS
        self.slept: list[float] = []
        self._sleeps = sleeps
        self._late_ns = late_ns

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += max(1, round(1e9 * seconds * self._sleeps)) + self._late_ns

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now_ns, self.sleep)

    def batches(self, make_ms: Sequence[float], size: int = 4) -> Iterator[Any]:
        for cost in make_ms:
            self.now_ns += round(cost * MS)
            yield np.zeros((size, 8, 8, 3), np.uint8), np.zeros(size, np.int32)


def spec(device: DeviceTimes = DEVICE, epochs: int = 1, **changes: Any) -> TrialSpec:
    return replace(trial_spec("plain", epochs=epochs, batch_size=4, **changes), device=device)


def fed(time: Time, make_ms: Sequence[float], device: DeviceTimes = DEVICE, epochs: int = 1) -> Any:
    feed = Feed(lambda: time.batches(make_ms))
    return emulation.run(spec(device, epochs), feed, lambda _: None, time.clock)


def test_a_step_takes_transfer_and_training_and_the_wait_for_its_batch() -> None:
    """Busy 16 ms a batch: 2 transfer, 10 step, 4 images of 1. Batches take 20 ms to make."""
    (epoch,) = fed(Time(), [20, 20, 20]).epochs
    assert epoch.compute_ns == (16 * MS,) * 3
    assert epoch.wait_ns == (20 * MS, 4 * MS, 4 * MS)
    assert epoch.epoch_ns == 76 * MS
    assert (epoch.head_ns, epoch.tail_ns, epoch.images) == (0, 0, 12)


def test_a_fast_pipeline_waits_for_room_and_the_device_never_again() -> None:
    (epoch,) = fed(Time(), [1, 1, 1, 1]).epochs
    assert epoch.wait_ns == (1 * MS, 0, 0, 0)
    assert epoch.epoch_ns == 65 * MS


def test_a_device_that_is_waited_for_takes_turns_with_the_pipeline() -> None:
    (epoch,) = fed(Time(), [5, 5], replace(DEVICE, ahead=0)).epochs
    assert epoch.wait_ns == (5 * MS, 5 * MS)
    assert epoch.epoch_ns == 2 * 21 * MS


def test_a_batch_pays_for_its_bytes() -> None:
    """4 images of 8x8x3 bytes and 4 labels of 4 bytes: 784 bytes at a microsecond each."""
    (epoch,) = fed(Time(), [1], replace(DEVICE, byte_s=1e-6)).epochs
    assert epoch.compute_ns == (16 * MS + 784_000,)


def test_sleeps_that_end_early_are_slept_on() -> None:
    time = Time(sleeps=0.5)
    (epoch,) = fed(time, [1, 1, 1]).epochs
    assert epoch.epoch_ns == 49 * MS
    assert len(time.slept) > 3


def test_sleeps_that_end_late_do_not_add_up() -> None:
    """Each of them is 0.1 ms late; the device, which keeps its own time, loses none of it."""
    (epoch,) = fed(Time(late_ns=MS // 10), [1] * 50).epochs
    assert sum(epoch.step_ns) == (1 + 50 * 16) * MS
    assert epoch.tail_ns == MS // 10


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=12),
    st.integers(0, 4),
)
def test_an_epoch_is_what_the_two_stage_queue_says(make_ms: list[int], ahead: int) -> None:
    (epoch,) = fed(Time(), make_ms, replace(DEVICE, ahead=ahead)).epochs
    expected = queueing.epoch([m * MS for m in make_ms], [16 * MS] * len(make_ms), ahead)
    assert epoch.epoch_ns == expected


def test_callbacks_and_the_beginning_of_an_epoch_are_in_its_head() -> None:
    class Loads:
        def on_epoch_begin(self, epoch: int) -> None:
            time.now_ns += (7 if epoch == 0 else 0) * MS

    def begin() -> Iterator[Any]:
        time.now_ns += 2 * MS
        return time.batches([1])

    time = Time()
    told: list[int] = []
    record = emulation.run(spec(epochs=2), Feed(begin, (Loads(),)), told.append, time.clock)
    assert [epoch.head_ns for epoch in record.epochs] == [9 * MS, 2 * MS]
    assert record.first_batch_ns == 10 * MS
    assert told == [1, 2]


def test_an_iterator_that_takes_long_to_be_destroyed_is_in_the_tail() -> None:
    class Slow:
        def __init__(self) -> None:
            self._made = time.batches([1])

        def __iter__(self) -> Slow:
            return self

        def __next__(self) -> Any:
            return next(self._made)

        def __del__(self) -> None:
            time.now_ns += 30 * MS

    time = Time()
    record = emulation.run(spec(), Feed(Slow), lambda _: None, time.clock)
    assert record.epochs[0].tail_ns == 30 * MS


def test_an_emulated_trial_has_no_accuracy_and_says_whose_steps_it_timed() -> None:
    record = fed(Time(), [1, 1], epochs=2)
    assert all(epoch.loss is epoch.val_accuracy is None for epoch in record.epochs)
    assert record.step_clock == emulation.STEP_CLOCK
    assert record.spec.device == DEVICE


def test_the_ceiling_is_the_device_alone_with_its_last_small_batch() -> None:
    """10 images in batches of 4: 14, 14 and 12 ms; nothing is transferred."""
    record = emulation.ceiling(spec(epochs=2, kind=TrialKind.CEILING), images=10)
    assert [epoch.step_ns for epoch in record.epochs] == [(14 * MS, 14 * MS, 12 * MS)] * 2
    assert {epoch.wait_ns for epoch in record.epochs} == {(0, 0, 0)}
    assert record.epochs[0].images == 10


def test_a_trial_without_a_device_cannot_be_emulated() -> None:
    with pytest.raises(ValueError, match="expected a trial on an emulated device"):
        emulation.ceiling(trial_spec("plain"), images=4)
