"""The profiler around a few steps of a training, with step markers that xprof recognises.

Keras' own TensorBoard callback opens its step trace without `_r=1`; xprof then finds no step on a
CPU. This one opens and closes it around every step of the window, and says what went wrong
(another profiler, no file) as a value: the training goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Protocol

import keras

from bench.profile_schema import Capture, ProfileFailure, ProfileFailureKind, ProfileWindow
from bench.schema import SCHEMA_VERSION

STEP_MARKER = "train"
TRACE_PATTERN = "plugins/profile/*/*.xplane.pb"


class Profiler(Protocol):
    """A backend's profiler. Every method may raise whatever its backend raises."""

    def start(self, logdir: Path) -> None:
        """Begin to record."""

    def stop(self) -> None:
        """End the recording and write it below `logdir`, where TensorBoard looks for it."""

    def step(self, number: int) -> AbstractContextManager[Any]:
        """A marked step."""


class TensorFlowProfiler:
    """Host and device operations; no Python calls, which would cost more than they tell."""

    def start(self, logdir: Path) -> None:
        import tensorflow as tf

        options = tf.profiler.experimental.ProfilerOptions(
            host_tracer_level=2, python_tracer_level=0, device_tracer_level=1
        )
        tf.profiler.experimental.start(str(logdir), options)

    def stop(self) -> None:
        import tensorflow as tf

        tf.profiler.experimental.stop()

    def step(self, number: int) -> AbstractContextManager[Any]:
        import tensorflow as tf

        # _r=1 makes it a root event: without it xprof sees no step on a CPU.
        marked: AbstractContextManager[Any] = tf.profiler.experimental.Trace(
            STEP_MARKER, step_num=number, _r=1
        )
        return marked


class JaxProfiler:
    """The same for Keras on JAX; its trace lies in the same place, in the same format."""

    def start(self, logdir: Path) -> None:
        import jax

        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0
        options.host_tracer_level = 2
        jax.profiler.start_trace(str(logdir), profiler_options=options)

    def stop(self) -> None:
        import jax

        jax.profiler.stop_trace()

    def step(self, number: int) -> AbstractContextManager[Any]:
        import jax

        marked: AbstractContextManager[Any] = jax.profiler.StepTraceAnnotation(
            STEP_MARKER, step_num=number
        )
        return marked


PROFILERS: dict[str, Callable[[], Profiler]] = {
    "tensorflow": TensorFlowProfiler,
    "jax": JaxProfiler,
}


class ProfilerWindow(keras.callbacks.Callback):
    """Profiles the steps of `window` into `logdir`; `capture` says what came of it.

    Stands behind the meter among the callbacks. Starting and writing take long, so the profiler
    starts at the end of the step before the window and stops in the step behind it: the meter's
    account of the profiled steps has neither.
    """

    def __init__(
        self,
        window: ProfileWindow,
        logdir: Path,
        profiler: Profiler | None = None,
        real_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__()
        self._window = window
        self._logdir = logdir
        self._profiler = profiler or PROFILERS[keras.backend.backend()]()
        self._real_ns = real_ns
        self._epoch = -1
        self._running = False
        self._open_step = ExitStack()
        self._begin_real_ns = 0
        self._end_real_ns = 0
        self._failure: ProfileFailure | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """The window counts steps within one epoch."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Open a marked step; behind the window, stop the profiler."""
        if self._running and batch in self._window.numbers:
            self._open_step.enter_context(self._profiler.step(batch))
        elif self._running:
            self._stop()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Close a marked step; before the window, start the profiler."""
        self._open_step.close()
        if self._epoch == self._window.epoch and batch == self._window.first_step - 1:
            self._start()

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """A training that ends inside the window leaves no profiler running."""
        self._open_step.close()
        if self._running:
            self._stop()

    def capture(self) -> Capture:
        """What was captured; call it after `fit`."""
        traces = sorted(self._logdir.glob(TRACE_PATTERN))
        failure = self._failure or _missing(self._begin_real_ns, traces, self._logdir)
        return Capture(
            schema_version=SCHEMA_VERSION,
            trace=str(traces[-1]) if traces and failure is None else None,
            begin_real_ns=self._begin_real_ns,
            end_real_ns=self._end_real_ns,
            failure=failure,
        )

    def _start(self) -> None:
        self._begin_real_ns = self._real_ns()
        try:
            self._profiler.start(self._logdir)
        except Exception as error:  # noqa: BLE001  (a backend's own kinds; told in the capture)
            self._failure = _not_started(error)
        else:
            self._running = True

    def _stop(self) -> None:
        self._running = False
        try:
            self._profiler.stop()
        except Exception as error:  # noqa: BLE001
            self._failure = _not_written(self._logdir, str(error))
        self._end_real_ns = self._real_ns()


def _not_started(error: Exception) -> ProfileFailure:
    text = " ".join(str(error).split())
    if "another profiler" in text.lower() or "already" in text.lower():
        return ProfileFailure(
            ProfileFailureKind.BUSY,
            "The profiler could not start, because another one is running in this process "
            f"({text}). Stop that one: a profiling callback or a profiler server.",
        )
    return ProfileFailure(
        ProfileFailureKind.NOT_WRITTEN, f"The profiler could not start: {text or repr(error)}."
    )


def _not_written(logdir: Path, why: str) -> ProfileFailure:
    text = " ".join(why.split()) or "it gave no reason"
    return ProfileFailure(
        ProfileFailureKind.NOT_WRITTEN,
        f"The profiler could not write its trace below {logdir}: {text}. Free some space there "
        "(a trace takes a few megabytes) and profile again.",
    )


def _missing(begin_real_ns: int, traces: list[Path], logdir: Path) -> ProfileFailure | None:
    if not begin_real_ns:
        return ProfileFailure(
            ProfileFailureKind.NO_STEP,
            "The training never came to the steps that were to be profiled: its epochs have fewer. "
            "Profile fewer steps (--profile-steps), or train on more images.",
        )
    if not traces:
        return _not_written(logdir, "it reported no error, but there is no file")
    if traces[-1].stat().st_size == 0:
        return _not_written(logdir, f"{traces[-1].name} is empty")
    return None
