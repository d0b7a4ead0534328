"""The folder of a run: every record a file of its own, written whole or not at all.

    run.json      the head: configuration, images, environment, plan
    split.json    which images train, validate and test, relative to the folder of images
    trials/       one record a trial
    proofs/       one record a variant
    profiles/     one record a profiled (variant, phase)
    starts/       weights that continuing phases begin with, and a record each
    audit.json    what the images gave away, where that was asked for
    sweep/        an emulated run a device, each a run folder like this one
    tensorboard/  what TensorBoard shows: a trace a profile, scalars and axes of every trial
    logs/         what each trial printed
    work/         scratch, removed at the end

A record is written under a temporary name, synced and renamed; a temporary file that was left
behind is never read. One process at a time: the kernel's lock on the folder goes with its holder.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.audit import AuditRecord
from bench.codec import decode, encode
from bench.errors import RecordError, StoreError
from bench.hold import hold
from bench.profile_schema import ProfileRecord
from bench.requests import WorkerFiles
from bench.schema import (
    SCHEMA_VERSION,
    RunRecord,
    StartRecord,
    TrialRecord,
    VariantProof,
)

TEMPORARY = ".tmp"
BROKEN = ".broken"
LATEST = "latest"
AUDIT = "audit.json"
_FULL = (errno.ENOSPC, errno.EDQUOT)

T = TypeVar("T")


@dataclass(frozen=True)
class StoredRun:
    """All that a run folder holds; `broken` says which records could not be read, and why."""

    run: RunRecord
    trials: tuple[TrialRecord, ...]
    proofs: tuple[VariantProof, ...]
    profiles: tuple[ProfileRecord, ...]
    starts: tuple[StartRecord, ...]
    audit: AuditRecord | None
    broken: tuple[RecordError, ...]


class Store:
    """A run folder that this process holds; made by `create` or `reopen`, ended by `close`."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    @classmethod
    def create(cls, folder: Path) -> Store:
        """Make the folder of a new run and hold it.

        Raises:
            StoreError: there is something in it already, or it cannot be made.
        """
        if folder.name == LATEST:
            raise StoreError(f"{folder} is the link to the last run: choose another --out.")
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            store = cls(folder, hold(folder))
            try:
                _require_empty(folder)
            except StoreError:
                os.close(store._lock)
                raise
            store._make_folders()
        return store

    @classmethod
    def reopen(cls, folder: Path) -> Store:
        """Hold the folder of a run that was begun.

        Raises:
            StoreError: no run is there, or another process works on it.
        """
        folder = folder.resolve()
        require_run(folder)
        with storing(folder):
            store = cls(folder, hold(folder))
            store._make_folders()
        return store

    @property
    def work(self) -> Path:
        """Scratch of the run."""
        return self.folder / "work"

    @property
    def logs(self) -> Path:
        """Where the output of trials goes."""
        return self.folder / "logs"

    @property
    def proofs(self) -> Path:
        """Where the worker writes its proofs."""
        return self.folder / "proofs"

    @property
    def starts(self) -> Path:
        """Where the worker puts starting points: weights and a record each."""
        return self.folder / "starts"

    def starting_point(self, name: str) -> Path:
        """The file for a starting point's weights, in a folder that is there."""
        with storing(self.starts, kept=self.folder):
            self.starts.mkdir(exist_ok=True)
        return self.starts / f"{name}.weights.h5"

    @property
    def tensorboard(self) -> Path:
        """The folder that TensorBoard is given."""
        return self.folder / "tensorboard"

    def empty_logdir(self, name: str) -> Path:
        """A folder for one TensorBoard run, without what an earlier try left in it."""
        logdir = self.tensorboard / name
        with storing(logdir, kept=self.folder):
            shutil.rmtree(logdir, ignore_errors=True)
            logdir.mkdir(parents=True)
        return logdir

    def write_run(self, run: RunRecord, split: WorkerFiles, *, latest: bool = True) -> None:
        """Write the head of the run; `latest`: make the link beside the folder point to it."""
        self._write(self.folder / "split.json", encode(split))
        self._write(self.folder / "run.json", encode(run))
        if latest:
            self._point_latest()

    def write_proof(self, proof: VariantProof) -> None:
        """Put a variant's proof, which was made elsewhere, on disk."""
        self._write(self.proofs / f"{proof.variant}.json", encode(proof))

    def write_trial(self, record: TrialRecord) -> None:
        """Put a trial's record on disk; it is there whole when this returns."""
        self._write(self.folder / "trials" / f"{record.spec.name}.json", encode(record))

    def write_profile(self, record: ProfileRecord) -> None:
        """Put a profile's record on disk; it is there whole when this returns."""
        self._write(self.folder / "profiles" / f"{record.spec.trial.name}.json", encode(record))

    def write_audit(self, audit: AuditRecord) -> None:
        """Put what the images gave away on disk."""
        self._write(self.folder / AUDIT, encode(audit))

    def write_scratch(self, name: str, record: object) -> Path:
        """Write a file into `work`, for a worker to read."""
        path = self.work / name
        self._write(path, encode(record))
        return path

    def completed(self) -> tuple[TrialRecord, ...]:
        """The trials that need not be run again; half-written records are set aside.

        Raises:
            RecordError: a record from a newer leafbench, which this one must not run over.
        """
        whole = []
        for path in _json_files(self.folder / "trials"):
            try:
                whole.append(read_record(path, TrialRecord))
            except RecordError:
                if _is_newer(path):
                    raise
                with storing(path):
                    path.rename(path.with_name(path.name + BROKEN))
        return tuple(whole)

    def discard(self) -> None:
        """Remove the folder of a run that never began, so that its name can be used again."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Remove scratch and temporary files, and let the folder go."""
        shutil.rmtree(self.work, ignore_errors=True)
        for leftover in self.folder.rglob(f"*{TEMPORARY}"):
            leftover.unlink(missing_ok=True)
        os.close(self._lock)

    def _make_folders(self) -> None:
        for name in ("trials", "proofs", "profiles", "logs", "work"):
            (self.folder / name).mkdir(exist_ok=True)

    def _write(self, path: Path, data: bytes) -> None:
        with storing(path, kept=self.folder):
            write_whole(path, data)

    def _point_latest(self) -> None:
        """Swap the link in one step. A file or folder of that name is the user's: left alone."""
        link = self.folder.parent / LATEST
        if link.exists() and not link.is_symlink():
            return
        with storing(link):
            new = self.folder.parent / f".{LATEST}-{os.getpid()}{TEMPORARY}"
            new.unlink(missing_ok=True)
            new.symlink_to(self.folder.name)
            new.replace(link)


def read(folder: Path) -> StoredRun:
    """All that can be read of a run; broken records are named and do not stop it.

    Raises:
        StoreError: there is no run, or its head cannot be read.
    """
    folder = folder.resolve()
    require_run(folder)
    trials, broken_trials = _read_all(folder / "trials", TrialRecord)
    proofs, broken_proofs = _read_all(folder / "proofs", VariantProof)
    profiles, broken_profiles = _read_all(folder / "profiles", ProfileRecord)
    starts, broken_starts = _read_all(folder / "starts", StartRecord)
    audits, broken_audits = _read_all(folder, AuditRecord, AUDIT)
    run = read_record(folder / "run.json", RunRecord)
    broken = broken_trials + broken_proofs + broken_profiles + broken_starts + broken_audits
    return StoredRun(run, trials, proofs, profiles, starts, next(iter(audits), None), broken)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name only ever stands for the whole content."""
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def storing(path: Path, kept: Path | None = None) -> Iterator[None]:
    """Turn a failed write to `path` into a StoreError that says what is safe and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            why = error.strerror or str(error)
            raise StoreError(f"Cannot write {path}: {why}. Choose another place.") from error
        resume = f" Then: leafbench run --resume {kept}" if kept else ""
        safe = f"; the trials in {kept / 'trials'} are safe" if kept else ""
        raise StoreError(
            f"The disk is full: {path} could not be written{safe}. Free some space.{resume}"
        ) from error


def _require_empty(folder: Path) -> None:
    if any(folder.iterdir()):
        raise _taken(folder)


def _taken(folder: Path) -> StoreError:
    if (folder / "run.json").exists():
        return StoreError(
            f"{folder} holds a run already: go on with it (leafbench run --resume {folder}), or "
            "give the new run another --out."
        )
    return StoreError(f"{folder} is there already and not empty: give the run another --out.")


def require_run(folder: Path) -> None:
    """Refuse a folder that holds no run.

    Raises:
        StoreError: says what is there instead.
    """
    if not (folder / "run.json").is_file():
        found = "there is no run.json in it" if folder.is_dir() else "there is no such folder"
        raise StoreError(f"{folder} is not a run of leafbench: {found}.")


def _json_files(folder: Path, pattern: str = "*.json") -> list[Path]:
    return sorted(folder.glob(pattern))


def read_record(path: Path, kind: type[T]) -> T:
    """The record in a file.

    Raises:
        RecordError: it cannot be read, or is none of this kind.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}.") from error
    return decode(data, kind, str(path))


def _read_all(
    folder: Path, kind: type[T], pattern: str = "*.json"
) -> tuple[tuple[T, ...], tuple[RecordError, ...]]:
    whole: list[T] = []
    broken: list[RecordError] = []
    for path in _json_files(folder, pattern):
        try:
            whole.append(read_record(path, kind))
        except RecordError as error:
            broken.append(error)
    return tuple(whole), tuple(broken)


def _is_newer(path: Path) -> bool:
    try:
        head = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    version = head.get("schema_version") if isinstance(head, dict) else None
    return isinstance(version, int) and version > SCHEMA_VERSION
