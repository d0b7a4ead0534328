"""Stand-ins for processes, clocks and the terminal, so that tests neither start nor wait."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from PIL import Image

from bench.codec import encode
from bench.executor import Captured, failed_record
from bench.process import OnProgress
from bench.profile_schema import (
    Capture,
    ProfileFailure,
    ProfileFailureKind,
    ReadingOutcome,
)
from bench.reporting import Report
from bench.requests import (
    ProfileRequest,
    ProofRequest,
    ReadingRequest,
    StartRequest,
    TrialRequest,
)
from bench.schema import (
    SCHEMA_VERSION,
    ClaimSpec,
    Environment,
    Failure,
    FailureKind,
    RunConfig,
    StartRecord,
    TrialRecord,
    TrialSpec,
    VariantProof,
)
from bench.session import Tools
from leafmodel.pipelines.facts import ProofCheck, ProofStatus
from tests.bench import profile_samples
from tests.bench.samples import environment, run_config, trial_record

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
CLASSES = ("Apple", "Corn")
STARTED = "2026-01-02T12:00:00+00:00"


class FakeExecutor:
    """Answers at once; `on_trial` may fail or interrupt any trial, by its name.

    `profile_fails` says what goes wrong in a variant's profile: its training (`train`), its capture
    or the reading of its trace (`capture`, `read`), or the user stops it (`interrupt`).

    Attributes:
        seen: names of the trials that were run, in order.
        started: phases of the starting points that were trained.
        begun_with: phase -> the weights that its trials were given.
        proved: variants of each call of `prove`.
    """

    def __init__(
        self,
        *,
        on_trial: Callable[[TrialRequest], TrialRecord | None] | None = None,
        unproved: Sequence[str] = (),
        refuted: Sequence[str] = (),
        proof_failure: Failure | None = None,
        epoch_s: Mapping[str, float] = MappingProxyType({}),
        profile_fails: Mapping[str, str] = MappingProxyType({}),
        start_failure: Mapping[str, Failure] = MappingProxyType({}),
    ) -> None:
        self._start_failure = start_failure
        self.started: list[str] = []
        self.begun_with: dict[str, set[str]] = {}
        self._epoch_s = epoch_s
        self._profile_fails = profile_fails
        self.seen: list[str] = []
        self.proved: list[tuple[str, ...]] = []
        self._on_trial = on_trial
        self._unproved = unproved
        self._refuted = refuted
        self._proof_failure = proof_failure

    def prove(
        self, request: ProofRequest, timeout_s: float, on_progress: OnProgress
    ) -> Failure | None:
        assert timeout_s > 0
        self.proved.append(tuple(request.pipelines))
        for number, (name, pipeline) in enumerate(request.pipelines.items(), 1):
            on_progress("proof", number, len(request.pipelines))
            status = ProofStatus.FAILED if name in self._refuted else ProofStatus.OK
            check = ProofCheck("prefetch", status, "no prefetch", "a prefetch", "Set prefetch=0.")
            proof = VariantProof(SCHEMA_VERSION, name, pipeline, (), (check,), 8)
            if name in self._unproved:
                return self._proof_failure  # the process ends here
            (Path(request.out) / f"{name}.json").write_bytes(encode(proof))
        return None

    def start(self, request: StartRequest, on_progress: OnProgress) -> Failure | None:
        spec = request.spec
        on_progress("start", 1, spec.epochs)
        if spec.phase in self._start_failure:
            return self._start_failure[spec.phase]
        self.started.append(spec.phase)
        weights = f"weights of {spec.phase}".encode()
        Path(request.weights).write_bytes(weights)
        digest = hashlib.sha256(weights).hexdigest()
        Path(request.out).write_bytes(encode(StartRecord(SCHEMA_VERSION, spec, digest, 1, 0.5)))
        return None

    def run(self, request: TrialRequest, on_progress: OnProgress) -> TrialRecord:
        self.seen.append(request.spec.name)
        self.begun_with.setdefault(request.spec.phase, set()).add(request.start)
        on_progress("epoch", 1, request.spec.epochs)
        answer = self._on_trial(request) if self._on_trial else None
        epoch_s = self._epoch_s.get(request.spec.variant, 2.0)
        return answer or trial_record(request.spec, [epoch_s] * request.spec.epochs)

    def profile(self, request: ProfileRequest, on_progress: OnProgress) -> Captured:
        spec = request.profile.trial
        wrong = self._profile_fails.get(spec.variant)
        if wrong == "interrupt":
            raise KeyboardInterrupt
        self.seen.append(spec.name)
        on_progress("epoch", 1, spec.epochs)
        if wrong == "train":
            crashed = Failure(FailureKind.CRASH, "crashed: SIGSEGV", "...")
            return Captured(failed_record(spec, crashed, STARTED, 1), None)
        trial = trial_record(spec, [2.0] * spec.epochs)
        if wrong == "capture":
            busy = ProfileFailure(ProfileFailureKind.BUSY, "another one is running")
            return Captured(trial, Capture(SCHEMA_VERSION, None, 1, 2, busy))
        trace = Path(request.logdir) / "plugins" / "profile" / "now" / "host.xplane.pb"
        trace.parent.mkdir(parents=True)
        trace.write_bytes(b"trace")
        return Captured(trial, Capture(SCHEMA_VERSION, str(trace), 1, 2, None))

    def read_trace(self, request: ReadingRequest) -> ReadingOutcome:
        assert Path(request.trace).is_file()
        variant = Path(request.out).name.partition("-")[0]
        if self._profile_fails.get(variant) == "read":
            broken = ProfileFailure(ProfileFailureKind.UNREADABLE, "the trace is cut off")
            return ReadingOutcome(SCHEMA_VERSION, None, broken)
        return ReadingOutcome(SCHEMA_VERSION, profile_samples.reading(), None)


def crash(request: TrialRequest) -> TrialRecord:
    """The record of a trial that crashed."""
    return failed_record(
        request.spec, Failure(FailureKind.CRASH, "crashed: SIGSEGV", "..."), STARTED, 1
    )


@dataclass
class FakeProgress:
    """Remembers what it was told."""

    notes: list[str] = field(default_factory=list)
    steps: list[tuple[str, int, int]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    begun_with: int = -1
    closed: bool = False

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step(self, what: str, done: int, total: int) -> None:
        self.steps.append((what, done, total))

    def begin(self, plan: tuple[TrialSpec, ...], done: tuple[TrialRecord, ...]) -> None:
        assert plan
        self.begun_with = len(done)

    def trial(self, spec: TrialSpec) -> None:
        assert not self.closed, f"{spec.name} began after the end"

    def ended(self, record: TrialRecord) -> None:
        self.ends.append(record.spec.name)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeReport:
    """Counts the reports that were asked for."""

    made: list[Path] = field(default_factory=list)

    def __call__(self, folder: Path) -> Report:
        self.made.append(folder)
        return Report(folder, cast(Any, None), ())


def tools(executor: FakeExecutor, machine: Environment | None = None) -> Tools:
    """A session's tools, none of which starts a process or waits."""
    return Tools(
        executor=lambda _logs: executor,
        progress=FakeProgress(),
        environment=lambda backend: replace(machine or environment(), backend=str(backend)),
        now=lambda: NOON,
        report=FakeReport(),
    )


def leaves(root: Path, per_class: int = 12) -> Path:
    """A small folder of images, each of a colour of its own."""
    for label, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for index in range(per_class):
            image = Image.new("RGB", (8, 8), (label * 99, index * 9, 7))
            image.save(root / name / f"{index:02d}.png")
    return root


def small_config(root: Path, **changes: Any) -> RunConfig:
    """Two variants, two blocks, twenty training images."""
    config = run_config(
        data=str(root), blocks=2, epochs=2, batch_size=4, claim=ClaimSpec(2.0), seed=3
    )
    return replace(config, **changes)
