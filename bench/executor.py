"""Runs a trial in a process of its own, and makes a record out of whatever becomes of it.

The worker prints progress as lines that begin with `@`; all else goes to the trial's log. A worker
that crashes, hangs, is killed or writes nonsense costs one trial: the failed record says which of
these it was, with the end of the log.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from bench.backends import Backend
from bench.codec import decode, encode
from bench.errors import RecordError
from bench.postmortem import failure, last_words, signal_name, tail, worker_environment
from bench.process import GRACE_S, Ended, OnProgress, follow
from bench.profile_schema import (
    Capture,
    ProfileFailure,
    ProfileFailureKind,
    ReadingOutcome,
)
from bench.requests import (
    ProfileRequest,
    ProofRequest,
    ReadingRequest,
    StartRequest,
    TrialRequest,
)
from bench.schema import (
    SCHEMA_VERSION,
    Failure,
    FailureKind,
    TrialRecord,
    TrialSpec,
    TrialStatus,
)
from bench.store import storing

# -P: a folder named `bench` where the user stands is not ours.
WORKER = (sys.executable, "-P", "-m", "bench.worker")
# Reads a trace: another process, because a broken trace can take its reader down.
READER = (sys.executable, "-P", "-m", "bench.profile_reader")
# Reading eight steps takes a second or two; forty on a slow machine may take ten times that.
READING_TIMEOUT_S = 120.0

T = TypeVar("T")


@dataclass(frozen=True)
class Captured:
    """A profiled trial, and what the profiler left of it; no capture if the trial failed."""

    trial: TrialRecord
    capture: Capture | None


class Executor(Protocol):
    """What the session needs: something that proves pipelines, runs trials and profiles them."""

    def prove(
        self, request: ProofRequest, timeout_s: float, on_progress: OnProgress
    ) -> Failure | None:
        """Write a proof a variant to `request.out`; a failure if the process did not end well."""

    def start(self, request: StartRequest, on_progress: OnProgress) -> Failure | None:
        """Train a starting point: its weights and its record are there, or a failure says why."""

    def run(self, request: TrialRequest, on_progress: OnProgress) -> TrialRecord:
        """Run one trial; a trial that fails is a record too."""

    def profile(self, request: ProfileRequest, on_progress: OnProgress) -> Captured:
        """Run one trial with the profiler on in its window."""

    def read_trace(self, request: ReadingRequest) -> ReadingOutcome:
        """Read a trace; one that cannot be read is an outcome too."""


class ProcessExecutor:
    """Runs each request in a fresh process, in a session of its own so that it can be killed whole.

    Args:
        logs: folder for what the workers print.
        command: how a worker is started; the path of the request is added.
        reader: how a trace's reader is started, likewise.
        grace_s: time between asking a process to end and killing it.
    """

    def __init__(
        self,
        logs: Path,
        *,
        command: Sequence[str] = WORKER,
        reader: Sequence[str] = READER,
        grace_s: float = GRACE_S,
    ) -> None:
        self._logs = logs
        self._command = tuple(command)
        self._reader = tuple(reader)
        self._grace_s = grace_s

    def prove(
        self, request: ProofRequest, timeout_s: float, on_progress: OnProgress
    ) -> Failure | None:
        path = Path(request.work) / "all.proof.json"
        log = self._logs / "proof.log"
        ended = self._execute(
            self._command, request, path, log, timeout_s, on_progress, request.backend
        )
        return None if ended.well else failure(ended, log, _too_long(timeout_s))

    def start(self, request: StartRequest, on_progress: OnProgress) -> Failure | None:
        name = Path(request.out).stem
        path, log = Path(request.work) / f"{name}.start.json", self._logs / f"start-{name}.log"
        timeout_s, backend = request.spec.timeout_s, request.spec.backend
        ended = self._execute(self._command, request, path, log, timeout_s, on_progress, backend)
        return None if ended.well else failure(ended, log, _too_long(timeout_s))

    def run(self, request: TrialRequest, on_progress: OnProgress) -> TrialRecord:
        path = Path(request.work) / f"{request.spec.name}.trial.json"
        return self._train(request.spec, request, path, Path(request.out), on_progress)

    def profile(self, request: ProfileRequest, on_progress: OnProgress) -> Captured:
        spec = request.profile.trial
        path = Path(request.work) / f"{spec.name}.profile.json"
        Path(request.capture).unlink(missing_ok=True)
        trial = self._train(spec, request, path, Path(request.out), on_progress)
        if trial.status is TrialStatus.FAILED:
            return Captured(trial, None)
        try:
            return Captured(trial, _read(Path(request.capture), Capture))
        except RecordError as error:
            failure = ProfileFailure(ProfileFailureKind.NOT_WRITTEN, str(error))
            return Captured(trial, Capture(SCHEMA_VERSION, None, 0, 0, failure))

    def read_trace(self, request: ReadingRequest) -> ReadingOutcome:
        out = Path(request.out)
        path, log = out.with_suffix(".reading.json"), self._logs / f"{out.stem}.reading.log"
        out.unlink(missing_ok=True)
        ended = self._execute(self._reader, request, path, log, READING_TIMEOUT_S, _silent)
        if not ended.well:
            return ReadingOutcome(SCHEMA_VERSION, None, _unread(ended, request.trace, log))
        try:
            return _read(out, ReadingOutcome)
        except RecordError as error:
            failure = ProfileFailure(ProfileFailureKind.UNREADABLE, str(error))
            return ReadingOutcome(SCHEMA_VERSION, None, failure)

    def _train(
        self, spec: TrialSpec, request: object, path: Path, out: Path, on_progress: OnProgress
    ) -> TrialRecord:
        log = self._logs / f"{spec.name}.log"
        out.unlink(missing_ok=True)
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        ended = self._execute(
            self._command, request, path, log, spec.timeout_s, on_progress, spec.backend
        )
        why = None if ended.well else failure(ended, log, _too_long(spec.timeout_s))
        if why is None:
            try:
                return replace(_read_record(out, spec), wall_ns=ended.wall_ns)
            except RecordError as error:
                why = Failure(FailureKind.CRASH, str(error), tail(log))
        return failed_record(spec, why, started_at, ended.wall_ns)

    def _execute(
        self,
        command: Sequence[str],
        request: object,
        path: Path,
        log: Path,
        timeout_s: float,
        on_progress: OnProgress,
        backend: Backend = Backend.TENSORFLOW,
    ) -> Ended:
        with storing(path):
            path.write_bytes(encode(request))
        return follow(
            [*command, str(path)],
            log,
            timeout_s,
            on_progress,
            environment=partial(worker_environment, backend=backend),
            grace_s=self._grace_s,
        )


def failed_record(spec: TrialSpec, failure: Failure, started_at: str, wall_ns: int) -> TrialRecord:
    """The record of a trial that has no measurement."""
    return TrialRecord(
        schema_version=SCHEMA_VERSION,
        spec=spec,
        status=TrialStatus.FAILED,
        failure=failure,
        started_at=started_at,
        wall_ns=wall_ns,
    )


def _too_long(timeout_s: float) -> str:
    return (
        f"killed after its timeout of {timeout_s:g} s: raise trial_timeout_s in the suite, or "
        "look in the log for what it waited for"
    )


def _silent(_what: str, _done: int, _total: int) -> None:
    """A reading is over before anybody asks how far it is."""


def _unread(ended: Ended, trace: str, log: Path) -> ProfileFailure:
    if ended.timed_out:
        return ProfileFailure(
            ProfileFailureKind.TIMEOUT,
            f"Reading {trace} was given up after {READING_TIMEOUT_S:g} s: profile fewer steps "
            "(--profile-steps), or open the trace itself with leafbench trace.",
        )
    why = signal_name(-ended.status) if ended.status < 0 else last_words(tail(log))
    return ProfileFailure(
        ProfileFailureKind.UNREADABLE,
        f"{trace} could not be read: its reader ended with {why or 'no word'}. Profile again "
        "(leafbench run --resume RUN does), or open the trace itself with leafbench trace.",
    )


def _read(out: Path, kind: type[T]) -> T:
    try:
        data = out.read_bytes()
    except OSError as error:
        raise RecordError("The worker ended without an error and without a record.") from error
    return decode(data, kind, f"the worker's record {out.name}")


def _read_record(out: Path, spec: TrialSpec) -> TrialRecord:
    record = _read(out, TrialRecord)
    if record.spec != spec:
        raise RecordError(f"The worker wrote the record of another trial, {record.spec.name!r}.")
    return record
