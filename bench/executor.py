"""Runs a trial in a process of its own, and makes a record out of whatever becomes of it.

The worker prints progress as lines that begin with `@`; all else goes to the trial's log. A worker
that crashes, hangs, is killed or writes nonsense costs one trial: the failed record says which of
these it was, with the end of the log.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, Self

from bench.codec import decode, encode
from bench.environment import BACKEND
from bench.errors import RecordError
from bench.requests import SPAWNED_VARIABLE, ProofRequest, TrialRequest
from bench.schema import (
    SCHEMA_VERSION,
    Failure,
    FailureKind,
    TrialRecord,
    TrialStatus,
)
from bench.store import storing

# -P: a folder named `bench` where the user stands is not ours.
WORKER = (sys.executable, "-P", "-m", "bench.worker")
LOG_TAIL_LINES = 40
GRACE_S = 5.0
_TICK_S = 1.0
_OUT_OF_MEMORY = re.compile(
    r"MemoryError|ResourceExhausted|RESOURCE_EXHAUSTED|bad_alloc|Cannot allocate memory"
)
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b")

OnProgress = Callable[[str, int, int], None]
"""Called with what is counted (`epoch`, `proof`), how many are done, and how many there are."""


class Executor(Protocol):
    """What the session needs: something that proves pipelines and runs trials."""

    def prove(
        self, request: ProofRequest, timeout_s: float, on_progress: OnProgress
    ) -> Failure | None:
        """Write a proof a variant to `request.out`; a failure if the process did not end well."""

    def run(self, request: TrialRequest, on_progress: OnProgress) -> TrialRecord:
        """Run one trial; a trial that fails is a record too."""


@dataclass(frozen=True)
class _Ended:
    """How a worker's process ended; `status` is negative for a signal."""

    status: int
    timed_out: bool
    wall_ns: int

    @property
    def well(self) -> bool:
        return self.status == 0 and not self.timed_out


class ProcessExecutor:
    """Runs each request in a fresh process, in a session of its own so that it can be killed whole.

    Args:
        logs: folder for what the workers print.
        command: how a worker is started; the path of the request is added.
        grace_s: time between asking a process to end and killing it.
    """

    def __init__(
        self, logs: Path, *, command: Sequence[str] = WORKER, grace_s: float = GRACE_S
    ) -> None:
        self._logs = logs
        self._command = tuple(command)
        self._grace_s = grace_s

    def prove(
        self, request: ProofRequest, timeout_s: float, on_progress: OnProgress
    ) -> Failure | None:
        path = Path(request.work) / "all.proof.json"
        log = self._logs / "proof.log"
        ended = self._execute(request, path, log, timeout_s, on_progress)
        return None if ended.well else _failure(ended, log, timeout_s)

    def run(self, request: TrialRequest, on_progress: OnProgress) -> TrialRecord:
        spec = request.spec
        path = Path(request.work) / f"{spec.name}.trial.json"
        log = self._logs / f"{spec.name}.log"
        Path(request.out).unlink(missing_ok=True)
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        ended = self._execute(request, path, log, spec.timeout_s, on_progress)
        failure = None if ended.well else _failure(ended, log, spec.timeout_s)
        if failure is None:
            try:
                return replace(_read_record(request), wall_ns=ended.wall_ns)
            except RecordError as error:
                failure = Failure(FailureKind.CRASH, str(error), _tail(log))
        return failed_record(request, failure, started_at, ended.wall_ns)

    def _execute(
        self, request: object, path: Path, log: Path, timeout_s: float, on_progress: OnProgress
    ) -> _Ended:
        with storing(path):
            path.write_bytes(encode(request))
        with _Output(log, on_progress) as output:
            return self._follow([*self._command, str(path)], output, timeout_s)

    def _follow(self, command: list[str], output: _Output, timeout_s: float) -> _Ended:
        began = time.perf_counter_ns()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(began),
            start_new_session=True,
        )
        timed_out = False
        try:
            _drain(process, output, began / 1e9 + timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            wall_ns = time.perf_counter_ns() - began
            _end_group(process, self._grace_s)
        return _Ended(process.returncode, timed_out, wall_ns)


def failed_record(
    request: TrialRequest, failure: Failure, started_at: str, wall_ns: int
) -> TrialRecord:
    """The record of a trial that has no measurement."""
    return TrialRecord(
        schema_version=SCHEMA_VERSION,
        spec=request.spec,
        status=TrialStatus.FAILED,
        failure=failure,
        started_at=started_at,
        wall_ns=wall_ns,
    )


class _Output:
    """Parts what a worker prints into progress lines and the log."""

    def __init__(self, log: Path, on_progress: OnProgress) -> None:
        self._path = log
        with storing(log):
            self._log = log.open("wb", buffering=0)
        self._on_progress = on_progress
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line + b"\n")

    def finish(self) -> None:
        self._line(self._rest)
        self._rest = b""

    def _line(self, line: bytes) -> None:
        found = re.fullmatch(rb"@(\w+) (\d+) (\d+)\s*", line)
        if found:
            self._on_progress(found[1].decode(), int(found[2]), int(found[3]))
        else:
            with storing(self._path):
                self._log.write(line)


def _drain(process: subprocess.Popen[bytes], output: _Output, deadline_s: float) -> None:
    """Read until the process has ended; `TimeoutExpired` at the deadline (of `perf_counter`)."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        try:
            while (left := deadline_s - time.perf_counter()) > 0:
                if selector.select(min(left, _TICK_S)):
                    data = os.read(descriptor, 1 << 16)
                    if not data:
                        break
                    output.feed(data)
                elif process.poll() is not None:  # a grandchild still holds the pipe
                    break
        finally:
            output.finish()
    process.wait(timeout=max(0.0, deadline_s - time.perf_counter()))


def _end_group(process: subprocess.Popen[bytes], grace_s: float) -> None:
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


def _environment(began_ns: int) -> dict[str, str]:
    return os.environ | {
        "KERAS_BACKEND": BACKEND,  # whatever the user's Keras is set to
        SPAWNED_VARIABLE: str(began_ns),
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def _read_record(request: TrialRequest) -> TrialRecord:
    out = Path(request.out)
    try:
        data = out.read_bytes()
    except OSError as error:
        raise RecordError("The worker ended without an error and without a record.") from error
    record = decode(data, TrialRecord, f"the worker's record {out.name}")
    if record.spec != request.spec:
        raise RecordError(f"The worker wrote the record of another trial, {record.spec.name!r}.")
    return record


def _failure(ended: _Ended, log: Path, timeout_s: float) -> Failure:
    tail = _tail(log)
    if ended.timed_out:
        message = (
            f"killed after its timeout of {timeout_s:g} s: raise trial_timeout_s in the suite, or "
            "look in the log for what it waited for"
        )
        return Failure(FailureKind.TIMEOUT, message, tail)
    if ended.status == -signal.SIGKILL:
        message = "killed by the system, most likely for lack of memory"
        return Failure(FailureKind.MEMORY, message, tail)
    if ended.status < 0:
        return Failure(FailureKind.CRASH, f"crashed: {_signal_name(-ended.status)}", tail)
    message = _last_words(tail) or f"ended with status {ended.status} and said nothing"
    kind = FailureKind.MEMORY if _OUT_OF_MEMORY.search(tail) else FailureKind.ERROR
    return Failure(kind, message, tail)


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} ({signal.strsignal(number)})"
    except ValueError:
        return f"signal {number}"


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])


def _last_words(tail: str) -> str:
    """The exception's own line, or else the last one printed."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    named = [line for line in lines if _EXCEPTION.match(line)]
    return (named or lines or [""])[-1]
