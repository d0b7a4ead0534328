"""Stand-ins for processes, clocks and the terminal, so that tests neither start nor wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from PIL import Image

from bench.codec import encode
from bench.executor import failed_record
from bench.process import OnProgress
from bench.reporting import Report
from bench.requests import ProofRequest, TrialRequest
from bench.schema import (
    SCHEMA_VERSION,
    ClaimSpec,
    Environment,
    Failure,
    FailureKind,
    RunConfig,
    TrialRecord,
    TrialSpec,
    VariantProof,
)
from bench.session import Tools
from leafmodel.pipelines.facts import ProofCheck, ProofStatus
from tests.bench.samples import environment, run_config, trial_record

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
CLASSES = ("Apple", "Corn")


class FakeExecutor:
    """Answers at once; `on_trial` may fail or interrupt any trial, by its name.

    Attributes:
        seen: names of the trials that were run, in order.
        proved: variants of each call of `prove`.
    """

    def __init__(
        self,
        *,
        on_trial: Callable[[TrialRequest], TrialRecord | None] | None = None,
        unproved: Sequence[str] = (),
        refuted: Sequence[str] = (),
        proof_failure: Failure | None = None,
    ) -> None:
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

    def run(self, request: TrialRequest, on_progress: OnProgress) -> TrialRecord:
        self.seen.append(request.spec.name)
        on_progress("epoch", 1, request.spec.epochs)
        answer = self._on_trial(request) if self._on_trial else None
        return answer or trial_record(request.spec, [2.0] * request.spec.epochs)


def crash(request: TrialRequest) -> TrialRecord:
    """The record of a trial that crashed."""
    return failed_record(request.spec, Failure(FailureKind.CRASH, "crashed: SIGSEGV", "..."), "", 1)


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
        environment=lambda: machine or environment(),
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
