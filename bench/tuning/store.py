"""The folder of a study: every record a file of its own, written whole or not at all.

    study.json    the head: configuration, images, environment, space
    trials/       one record a training
    report.md     what follows from them, with figures/ and best.toml
    logs/         what each training printed
    work/         scratch, removed at the end

One process at a time: the kernel's lock on the folder goes with its holder.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.codec import decode, encode
from bench.errors import RecordError, StoreError
from bench.hold import hold
from bench.schema import TrialRecord
from bench.store import storing, write_whole
from bench.tuning.schema import StudyRecord

HEAD = "study.json"


@dataclass(frozen=True)
class StoredStudy:
    """All that a study's folder holds; `broken` says which records could not be read, and why."""

    study: StudyRecord
    trials: tuple[TrialRecord, ...]
    broken: tuple[RecordError, ...]


class StudyStore:
    """A study's folder that this process holds; made by `create` or `reopen`, ended by `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.logs = folder / "logs"
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = hold(folder)

    @classmethod
    def create(cls, folder: Path) -> StudyStore:
        """Make the folder of a new study and hold it.

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
    def reopen(cls, folder: Path) -> StudyStore:
        """Hold the folder of a study that was begun.

        Raises:
            StoreError: no study is there, or another process works on it.
        """
        _require_study(folder)
        store = cls(folder.resolve())
        store._make_folders()
        return store

    def write_study(self, study: StudyRecord) -> None:
        """Write the head of the study."""
        self._write(self.folder / HEAD, encode(study))

    def write_trial(self, record: TrialRecord) -> None:
        """Put a training's record on disk; it is there whole when this returns."""
        self._write(self.folder / "trials" / f"{record.spec.name}.json", encode(record))

    def write_scratch(self, name: str, record: object) -> Path:
        """Write a file into `work`, for a worker to read."""
        self._write(self.work / name, encode(record))
        return self.work / name

    def discard(self) -> None:
        """Remove the folder of a study that never began, so that its name can be used again."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Remove scratch, and let the folder go."""
        shutil.rmtree(self.work, ignore_errors=True)
        os.close(self._lock)

    def _make_folders(self) -> None:
        with storing(self.folder):
            for name in ("trials", "logs", "work"):
                (self.folder / name).mkdir(exist_ok=True)

    def _write(self, path: Path, data: bytes) -> None:
        with storing(path):
            write_whole(path, data)


def read(folder: Path) -> StoredStudy:
    """All that can be read of a study; broken records are named and do not stop it.

    Raises:
        StoreError: there is no study, or its head cannot be read.
    """
    _require_study(folder)
    study = decode((folder / HEAD).read_bytes(), StudyRecord, str(folder / HEAD))
    whole: list[TrialRecord] = []
    broken: list[RecordError] = []
    for path in sorted((folder / "trials").glob("*.json")):
        try:
            whole.append(decode(path.read_bytes(), TrialRecord, str(path)))
        except RecordError as error:
            broken.append(error)
    return StoredStudy(study, tuple(whole), tuple(broken))


def _taken(folder: Path) -> StoreError:
    if (folder / HEAD).exists():
        return StoreError(
            f"{folder} holds a study already: go on with it (leafbench tune --resume {folder}), "
            "or give the new study another --out."
        )
    return StoreError(f"{folder} is there already and not empty: give the study another --out.")


def _require_study(folder: Path) -> None:
    if not (folder / HEAD).is_file():
        found = f"there is no {HEAD} in it" if folder.is_dir() else "there is no such folder"
        raise StoreError(f"{folder} is not a study of leafbench: {found}.")
