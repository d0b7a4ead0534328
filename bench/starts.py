"""Starting points of a run: weights that a continuing phase begins with, trained once, kept whole.

Every trial of `finetune` begins with the same trained head, whichever pipeline it then times: so
accuracies compare pipelines, and no trial pays for another phase.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import plan
from bench.executor import Executor
from bench.progress import Progress
from bench.requests import StartRequest
from bench.schema import SCHEMA_VERSION, Failure, FailureKind, RunConfig, StartRecord, StartSpec
from bench.store import Store, read


@dataclass(frozen=True)
class Starts:
    """The starting points that a run has, and why it lacks others; both by the phase's name."""

    weights: Mapping[str, Path] = field(default_factory=dict)
    missing: Mapping[str, Failure] = field(default_factory=dict)

    def of(self, phase: str) -> str:
        """The weights that a phase begins with; empty where it begins anew."""
        path = self.weights.get(plan.start_name(phase))
        return str(path.resolve()) if path else ""

    def lacking(self, phase: str) -> Failure | None:
        """Why a phase cannot begin; None if it can."""
        failure = self.missing.get(plan.start_name(phase))
        if failure is None:
            return None
        why = f"not trained, because its starting point could not be: {failure.message}"
        return Failure(failure.kind, why, failure.log_tail)


def make(
    store: Store, config: RunConfig, executor: Executor, progress: Progress, files: str
) -> Starts:
    """Train the starting points that the run still lacks, and say where all of them lie."""
    weights: dict[str, Path] = {}
    missing: dict[str, Failure] = {}
    known = {record.spec: record for record in read(store.folder).starts}
    for spec in plan.starts(config):
        path = store.starting_point(plan.as_file_name(spec.phase))
        failure = None
        if not _is_whole(path, known.get(spec)):
            progress.note(f"Training {spec.phase} for {spec.epochs} epochs, to continue from")
            failure = _train(spec, path, store, executor, progress, files)
        if failure is None:
            weights[spec.phase] = path
        else:
            missing[spec.phase] = failure
    return Starts(weights, missing)


def _train(
    spec: StartSpec,
    path: Path,
    store: Store,
    executor: Executor,
    progress: Progress,
    files: str,
) -> Failure | None:
    out = path.with_name(path.name.removesuffix(".weights.h5") + ".json")
    request = StartRequest(
        schema_version=SCHEMA_VERSION,
        spec=spec,
        files=files,
        work=str(store.work.resolve()),
        weights=str(path.resolve()),
        out=str(out.resolve()),
    )
    failure = executor.start(request, progress.step)
    if failure is None and not (out.is_file() and path.is_file()):
        return Failure(FailureKind.CRASH, "the worker left no weights", "")
    return failure


def _is_whole(path: Path, record: StartRecord | None) -> bool:
    if record is None or not path.is_file():
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == record.weights_sha256
