"""The folder of a training: see `bench.training.records` for what is in it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.audit import AuditRecord
from bench.codec import decode, encode
from bench.errors import RecordError, StoreError
from bench.hold import hold
from bench.plan import as_file_name
from bench.requests import WorkerFiles
from bench.store import AUDIT, storing, write_whole
from bench.training.records import EvaluationRecord, FailureRecord, TrainingRecord
from leafmodel.model_card import Card
from leafmodel.training.history import EpochResult, from_csv

HEAD = "training.json"
MODEL = "model.keras"
FAILURE = "failure.json"

T = TypeVar("T")


@dataclass(frozen=True)
class StoredPhase:
    """A phase that has ended."""

    card: Card
    history: tuple[EpochResult, ...]
    evaluation: EvaluationRecord


@dataclass(frozen=True)
class StoredTraining:
    """All that a folder holds; the phases in the order of the plan."""

    head: TrainingRecord
    phases: tuple[StoredPhase, ...]
    failures: tuple[FailureRecord, ...]
    audit: AuditRecord | None


class TrainingStore:
    """A training's folder that this process holds; begun by `create` or `reopen`, then `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.logs = folder / "logs"
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = hold(folder)

    @classmethod
    def create(cls, folder: Path) -> TrainingStore:
        """Make the folder of a new training and hold it.

        Raises:
            StoreError: there is something in it already, or it cannot be made.
        """
        store = cls(folder)
        if any(folder.iterdir()):
            os.close(store._lock)
            raise _taken(folder)
        store._make_folders()
        return store

    @classmethod
    def reopen(cls, folder: Path) -> TrainingStore:
        """Hold the folder of a training that was begun.

        Raises:
            StoreError: no training is there, or another process works on it.
        """
        _require_training(folder)
        store = cls(folder.resolve())
        store._make_folders()
        return store

    def phase(self, name: str) -> Path:
        """The folder of a phase."""
        return phase_folder(self.folder, name)

    def tensorboard(self, name: str) -> Path:
        """The folder for a phase's event files."""
        return self.folder / "tensorboard" / as_file_name(name)

    def write_head(self, head: TrainingRecord, split: WorkerFiles) -> None:
        """Write the head of the training."""
        self._write(self.folder / "split.json", encode(split))
        self._write(self.folder / HEAD, encode(head))

    def write_audit(self, audit: AuditRecord) -> None:
        """Put what the images gave away on disk."""
        self._write(self.folder / AUDIT, encode(audit))

    def write_failure(self, record: FailureRecord) -> None:
        """Say in a phase's folder why it has no model."""
        with storing(self.phase(record.phase)):
            self.phase(record.phase).mkdir(exist_ok=True)
        self._write(self.phase(record.phase) / FAILURE, encode(record))

    def begin(self, name: str) -> None:
        """Make the folder of a phase; an earlier failure is forgotten."""
        with storing(self.phase(name)):
            self.phase(name).mkdir(exist_ok=True)
            (self.phase(name) / FAILURE).unlink(missing_ok=True)

    def write_scratch(self, name: str, record: object) -> Path:
        """Write a file into `work`, for a worker to read."""
        self._write(self.work / name, encode(record))
        return self.work / name

    def discard(self) -> None:
        """Remove the folder of a training that never began, so that its name can be used again."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Remove scratch, and let the folder go."""
        shutil.rmtree(self.work, ignore_errors=True)
        os.close(self._lock)

    def _make_folders(self) -> None:
        with storing(self.folder):
            for name in ("logs", "work"):
                (self.folder / name).mkdir(exist_ok=True)

    def _write(self, path: Path, data: bytes) -> None:
        with storing(path):
            write_whole(path, data)


def phase_folder(folder: Path, name: str) -> Path:
    """Where a phase's model and records lie in the folder of a training."""
    return folder / as_file_name(name)


def is_finished(folder: Path, name: str) -> bool:
    """Whether a phase has ended well, and its model is still there to be continued."""
    return is_recorded(folder, name) and (phase_folder(folder, name) / MODEL).is_file()


def is_recorded(folder: Path, name: str) -> bool:
    """Whether a phase has ended well: its card is written last. A report needs no more."""
    return (phase_folder(folder, name) / "card.json").is_file()


def read(folder: Path) -> StoredTraining:
    """All that a folder holds.

    Raises:
        StoreError: there is no training.
        RecordError: a record is broken, or from a newer leafbench.
    """
    _require_training(folder)
    head = _decode(folder / HEAD, TrainingRecord)
    finished = [name for name in head.plan if is_recorded(folder, name)]
    failed = [phase_folder(folder, name) / FAILURE for name in head.plan if name not in finished]
    audit = folder / AUDIT
    return StoredTraining(
        head=head,
        phases=tuple(_phase(phase_folder(folder, name)) for name in finished),
        failures=tuple(_decode(path, FailureRecord) for path in failed if path.is_file()),
        audit=_decode(audit, AuditRecord) if audit.is_file() else None,
    )


def _phase(folder: Path) -> StoredPhase:
    card, history = folder / "card.json", folder / "history.csv"
    try:
        return StoredPhase(
            card=msgspec.json.decode(_bytes(card), type=Card),
            history=from_csv(_bytes(history).decode()),
            evaluation=_decode(folder / "evaluation.json", EvaluationRecord),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError(
            f"{folder} holds a broken record ({error}): remove the folder, and train the phase "
            "again with --resume."
        ) from error


def _decode(path: Path, kind: type[T]) -> T:
    return decode(_bytes(path), kind, str(path))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}.") from error


def _taken(folder: Path) -> StoreError:
    if (folder / HEAD).exists():
        return StoreError(
            f"{folder} holds a training already: go on with it, or train more phases beside it "
            f"(leafbench train --resume {folder} [--phase P]), or give the new one another --out."
        )
    return StoreError(f"{folder} is there already and not empty: give the training another --out.")


def _require_training(folder: Path) -> None:
    if not (folder / HEAD).is_file():
        found = f"there is no {HEAD} in it" if folder.is_dir() else "there is no such folder"
        raise StoreError(f"{folder} is not a training of leafbench: {found}.")
