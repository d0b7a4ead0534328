"""Make the default data set: many leaf images, on all cores, the same bytes for the same seed.

    out/<Species>/<species>_00001.jpg ...    one folder a class
    out/manifest.json                        written last; its presence means "complete"
    out/manifest.partial.json                written first, gone at the end; says what was begun

An interrupted run goes on where it stopped. A folder that holds anything else is never written to.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import cv2

from leafmodel.data.generate_manifest import (
    MANIFEST_NAME,
    PARTIAL_NAME,
    SCHEMA_VERSION,
    TEMPORARY_SUFFIX,
    Manifest,
    fingerprint_of,
    read_as_manifest,
    read_manifest,
    to_json,
    write_whole,
)
from leafmodel.data.leaf import MIN_SIZE_PIXELS, draw_leaf, encode_jpeg
from leafmodel.data.species import COURSE_IMAGES, SPECIES
from leafmodel.errors import DataError

__all__ = ["Manifest", "allocate", "generate", "read_manifest"]

GENERATOR_VERSION = 1  # raise it whenever the same seed would give other pixels
MAX_SIZE_PIXELS = 2048
_IMAGES_PER_TASK = 32


@dataclass(frozen=True)
class _Job:
    """One image to make; small, because it travels to another process."""

    class_index: int
    image_index: int
    relative_path: str


def generate(
    out: Path,
    *,
    images: int = COURSE_IMAGES,
    size: int = 256,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Make (or finish, or check) a data set of `images` leaves in `out`.

    `progress` gets (images done, images in all). A script that calls this with more than one worker
    needs `if __name__ == "__main__":`, because the processes are spawned.
    """
    _check_arguments(images, size, seed, workers)
    plan = Manifest(SCHEMA_VERSION, GENERATOR_VERSION, images, size, seed, allocate(images), "")
    jobs = _jobs(plan.counts)
    with _told_plainly(out):
        finished = _claim_folder(out, plan, jobs)
        digests = _make_all(out, plan, jobs, workers or _cores(), progress)
        made = Manifest(**{**asdict(plan), "fingerprint": fingerprint_of(digests)})
        if finished is not None and finished.fingerprint != made.fingerprint:
            raise DataError(
                f"{out}: expected the fingerprint {finished.fingerprint[:12]} that its manifest "
                f"has, found {made.fingerprint[:12]}; some images were changed after they were "
                "made. Delete the folder and generate it again"
            )
        write_whole(out / MANIFEST_NAME, to_json(made))
        (out / PARTIAL_NAME).unlink(missing_ok=True)
    return made


def allocate(images: int) -> dict[str, int]:
    """Images of each class: largest remainder in the course's proportions, at least one each."""
    exact = [Fraction(images * species.course_images, COURSE_IMAGES) for species in SPECIES]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda at: (counts[at] - exact[at], at))
    for at in by_remainder[: images - sum(counts)]:
        counts[at] += 1
    while 0 in counts:
        counts[counts.index(max(counts))] -= 1
        counts[counts.index(0)] += 1
    return {species.name: count for species, count in zip(SPECIES, counts, strict=True)}


def _check_arguments(images: int, size: int, seed: int, workers: int | None) -> None:
    least = len(SPECIES)
    if images < least:
        raise DataError(f"images: expected {least} or more (one of each class), found {images}")
    if not MIN_SIZE_PIXELS <= size <= MAX_SIZE_PIXELS:
        raise DataError(
            f"size: expected {MIN_SIZE_PIXELS} to {MAX_SIZE_PIXELS} pixels, found {size}"
        )
    if seed < 0:
        raise DataError(f"seed: expected 0 or more, found {seed}")
    if workers is not None and workers < 1:
        raise DataError(f"workers: expected 1 or more, found {workers}; leave it out for all cores")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _jobs(counts: Mapping[str, int]) -> list[_Job]:
    return [
        _Job(index, number, f"{name}/{name.lower()}_{number:05d}.jpg")
        for index, (name, count) in enumerate(counts.items())
        for number in range(1, count + 1)
    ]


def _claim_folder(out: Path, plan: Manifest, jobs: Sequence[_Job]) -> Manifest | None:
    """Make sure that the folder is ours; the manifest if it was complete before."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: expected a folder, found a file; name another folder")
    finished = read_manifest(out)
    begun = finished or read_as_manifest(out / PARTIAL_NAME)
    if begun is not None and _made_as(begun) != _made_as(plan):
        raise DataError(
            f"{out}: expected images made with {_made_as(plan)}, found {_made_as(begun)}; "
            "name another folder, or delete this one"
        )
    ours = {job.relative_path for job in jobs} | {MANIFEST_NAME, PARTIAL_NAME}
    leftovers = _leftovers(out, ours if begun is not None else {PARTIAL_NAME})
    out.mkdir(parents=True, exist_ok=True)
    for leftover in leftovers:
        leftover.unlink()
    if begun is None:
        write_whole(out / PARTIAL_NAME, to_json(plan))
    for name in plan.counts:
        (out / name).mkdir(exist_ok=True)
    return finished


def _made_as(manifest: Manifest) -> dict[str, int]:
    return {
        "images": manifest.images,
        "size": manifest.size,
        "seed": manifest.seed,
        "generator_version": manifest.generator_version,
    }


def _leftovers(out: Path, ours: set[str]) -> list[Path]:
    """Half-written files of an interrupted run; an error on any file that is not ours."""
    leftovers = []
    for path in sorted(out.rglob("*")) if out.exists() else []:
        relative = path.relative_to(out).as_posix()
        if _is_half_written(path, out, ours):
            leftovers.append(path)
        elif not path.is_dir() and relative not in ours:
            raise DataError(
                f"{out}: expected an empty folder or one that this generator began with the same "
                f"parameters, found {relative}; nothing was overwritten. Name another folder"
            )
    return leftovers


def _is_half_written(path: Path, out: Path, ours: set[str]) -> bool:
    """Whether this is `.<name of ours>.<process id>.part`."""
    parts = path.name.rsplit(".", 2)
    if len(parts) < 3 or not path.name.startswith(".") or not path.name.endswith(TEMPORARY_SUFFIX):
        return False
    return (path.parent.relative_to(out) / parts[0][1:]).as_posix() in ours


def _make_all(
    out: Path,
    plan: Manifest,
    jobs: Sequence[_Job],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> dict[str, str]:
    make = functools.partial(_make_some, out, plan.size, plan.seed)
    tasks = [jobs[at : at + _IMAGES_PER_TASK] for at in range(0, len(jobs), _IMAGES_PER_TASK)]
    digests: dict[str, str] = {}
    with _mapper(min(workers, len(tasks))) as mapper:
        for some in mapper(make, tasks):
            digests.update(some)
            if progress is not None:
                progress(len(digests), len(jobs))
    return digests


_Make = Callable[[Sequence[_Job]], dict[str, str]]


@contextmanager
def _mapper(
    workers: int,
) -> Iterator[Callable[[_Make, list[Sequence[_Job]]], Iterator[dict[str, str]]]]:
    """A `map` over processes, or a plain one where one process is enough."""
    if workers == 1:
        before = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            yield map
        finally:
            cv2.setNumThreads(before)
        return
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start_worker)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """One thread a process; an interrupt is the parent's to answer."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _make_some(out: Path, size: int, seed: int, jobs: Sequence[_Job]) -> dict[str, str]:
    """Make what is missing of some images; the SHA-256 of each by relative path."""
    return {job.relative_path: _make_one(out, size, seed, job) for job in jobs}


def _make_one(out: Path, size: int, seed: int, job: _Job) -> str:
    path = out / job.relative_path
    data = path.read_bytes() if path.exists() else b""
    if not data:
        key = (seed, job.class_index, job.image_index)
        data = encode_jpeg(draw_leaf(SPECIES[job.class_index], key, size))
        write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


@contextmanager
def _told_plainly(out: Path) -> Iterator[None]:
    """Turn what the system says about a disk or a process into what a person can do about it."""
    try:
        yield
    except BrokenProcessPool as error:
        raise DataError(
            f"{out}: a generating process was killed, perhaps for want of memory; run the same "
            "command again with fewer workers, it goes on where it stopped"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(next(at for at in (out, *out.parents) if at.exists())).free
            raise DataError(
                f"{out}: the disk is full, {free / 1e6:.0f} MB free; make room and run the same "
                "command again, it goes on where it stopped"
            ) from error
        raise DataError(
            f"{out}: expected a folder that can be written to, found: {error.strerror} "
            f"({error.filename}); name another folder or change its permissions"
        ) from error
