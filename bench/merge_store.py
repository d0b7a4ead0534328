"""Merging on disk: shards are held and read, the merged run is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from bench.codec import encode
from bench.errors import MergeError, StoreError
from bench.hold import hold
from bench.merge import Merged, Share, merge
from bench.plan import as_file_name
from bench.requests import WorkerFiles
from bench.store import (
    AUDIT,
    TEMPORARY,
    StoredRun,
    read,
    read_record,
    require_run,
    storing,
    write_whole,
)
from bench.sweep_plan import FOLDER as SWEEP


def merge_folders(
    out: Path, folders: Sequence[Path], now: datetime, *, across_machines: bool = False
) -> None:
    """Merge the shards in `folders` into the new folder `out`; `now` is in UTC.

    Raises:
        MergeError: they must not be merged.
        RecordError: a shard's head or split cannot be read.
        StoreError: there is something at `out`, or it cannot be written; nothing is left of it.
    """
    _require_new(out)
    _require_different(folders)
    with ExitStack() as held:
        shares = [held.enter_context(_held(folder)) for folder in folders]
        created_at = now.isoformat(timespec="seconds")
        merged = merge(shares, out, created_at, across_machines=across_machines)
        with _whole(out) as staged:
            _write(merged, staged)
            _copy_sweep(shares, staged)


def _require_new(out: Path) -> None:
    if out.exists() or out.is_symlink():
        raise StoreError(
            f"{out} is there already: the first folder is the one to make, the shards come behind "
            "it (leafbench merge OUT RUN RUN...)."
        )


def _require_different(folders: Sequence[Path]) -> None:
    places = [folder.resolve() for folder in folders]
    twice = [str(f) for n, f in enumerate(folders) if places[n] in places[:n]]
    if twice:
        raise MergeError(f"{', '.join(twice)} is given twice: name every shard once.")


@contextmanager
def _held(folder: Path) -> Iterator[Share]:
    """A shard, with nobody working on it meanwhile."""
    require_run(folder)
    lock = hold(folder)
    try:
        stored = read(folder)
        if stored.broken:
            listed = "\n".join(f"  {error}" for error in stored.broken)
            raise MergeError(
                f"{folder} has records that cannot be read:\n{listed}\nGo on with it (leafbench "
                f"run --resume {folder}) and merge again."
            )
        _require_named(folder, stored)
        yield Share(folder, stored, read_record(folder / "split.json", WorkerFiles))
    finally:
        os.close(lock)


def _require_named(folder: Path, stored: StoredRun) -> None:
    """Refuse records whose file has another name than they have: that name becomes a path."""
    names = {
        "trials": [record.spec.name for record in stored.trials],
        "proofs": [proof.variant for proof in stored.proofs],
        "profiles": [profile.spec.trial.name for profile in stored.profiles],
        "starts": [as_file_name(start.spec.phase) for start in stored.starts],
    }
    for kind, said in names.items():
        files = sorted(path.stem for path in (folder / kind).glob("*.json"))
        odd = sorted({*said} ^ {*files}) or sorted(n for n in said if said.count(n) > 1)
        if odd:
            raise MergeError(
                f"{folder / kind}: expected each record in the file of its own name, found "
                f"{odd[0]!r} only as one of the two. It was put or changed there: take it out "
                f"(leafbench run --resume {folder} makes it again), and merge again."
            )


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder that takes the name `out` when it is complete, and is gone if it never is."""
    staged = out.with_name(f".{out.name}-{os.getpid()}{TEMPORARY}")
    try:
        with storing(out):
            staged.mkdir(parents=True)
            yield staged
            staged.rename(out)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _write(merged: Merged, folder: Path) -> None:
    for name in ("trials", "proofs", "profiles", "logs"):
        (folder / name).mkdir()
    for share, record in merged.trials:
        write_whole(folder / "trials" / f"{record.spec.name}.json", encode(record))
        _copy(share.folder, folder, f"logs/{record.spec.name}.log")
    for proof in merged.proofs:
        write_whole(folder / "proofs" / f"{proof.variant}.json", encode(proof))
    _write_profiles(merged, folder)
    _write_starts(merged, folder)
    if merged.audit is not None:
        write_whole(folder / AUDIT, encode(merged.audit))
    write_whole(folder / "split.json", encode(merged.split))
    write_whole(folder / "run.json", encode(merged.run))


def _write_profiles(merged: Merged, folder: Path) -> None:
    for share, profile in merged.profiles:
        write_whole(folder / "profiles" / f"{profile.spec.trial.name}.json", encode(profile))
        if profile.trace is not None:
            _copy(share.folder, folder, profile.trace)


def _write_starts(merged: Merged, folder: Path) -> None:
    """Every shard trained its own: they keep their names, with a number behind."""
    shares = dict.fromkeys(share for share, _ in merged.starts)
    numbers = {share: number for number, share in enumerate(shares, 1)}
    for share, start in merged.starts:
        (folder / "starts").mkdir(exist_ok=True)
        old = f"starts/{as_file_name(start.spec.phase)}"
        new = f"{old}-{numbers[share]}"
        write_whole(folder / f"{new}.json", encode(start))
        _copy(share.folder, folder, f"{old}.weights.h5", f"{new}.weights.h5")


def _copy_sweep(shares: Sequence[Share], folder: Path) -> None:
    """The emulated runs of the shard that made them, each as it is."""
    for share in shares:
        if (share.folder / SWEEP).is_dir():
            shutil.copytree(share.folder / SWEEP, folder / SWEEP)


def _copy(source: Path, target: Path, path: str, new: str = "") -> None:
    """A file of a shard, where it has it; what is no record may have been removed.

    Raises:
        MergeError: the path leads out of the shard's folder.
    """
    root = source.resolve()
    if ".." in Path(path).parts or not (root / path).resolve().is_relative_to(root):
        raise MergeError(
            f"{source}: expected only files of that folder in its records, found {path!r}, which "
            "leads out of it. A record or a link was put or changed there: take it out, and merge "
            "again."
        )
    if (source / path).is_file():
        place = target / (new or path)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, place)
