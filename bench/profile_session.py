"""The profiles of a run, made when its timed trials are over: nothing timed ever has a profiler on.

Each profile is a training of its own, then a reading of its trace in another process. Whatever goes
wrong is part of the profile's record, and the report tells it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import plan
from bench.compare import fastest
from bench.executor import Captured, Executor
from bench.process import OnProgress
from bench.profile_schema import (
    ProfileFailure,
    ProfileFailureKind,
    ProfileRecord,
    ProfileSpec,
    ReadingOutcome,
)
from bench.progress import Progress
from bench.requests import ProfileRequest, ReadingRequest
from bench.schema import SCHEMA_VERSION, RunRecord, TrialRecord, TrialStatus
from bench.starts import Starts
from bench.store import Store, read


@dataclass(frozen=True)
class Profiler:
    """What making profiles needs: a run that is held, and someone who runs trials.

    `files` is the path of the run's `WorkerFiles`.
    """

    store: Store
    run: RunRecord
    executor: Executor
    progress: Progress
    files: str
    starts: Starts = field(default_factory=Starts)

    def make_missing(self, trials: Iterable[TrialRecord]) -> None:
        """Make the run's profiles that are not there yet, of variants that could be timed."""
        good = [trial for trial in trials if trial.status is TrialStatus.OK]
        timed = {(trial.spec.variant, trial.spec.phase) for trial in good}
        chosen = [
            spec
            for spec in plan.profiles(self.run.config, fastest(good))
            if (spec.trial.variant, spec.trial.phase) in timed
        ]
        self._make(_without(chosen, read(self.store.folder).profiles))

    def _make(self, specs: Sequence[ProfileSpec]) -> None:
        for number, spec in enumerate(specs, 1):
            self.progress.note(f"Profiling {spec.trial.name} ({number} of {len(specs)})")
            self.progress.trial(spec.trial)
            self.store.write_profile(self._profile(spec, self.progress.step))

    def _profile(self, spec: ProfileSpec, on_progress: OnProgress) -> ProfileRecord:
        request = self._request(spec, self.store.empty_logdir(spec.trial.name))
        captured = self.executor.profile(request, on_progress)
        outcome = self._read(spec, captured)
        trace = captured.capture.trace if captured.capture else None
        return ProfileRecord(
            schema_version=SCHEMA_VERSION,
            spec=spec,
            trial=captured.trial,
            trace=str(Path(trace).relative_to(self.store.folder.resolve())) if trace else None,
            trace_bytes=Path(trace).stat().st_size if trace else 0,
            reading=outcome.reading,
            failure=outcome.failure,
        )

    def _request(self, spec: ProfileSpec, logdir: Path) -> ProfileRequest:
        work = self.store.work.resolve()
        return ProfileRequest(
            schema_version=SCHEMA_VERSION,
            profile=spec,
            files=self.files,
            work=str(work),
            out=str(work / f"{spec.trial.name}.profiled.json"),
            capture=str(work / f"{spec.trial.name}.capture.json"),
            logdir=str(logdir.resolve()),
            start=self.starts.of(spec.trial.phase),
        )

    def _read(self, spec: ProfileSpec, captured: Captured) -> ReadingOutcome:
        if captured.trial.failure is not None:
            why = f"The profiled training failed: {captured.trial.failure.message}"
            return _failed(ProfileFailure(ProfileFailureKind.TRIAL, why))
        capture = captured.capture
        if capture is None or capture.trace is None:
            return _failed(capture.failure if capture else None)
        request = ReadingRequest(
            schema_version=SCHEMA_VERSION,
            trace=capture.trace,
            steps=spec.window.numbers,
            begin_real_ns=capture.begin_real_ns,
            end_real_ns=capture.end_real_ns,
            devices=bool(self.run.environment.gpus),
            out=str(self.store.work.resolve() / f"{spec.trial.name}.read.json"),
        )
        return self.executor.read_trace(request)


def _without(
    specs: Sequence[ProfileSpec], done: Sequence[ProfileRecord]
) -> tuple[ProfileSpec, ...]:
    """The profiles that are still to be made; one that failed is tried again."""
    read_already = [record.spec for record in done if record.reading is not None]
    return tuple(spec for spec in specs if spec not in read_already)


def _failed(failure: ProfileFailure | None) -> ReadingOutcome:
    unknown = ProfileFailure(ProfileFailureKind.NOT_WRITTEN, "The profiler left no trace.")
    return ReadingOutcome(SCHEMA_VERSION, None, failure or unknown)
