"""Clocks: what a training step and an epoch take, and how much of a step is waiting for its batch.

Two meters, so that neither is trusted alone. A callback reads the host's monotonic clock at the
begin of every step and around every epoch. The training step itself takes two stamps: when its
batch is there, and when the weights are updated. On the TensorFlow backend Keras fetches a batch
inside the compiled step, so only a stamp inside it can tell waiting from computing; a stamp that
depends on the step's logs alone would be taken before backpropagation ends.

The wait of a step runs from its begin on the host to its first stamp. Both are readings of the
real-time clock, because TensorFlow has no other inside a graph.

This is how a training on TensorFlow is metered; `bench.metering` has the ways of other backends.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from bench.schema import EpochRecord
from bench.steps import Begin, Steps, by_host, by_stamps

NS_PER_S = 1_000_000_000
Evaluate = Callable[[], tuple[float, float]]


@dataclass(frozen=True)
class Clocks:
    """The host's clocks, in nanoseconds; tests give their own."""

    monotonic_ns: Callable[[], int] = time.perf_counter_ns
    real_ns: Callable[[], int] = time.time_ns


class StepStamps:
    """A buffer in the graph with two real-time stamps a step, emptied after every epoch."""

    def __init__(self, steps: int) -> None:
        with tf.device("CPU:0"):
            self._stamps = tf.Variable(tf.zeros((steps, 2), tf.float64), trainable=False)
            self._next = tf.Variable(0, dtype=tf.int32, trainable=False)
        self._traced = 0
        self._expected_traces: int | None = None

    @property
    def traces(self) -> int:
        """1, and one more for every trace after the first epoch.

        Keras traces its step twice before the first batch (3.15); that is not a retrace.
        """
        return 1 + self._traced - (self._expected_traces or self._traced)

    def traced(self) -> None:
        """Called by the step's Python, which runs once a trace."""
        self._traced += 1

    def record(self, batch_ready: Any, updated: Any) -> None:
        """Within the graph: append the stamps of one step."""
        position = tf.reshape(self._next, (1, 1))
        self._stamps.scatter_nd_update(position, [tf.stack([batch_ready, updated])])
        self._next.assign_add(1)

    def take(self) -> list[tuple[int, int]]:
        """The stamps since the last call, in nanoseconds of the real-time clock."""
        stamps = self._stamps.numpy()[: int(self._next.numpy())]
        self._next.assign(0)
        if self._expected_traces is None:
            self._expected_traces = self._traced
        return [(round(ready * NS_PER_S), round(done * NS_PER_S)) for ready, done in stamps]


def metered(stamps: StepStamps, base: type[Any] = keras.Model) -> type[Any]:
    """A model of class `base` whose training step stamps itself, and counts its traces."""

    class MeteredModel(base):
        """Trains as its base class does."""

        def train_step(self, data: Any) -> Any:
            """One step between two stamps."""
            stamps.traced()
            with tf.control_dependencies(tf.nest.flatten(data)):
                batch_ready = tf.timestamp()
            with tf.control_dependencies([batch_ready]):
                data = tf.nest.map_structure(tf.identity, data)
            logs = super().train_step(data)
            weights = [variable.value.read_value() for variable in self.trainable_variables]
            with tf.control_dependencies([*weights, *tf.nest.flatten(logs)]):
                stamps.record(batch_ready, tf.timestamp())
            return logs

    return MeteredModel


@dataclass
class _Epoch:
    """The readings of an epoch under way."""

    begin_ns: int
    begins: list[Begin] = field(default_factory=list)
    last_end_ns: int = 0
    validation_begin_ns: int | None = None


class EpochMeter(keras.callbacks.Callback):
    """Turns Keras' callbacks into `EpochRecord`s.

    Args:
        images: images an epoch trains on.
        evaluate: gives (loss, accuracy) on the validation images, its time kept apart. None leaves
            validation to `fit`, or out.
        only_after: the one epoch (from 0) behind which `evaluate` is called; None: behind each.
        stamps: of the metered model; None where the step does not stamp itself.
        on_epoch: told the number of epochs done.
        clocks: of the host.
        accuracy: the name, among the logs, of what counts as accuracy.
    """

    def __init__(
        self,
        images: int,
        evaluate: Evaluate | None = None,
        only_after: int | None = None,
        stamps: StepStamps | None = None,
        on_epoch: Callable[[int], None] | None = None,
        clocks: Clocks = Clocks(),
        accuracy: str = "accuracy",
    ) -> None:
        super().__init__()
        self._images = images
        self._evaluate = evaluate
        self._only_after = only_after
        self._stamps = stamps
        self._on_epoch = on_epoch
        self._clocks = clocks
        self._accuracy = accuracy
        self._fit_begin_ns: int | None = None
        self._fit_begin_real_ns = 0
        self._epoch = _Epoch(0)
        self.first_batch_ns = 0
        self.epochs: list[EpochRecord] = []

    def fit_begins(self) -> None:
        """Call just before `fit`: the first batch and the first epoch are timed from here."""
        self._fit_begin_ns = self._clocks.monotonic_ns()
        self._fit_begin_real_ns = self._clocks.real_ns()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """An epoch's time starts here; the first one's with the call of `fit`."""
        begin_ns = self._clocks.monotonic_ns()
        if not self.epochs and self._fit_begin_ns is not None:
            begin_ns = self._fit_begin_ns
        self._epoch = _Epoch(begin_ns)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """A step starts here; its batch has not been fetched."""
        at_ns = self._clocks.monotonic_ns()
        self._epoch.begins.append(Begin(batch, at_ns, self._clocks.real_ns()))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Only the last one of an epoch counts."""
        self._epoch.last_end_ns = self._clocks.monotonic_ns()

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """`fit` validates by itself: the epoch's time ends here."""
        self._epoch.validation_begin_ns = self._clocks.monotonic_ns()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """An epoch's time ends here, before validation; its result goes into the logs."""
        end_ns = self._epoch.validation_begin_ns or self._clocks.monotonic_ns()
        if self._evaluate and self._only_after in (None, epoch):
            loss, accuracy = self._evaluate()
            logs |= {"val_loss": loss, f"val_{self._accuracy}": accuracy}  # callbacks may go by it
        validated_ns = self._clocks.monotonic_ns()
        steps = self._steps()
        self.epochs.append(
            EpochRecord(
                epoch=epoch,
                epoch_ns=end_ns - self._epoch.begin_ns,
                head_ns=steps.begin_ns - self._epoch.begin_ns,
                tail_ns=end_ns - steps.end_ns,
                step_ns=steps.step_ns,
                wait_ns=steps.wait_ns,
                compute_ns=steps.compute_ns,
                images=self._images,
                loss=_finite(logs.get("loss")),
                accuracy=_finite(logs.get(self._accuracy)),
                val_loss=_finite(logs.get("val_loss")),
                val_accuracy=_finite(logs.get(f"val_{self._accuracy}")),
                validation_ns=validated_ns - end_ns if "val_loss" in logs else 0,
            )
        )
        if self._on_epoch:
            self._on_epoch(len(self.epochs))

    def _steps(self) -> Steps:
        """The steps of the epoch that ends, by whatever was read of them."""
        epoch = self._epoch
        stamps = self._stamps.take() if self._stamps else None
        if not stamps:
            return by_host(epoch.begins, epoch.last_end_ns)
        if not self.epochs:
            self.first_batch_ns = stamps[0][0] - self._fit_begin_real_ns
        return by_stamps(epoch.begins, stamps, epoch.last_end_ns)


def _finite(value: float | None) -> float | None:
    """JSON has no NaN and no infinity: a diverged training has no loss."""
    return float(value) if value is not None and math.isfinite(value) else None
