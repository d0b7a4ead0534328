from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from bench.profile_schema import Capture, ProfileFailureKind, ProfileWindow
from bench.profiling import ProfilerWindow

WINDOW = ProfileWindow(epoch=1, first_step=2, steps=3)


class FakeProfiler:
    """Remembers what it was told, with the step that was under way."""

    def __init__(self, *, start: Exception | None = None, stop: Exception | None = None) -> None:
        self.calls: list[str] = []
        self._start = start
        self._stop = stop
        self._logdir = Path()
        self.writes: bytes | None = b"trace"

    def start(self, logdir: Path) -> None:
        self.calls.append("start")
        self._logdir = logdir
        if self._start:
            raise self._start

    def stop(self) -> None:
        self.calls.append("stop")
        if self._stop:
            raise self._stop
        if self.writes is not None:
            folder = self._logdir / "plugins" / "profile" / "2026"
            folder.mkdir(parents=True)
            (folder / "host.xplane.pb").write_bytes(self.writes)

    @contextmanager
    def _marked(self, number: int) -> Iterator[None]:
        self.calls.append(f"begin {number}")
        yield
        self.calls.append(f"end {number}")

    def step(self, number: int) -> AbstractContextManager[None]:
        return self._marked(number)


def train(profiler: FakeProfiler, logdir: Path, *, epochs: int = 3, steps: int = 8) -> Capture:
    """Drive the callback as `fit` does, with a clock that counts its readings."""
    ticks = iter(range(100, 200))
    callback = ProfilerWindow(WINDOW, logdir, profiler, real_ns=lambda: next(ticks))
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch)
        for batch in range(steps):
            callback.on_train_batch_begin(batch)
            profiler.calls.append(f"step {epoch}.{batch}")
            callback.on_train_batch_end(batch)
        callback.on_epoch_end(epoch)
    callback.on_train_end()
    return callback.capture()


def test_only_the_steps_of_the_window_are_marked_and_the_profiler_runs_around_them(
    tmp_path: Path,
) -> None:
    profiler = FakeProfiler()
    capture = train(profiler, tmp_path)
    first = profiler.calls.index("start")
    assert profiler.calls[first - 1] == "step 1.1"
    assert profiler.calls[first : profiler.calls.index("stop") + 1] == [
        "start",
        *("begin 2", "step 1.2", "end 2"),
        *("begin 3", "step 1.3", "end 3"),
        *("begin 4", "step 1.4", "end 4"),
        "stop",
    ]
    assert profiler.calls.count("start") == 1
    assert capture.failure is None
    assert capture.trace == str(tmp_path / "plugins" / "profile" / "2026" / "host.xplane.pb")
    assert (capture.begin_real_ns, capture.end_real_ns) == (100, 101)


def test_a_training_that_ends_inside_the_window_stops_the_profiler(tmp_path: Path) -> None:
    profiler = FakeProfiler()
    capture = train(profiler, tmp_path, epochs=2, steps=4)
    assert profiler.calls[-1] == "stop"
    assert capture.failure is None


def test_epochs_that_are_too_short_are_no_silence(tmp_path: Path) -> None:
    profiler = FakeProfiler()
    capture = train(profiler, tmp_path, steps=1)
    assert "start" not in profiler.calls
    assert capture.trace is None
    assert capture.failure is not None
    assert capture.failure.kind is ProfileFailureKind.NO_STEP
    assert "Profile fewer steps (--profile-steps)" in capture.failure.message


@pytest.mark.parametrize(
    ("profiler", "kind", "message"),
    [
        (
            FakeProfiler(start=RuntimeError("Another profiler is running.")),
            ProfileFailureKind.BUSY,
            "another one is running in this process (Another profiler is running.). Stop that one",
        ),
        (
            FakeProfiler(start=RuntimeError("no such device")),
            ProfileFailureKind.NOT_WRITTEN,
            "The profiler could not start: no such device.",
        ),
        (
            FakeProfiler(stop=OSError(28, "No space left on device")),
            ProfileFailureKind.NOT_WRITTEN,
            "No space left on device. Free some space there",
        ),
    ],
    ids=["busy", "cannot start", "disk full"],
)
def test_a_profiler_that_fails_does_not_end_the_training(
    tmp_path: Path, profiler: FakeProfiler, kind: ProfileFailureKind, message: str
) -> None:
    capture = train(profiler, tmp_path)
    assert "step 2.7" in profiler.calls
    assert capture.trace is None
    assert capture.failure is not None
    assert capture.failure.kind is kind
    assert message in capture.failure.message


@pytest.mark.parametrize(
    ("writes", "message"),
    [(None, "there is no file"), (b"", "host.xplane.pb is empty")],
)
def test_a_profiler_that_writes_nothing_is_found_out(
    tmp_path: Path, writes: bytes | None, message: str
) -> None:
    profiler = FakeProfiler()
    profiler.writes = writes
    capture = train(profiler, tmp_path)
    assert capture.trace is None
    assert capture.failure is not None
    assert capture.failure.kind is ProfileFailureKind.NOT_WRITTEN
    assert message in capture.failure.message


def fit(logdir: Path) -> Capture:
    """A real training of a tiny model with the real profiler."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    dataset = tf.data.Dataset.from_tensors((np.ones((2, 4)), np.ones((2, 1)))).repeat(8)
    callback = ProfilerWindow(WINDOW, logdir)
    model.fit(dataset, epochs=2, verbose=0, callbacks=[callback])
    return callback.capture()


def test_the_real_profiler_writes_where_tensorboard_looks(tmp_path: Path) -> None:
    capture = fit(tmp_path)
    assert capture.failure is None
    assert capture.trace is not None
    trace = Path(capture.trace)
    assert trace.parts[-4:-2] == ("plugins", "profile")
    assert trace.stat().st_size > 1000
    assert 0 < capture.end_real_ns - capture.begin_real_ns < 60e9


def test_another_real_profiler_is_told(tmp_path: Path) -> None:
    tf.profiler.experimental.start(str(tmp_path / "other"))
    try:
        capture = fit(tmp_path / "ours")
    finally:
        tf.profiler.experimental.stop(save=False)
    assert capture.failure is not None
    assert capture.failure.kind is ProfileFailureKind.BUSY


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write that goes too far fails, as on a full disk
from tests.bench.test_profiling import fit
resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))
capture = fit(Path(sys.argv[1]))
print(capture.failure.kind, "|", capture.failure.message)
"""


def test_a_trace_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.startswith("not written | "), done.stderr[-500:]
    assert "Free some space there" in done.stdout
