"""The steps of a training that runs behind the host's back, or in its sight, outside TensorFlow.

On JAX Keras fetches a batch in Python and hands the step over to the device without waiting for
it. A callback that ends its steps would make Keras wait for each one; one that says that it is
`async_safe` is called by a thread of Keras' own, which has waited for the step's logs (Keras 3.15,
`CallbackList._on_train_batch_end`). These are outputs of the same compiled step as the weights, so
they are there when it has ended. Nothing is therefore synchronised that Keras would not by itself.

A thread that notices is held up while another one runs Python: a completion can seem up to one
switch interval (5 ms, `sys.getswitchinterval`) late, which calls that much of a wait compute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.steps import Steps, by_completion, by_host
from bench.timing import Clocks, EpochMeter


class Arrivals:
    """When each batch of an epoch was there, and how often the step was traced."""

    def __init__(self, clocks: Clocks | None = None) -> None:
        self._clocks = clocks or Clocks()
        self._ready_ns: list[int] = []
        self._traced = 0
        self._expected_traces: int | None = None

    @property
    def traces(self) -> int:
        """1, and one more for every trace after the first epoch, which has one a shape."""
        return 1 + self._traced - (self._expected_traces or self._traced)

    def traced(self) -> None:
        """Called by the step's Python, which runs once a trace."""
        self._traced += 1

    def watch(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The same batches, each noticed when it is there."""
        for batch in batches:
            self._ready_ns.append(self._clocks.monotonic_ns())
            yield batch

    def take(self) -> list[int]:
        """The readings since the last call."""
        ready_ns, self._ready_ns = self._ready_ns, []
        if self._expected_traces is None:
            self._expected_traces = self._traced
        return ready_ns


def watched(arrivals: Arrivals, base: type[Any]) -> type[Any]:
    """A model of class `base`, on JAX, whose batches are noticed when they are there."""

    class WatchedModel(base):
        """Trains as its base class does."""

        train_function: Any

        def train_step(self, state: Any, data: Any) -> Any:
            """One step; its Python runs once a trace."""
            arrivals.traced()
            return super().train_step(state, data)

        def make_train_function(self, force: bool = False) -> Any:
            """The base class' function, which fetches its batch by `next`."""
            before = self.train_function
            super().make_train_function(force)
            if self.train_function is not before:
                step = self.train_function
                self.train_function = lambda state, batches: step(state, arrivals.watch(batches))

    return WatchedModel


class CompletionMeter(EpochMeter):
    """Meters steps from completion to completion, on JAX.

    Args:
        arrivals: of the watched model.
        given: what any meter takes.
    """

    async_safe = True  # Keras (3.15) then calls the end of a step from a thread that waited for it

    def __init__(self, arrivals: Arrivals, **given: Any) -> None:
        super().__init__(**given)
        self._arrivals = arrivals
        self._done_ns: list[int] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """A step is done; one of several threads says so."""
        self._done_ns.append(self._clocks.monotonic_ns())

    def _steps(self) -> Steps:
        """Keras has waited for all steps before it ends the epoch."""
        ready_ns = self._arrivals.take()
        done_ns, self._done_ns = self._done_ns, []
        if not self.epochs and self._fit_begin_ns is not None:
            self.first_batch_ns = ready_ns[0] - self._fit_begin_ns
        return by_completion(self._epoch.begins[0].at_ns, ready_ns, done_ns)


class EagerMeter(EpochMeter):
    """Meters PyTorch on a CPU, where a step is over when its call returns.

    Keras (3.15) fetches a batch before it tells that a step begins, so that the first batch of an
    epoch includes the start of its iterator.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._began_ns = 0
        self._done_ns: list[int] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """The first batch is fetched from here on."""
        super().on_epoch_begin(epoch, logs)
        self._began_ns = self._clocks.monotonic_ns()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """The step is over."""
        self._done_ns.append(self._clocks.monotonic_ns())

    def _steps(self) -> Steps:
        ready_ns = [begin.at_ns for begin in self._epoch.begins]
        done_ns, self._done_ns = self._done_ns, []
        if not self.epochs and self._fit_begin_ns is not None:
            self.first_batch_ns = ready_ns[0] - self._fit_begin_ns
        return by_completion(self._began_ns, ready_ns, done_ns)


class HandOverMeter(EpochMeter):
    """Meters PyTorch on a GPU: steps from begin to begin on the host, which runs ahead.

    Nobody sees there when a step is done, so that no wait can be told; only the epoch as a whole
    is synchronised, by Keras, which waits for every step's logs before the epoch ends.
    """

    async_safe = True

    def _steps(self) -> Steps:
        epoch = self._epoch
        if not self.epochs and self._fit_begin_ns is not None:
            self.first_batch_ns = epoch.begins[0].at_ns - self._fit_begin_ns
        return by_host(epoch.begins, max(epoch.last_end_ns, epoch.begins[-1].at_ns + 1))
