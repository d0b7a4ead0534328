"""A training from its first check to its report: each phase in a process of its own.

A phase that continues another is trained after it, and both are there once, however many phases
share the beginning. Whatever ends a training, `resume` goes on behind the last complete epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from bench import audit, images
from bench.environment import leafbench_version
from bench.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TRIALS_FAILED, PlanChangedError
from bench.images import Images
from bench.process import OnProgress
from bench.progress import Progress
from bench.schema import SCHEMA_VERSION, Environment, Failure, FailureKind
from bench.store import AUDIT
from bench.training import plan
from bench.training.plan import training_phases
from bench.training.records import FailureRecord, TrainConfig, TrainingRecord
from bench.training.requests import Request
from bench.training.store import MODEL, TrainingStore, is_finished, read
from leafmodel.training.checkpoints import read_history
from leafmodel.training.history import EpochResult, best_epoch

_DATA_KEYS = ("fingerprint", "train_images", "validation_images", "test_images", "class_names")


class Worker(Protocol):
    """What carries out a request: see `bench.training.process.ModelProcess`."""

    def run(self, request: Request, path: Path, on_progress: OnProgress) -> Failure | None:
        """Carry out a request; None if it ended well."""


@dataclass(frozen=True)
class TrainingTools:
    """What a session works with; tests bring their own.

    Attributes:
        worker: makes the worker of a training from its folder for logs.
        environment: reads the machine.
        now: the time, in UTC.
        report: renders the report of a folder and gives its results.
    """

    worker: Callable[[Path], Worker]
    progress: Progress
    environment: Callable[[], Environment]
    now: Callable[[], datetime]
    report: Callable[[Path], Any]


@dataclass(frozen=True)
class TrainingOutcome:
    """How a training ended; `results` are those of its report, None if no phase has ended."""

    folder: Path
    interrupted: bool
    failures: tuple[FailureRecord, ...]
    results: Any

    @property
    def exit_code(self) -> int:
        """The exit status of the command that trained."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_TRIALS_FAILED if self.failures else EXIT_OK


def start(
    config: TrainConfig, out: Path, command: tuple[str, ...], tools: TrainingTools
) -> TrainingOutcome:
    """Train into the folder `out`, which must not hold anything yet.

    Raises:
        BenchError, LeafmodelError: nothing was trained, and the folder is gone again.
    """
    store = TrainingStore.create(out)
    try:
        loaded = images.load(config.as_run(), store.work, _image_steps(tools))
        head = TrainingRecord(
            schema_version=SCHEMA_VERSION,
            run_id=out.resolve().name,
            created_at=tools.now().isoformat(timespec="seconds"),
            leafbench_version=leafbench_version(),
            command=command,
            config=config,
            data=loaded.summary,
            environment=tools.environment(),
            plan=training_phases(config.phases),
        )
        store.write_head(head, loaded.split)
    except BaseException:
        store.discard()
        raise
    with closing(store):
        return _Session(store, head, loaded, tools).carry_out()


def resume(folder: Path, phases: Sequence[str], tools: TrainingTools) -> TrainingOutcome:
    """Go on with a training, and train further phases beside those that it has.

    Raises:
        PlanChangedError: images or versions are not those that the training began with.
        StoreError: no training is there, or another process works on it.
    """
    with closing(TrainingStore.reopen(folder)) as store:
        head = read(store.folder).head
        loaded = images.load(head.config.as_run(), store.work, _image_steps(tools))
        _require_unchanged(head, loaded, tools.environment())
        if set(phases) - set(head.config.phases):
            wanted = tuple(dict.fromkeys((*head.config.phases, *phases)))
            config = replace(head.config, phases=wanted)
            head = replace(head, config=config, plan=training_phases(wanted))
            store.write_head(head, loaded.split)
        return _Session(store, head, loaded, tools).carry_out()


class _Session:
    """What the trainings of all phases share."""

    def __init__(
        self, store: TrainingStore, head: TrainingRecord, loaded: Images, tools: TrainingTools
    ) -> None:
        self._store = store
        self._head = head
        self._loaded = loaded
        self._tools = tools
        self._files = str(store.write_scratch("files.json", loaded.files).resolve())

    def carry_out(self) -> TrainingOutcome:
        """Train what is missing, then report; an interrupt ends the training, never the report."""
        interrupted = False
        try:
            self._train_all()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self._tools.progress.close()
        folder = self._store.folder
        finished = [name for name in self._head.plan if is_finished(folder, name)]
        results = self._tools.report(folder) if finished else None
        return TrainingOutcome(folder, interrupted, read(folder).failures, results)

    def _train_all(self) -> None:
        folder, tools = self._store.folder, self._tools
        for note in self._loaded.notes:
            tools.progress.note(note)
        if self._head.config.audit_data and not (folder / AUDIT).exists():
            self._store.write_audit(audit.look(self._loaded, _image_steps(tools)))
        for name in self._head.plan:
            if is_finished(folder, name):
                tools.progress.note(f"{name} is trained already")
                continue
            self._store.begin(name)
            failure = self._lacking(name) or self._train(name)
            if failure is not None:
                tools.progress.note(f"{name} failed ({failure.kind})")
                self._store.write_failure(FailureRecord(SCHEMA_VERSION, name, failure))

    def _lacking(self, name: str) -> Failure | None:
        """Why a phase cannot begin; None if it can."""
        start = plan.start_name(name)
        if not start or is_finished(self._store.folder, start):
            return None
        why = f"not trained, because it continues {start}, which has no model"
        return Failure(FailureKind.ERROR, why, "")

    def _train(self, name: str) -> Failure | None:
        store, config = self._store, self._head.config
        start = plan.start_name(name)
        request = plan.request(
            config,
            name,
            self._loaded.summary,
            self._head.environment.versions,
            plan.Places(
                files=self._files,
                work=str(store.work.resolve()),
                folder=str(store.phase(name).resolve()),
                tensorboard=str(store.tensorboard(name).resolve()),
                start=str((store.phase(start) / MODEL).resolve()) if start else "",
            ),
        )
        self._tools.progress.note(f"Training {name}, {config.epochs} epochs at the most")
        telling = _Telling(name, store.phase(name) / "checkpoints", config, self._tools.progress)
        path = store.work / f"{store.phase(name).name}.train.json"
        failure = self._tools.worker(store.logs).run(request, path, telling)
        if failure is None and not is_finished(store.folder, name):
            return Failure(FailureKind.CRASH, "its process ended without a model", "")
        return failure and _with_remedy(failure, config, store.folder)


class _Telling:
    """Makes notes and steps of a worker's progress lines."""

    def __init__(
        self, phase: str, checkpoints: Path, config: TrainConfig, progress: Progress
    ) -> None:
        self._phase = phase
        self._checkpoints = checkpoints
        self._epochs = config.epochs
        self._progress = progress
        self._epoch = len(read_history(checkpoints))

    def __call__(self, what: str, done: int, total: int) -> None:
        if what == "epoch":
            self._epoch = done
            history = read_history(self._checkpoints)
            if history:
                self._progress.note(f"  {self._phase}, {epoch_text(history, total)}")
        else:
            epoch = min(self._epoch + 1, self._epochs)
            where = f"{self._phase}, epoch {epoch} of {self._epochs}, {what}"
            self._progress.step(where, done, total)


def epoch_text(history: Sequence[EpochResult], epochs: int) -> str:
    """One line for the epoch that has just ended."""
    last = history[-1]
    if last.val_loss is None or last.val_accuracy is None:
        return f"epoch {last.epoch} of {epochs}: the validation loss is not a number"
    best = ", the best so far" if best_epoch(history) == last.epoch else ""
    return (
        f"epoch {last.epoch} of {epochs}: validation accuracy {last.val_accuracy:.1%}, loss "
        f"{last.val_loss:.3f}{best} ({last.wall_s:.1f} s)"
    )


def _with_remedy(failure: Failure, config: TrainConfig, folder: Path) -> Failure:
    """The failure with what to do about it; a mistake says that itself."""
    again = f"train again with: leafbench train --resume {folder}"
    smaller = f"begin a new training with a lower --batch-size (here {config.batch_size})"
    remedies = {
        FailureKind.MEMORY: f"Close other programs and {again}; or {smaller} or --image-size.",
        FailureKind.CRASH: (
            f"Look at what it printed in {folder / 'logs'}, and {again}. If it crashes again, too "
            f"little memory may be why: {smaller}."
        ),
        FailureKind.TIMEOUT: f"Look at what it printed in {folder / 'logs'}, and {again}.",
    }
    if failure.kind not in remedies:
        return failure
    return replace(failure, message=f"{failure.message}. {remedies[failure.kind]}")


def _require_unchanged(head: TrainingRecord, loaded: Images, machine: Environment) -> None:
    """Another machine may go on; other images or versions would make another model."""
    old, new = head.data, loaded.summary
    changes = [
        f"images in {old.root}, {key}: {getattr(old, key)} -> {getattr(new, key)}"
        for key in _DATA_KEYS
        if getattr(old, key) != getattr(new, key)
    ]
    before, now = (
        {key: versions.get(key, "none") for key in plan.VERSIONED}
        for versions in (head.environment.versions, machine.versions)
    )
    changes += [f"{key}: {before[key]} -> {now[key]}" for key in before if before[key] != now[key]]
    if changes:
        listed = "\n".join(f"  {change}" for change in changes)
        raise PlanChangedError(
            f"The training {head.run_id} cannot go on, because it would not be the same one. "
            f"Changed since it began:\n{listed}\nUndo that, or begin a new training."
        )


def _image_steps(tools: TrainingTools) -> Callable[[int, int], None]:
    return lambda done, total: tools.progress.step("images checked", done, total)
