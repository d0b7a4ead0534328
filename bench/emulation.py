"""A trial against a device that only takes time: real pipeline, real files, real cores, no model.

The device needs no thread and no CPU. Each batch that the pipeline makes is handed over to a queue
that knows, from the device's times alone, when it will be done (`bench.queueing`); while the queue
is full, this process sleeps until the moment when it has room. Deadlines are absolute, so that a
sleep that ends late makes the pipeline late once and adds up to nothing.

One thread asks for batches, as `fit` does. What the pipeline makes ahead by itself (prefetch) it
makes here too. Keras' own prefetch around an `ImageDataGenerator` is not here; with `ahead` 1 or
more the queue lets it work ahead in the same way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.accounting import peak_rss_bytes, versions
from bench.device_schema import NS_PER_S, DeviceTimes
from bench.queueing import Queue
from bench.schema import (
    SCHEMA_VERSION,
    EpochRecord,
    TrialRecord,
    TrialSpec,
    TrialStatus,
)

STEP_CLOCK = "emulated device, end to end"


@dataclass(frozen=True)
class Clock:
    """A monotonic clock and the sleep that goes with it; tests give their own."""

    now_ns: Callable[[], int] = time.perf_counter_ns
    sleep_s: Callable[[float], None] = time.sleep

    def wait_until(self, deadline_ns: int) -> None:
        """Sleep, again if it ended early, until the deadline is reached."""
        while (left_ns := deadline_ns - self.now_ns()) > 0:
            self.sleep_s(left_ns / NS_PER_S)


@dataclass(frozen=True)
class Feed:
    """What an epoch is made of.

    Attributes:
        batches: begins an epoch: (images, labels), arrays of any library.
        callbacks: what the pipeline must do when an epoch begins, as Keras callbacks.
    """

    batches: Callable[[], Iterator[Any]]
    callbacks: Sequence[Any] = ()


def run(
    spec: TrialSpec, feed: Feed, on_epoch: Callable[[int], None], clock: Clock = Clock()
) -> TrialRecord:
    """Every epoch of a trial on its device.

    Args:
        on_epoch: told how many are done.
    """
    epochs = []
    for number in range(spec.epochs):
        epochs.append(_epoch(number, feed, _device(spec), clock))
        on_epoch(number + 1)
    return _trial(spec, epochs)


def ceiling(spec: TrialSpec, images: int) -> TrialRecord:
    """The device alone, its batches there already: known exactly, so that nothing runs."""
    device, left = _device(spec), images % spec.batch_size
    sizes = [spec.batch_size] * (images // spec.batch_size) + ([left] if left else [])
    computes = [device.compute_ns(size) for size in sizes]
    waits = [0] * len(sizes)
    return _trial(
        spec, [_record(number, images, (0, 0), waits, computes) for number in range(spec.epochs)]
    )


def _device(spec: TrialSpec) -> DeviceTimes:
    if spec.device is None:
        raise ValueError(f"expected a trial on an emulated device, found {spec.name} without one")
    return spec.device


def _epoch(number: int, feed: Feed, device: DeviceTimes, clock: Clock) -> EpochRecord:
    """A step is from the device's end of the batch before to its end of this one."""
    begin_ns = clock.now_ns()
    for callback in feed.callbacks:
        callback.on_epoch_begin(number)
    batches = feed.batches()
    ready_ns = clock.now_ns()
    queue = Queue(device.ahead, ready_ns)
    waits, computes, images = [], [], 0
    for batch in batches:
        count, size_bytes = _count(batch), _size_bytes(batch)
        before_ns = queue.done
        busy = queue.hand_over(clock.now_ns(), device.busy_ns(count, size_bytes))
        waits.append(busy.begin - before_ns)
        computes.append(busy.end - busy.begin)
        images += count
        clock.wait_until(queue.room_from)
    clock.wait_until(queue.done)
    del batches  # an iterator that takes long to be destroyed belongs to its epoch
    return _record(
        number, images, (ready_ns - begin_ns, clock.now_ns() - queue.done), waits, computes
    )


def _trial(spec: TrialSpec, epochs: Sequence[EpochRecord]) -> TrialRecord:
    """The record of a trial; what only its whole process knows is filled in by the worker."""
    first = epochs[0]
    return TrialRecord(
        schema_version=SCHEMA_VERSION,
        spec=spec,
        status=TrialStatus.OK,
        failure=None,
        started_at="",
        wall_ns=1,
        first_batch_ns=first.head_ns + (first.wait_ns or (0,))[0],
        epochs=tuple(epochs),
        peak_rss_bytes=peak_rss_bytes(),
        traces=1,
        step_clock=STEP_CLOCK,
        versions=versions(),
    )


def _record(
    number: int,
    images: int,
    ends_ns: tuple[int, int],
    waits: Sequence[int],
    computes: Sequence[int],
) -> EpochRecord:
    head_ns, tail_ns = ends_ns
    steps = tuple(wait + compute for wait, compute in zip(waits, computes, strict=True))
    return EpochRecord(
        epoch=number,
        epoch_ns=head_ns + sum(steps) + tail_ns,
        head_ns=head_ns,
        tail_ns=tail_ns,
        step_ns=steps,
        wait_ns=tuple(waits),
        compute_ns=tuple(computes),
        images=images,
        loss=None,
        accuracy=None,
        val_loss=None,
        val_accuracy=None,
        validation_ns=0,
    )


def _count(batch: Any) -> int:
    return int(batch[0].shape[0])


def _size_bytes(batch: Any) -> int:
    """Of all arrays of a batch; NumPy and TensorFlow name the size of an item differently."""
    return sum(math.prod(array.shape) * _item_bytes(array.dtype) for array in batch)


def _item_bytes(dtype: Any) -> int:
    return int(dtype.itemsize if hasattr(dtype, "itemsize") else dtype.size)
