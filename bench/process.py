"""A child process that prints progress: followed, logged, and ended with everything it started.

Lines that begin with `@` (`@epoch 2 3`) are progress; all else goes to the log.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.store import storing

GRACE_S = 5.0
_TICK_S = 1.0

OnProgress = Callable[[str, int, int], None]
"""Called with what is counted (`epoch`, `proof`), how many are done, and how many there are."""


@dataclass(frozen=True)
class Ended:
    """How a process ended; `status` is negative for a signal."""

    status: int
    timed_out: bool
    wall_ns: int

    @property
    def well(self) -> bool:
        return self.status == 0 and not self.timed_out


def follow(
    command: Sequence[str],
    log: Path,
    timeout_s: float,
    on_progress: OnProgress,
    *,
    environment: Callable[[int], Mapping[str, str]],
    grace_s: float = GRACE_S,
    renewed: bool = False,
    cwd: Path | None = None,
) -> Ended:
    """Run a command in a session of its own, so that it can be killed whole, until it ends.

    Args:
        timeout_s: the time that it gets; with `renewed`, from each line of progress to the next.
        environment: the child's, from the parent's `perf_counter_ns()` at its start.
        grace_s: time between asking a process to end and killing it.

    Raises:
        StoreError: the log cannot be written.
    """
    with Output(log, on_progress) as output:
        began = time.perf_counter_ns()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(began),
            cwd=cwd,
            start_new_session=True,
        )
        timed_out = False
        try:
            _drain(process, output, timeout_s, renewed=renewed)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            wall_ns = time.perf_counter_ns() - began
            end_group(process, grace_s)
        return Ended(process.returncode, timed_out, wall_ns)


class Output:
    """Parts what a worker prints into progress lines and the log. A context manager."""

    def __init__(self, log: Path, on_progress: OnProgress) -> None:
        self._path = log
        with storing(log):
            self._log = log.open("wb", buffering=0)
        self._on_progress = on_progress
        self._rest = b""
        self.progressed_s = 0.0  # of `perf_counter`, when progress was last told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    def feed(self, data: bytes) -> None:
        """Take what was printed next; lines may come in pieces."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line + b"\n")

    def finish(self) -> None:
        """Nothing more is printed: what is left is a line too."""
        self._line(self._rest)
        self._rest = b""

    def _line(self, line: bytes) -> None:
        found = re.fullmatch(rb"@(\w+) (\d+) (\d+)\s*", line)
        if found:
            self.progressed_s = time.perf_counter()
            self._on_progress(found[1].decode(), int(found[2]), int(found[3]))
        else:
            with storing(self._path):
                self._log.write(line)


def _drain(
    process: subprocess.Popen[bytes], output: Output, timeout_s: float, *, renewed: bool
) -> None:
    """Read until the process has ended; `TimeoutExpired` when its time is over."""
    output.progressed_s = time.perf_counter()
    began_s = output.progressed_s

    def left_s() -> float:
        since_s = output.progressed_s if renewed else began_s
        return since_s + timeout_s - time.perf_counter()

    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        try:
            while (left := left_s()) > 0:
                if selector.select(min(left, _TICK_S)):
                    data = os.read(descriptor, 1 << 16)
                    if not data:
                        break
                    output.feed(data)
                elif process.poll() is not None:  # a grandchild still holds the pipe
                    break
        finally:
            output.finish()
    process.wait(timeout=max(0.0, left_s()))


def end_group(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """End the worker and everything it started: ask first, then kill."""
    try:
        if process.poll() is None:
            _signal_group(process, signal.SIGTERM)
            process.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        pass  # killed below
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return  # everything has ended already
