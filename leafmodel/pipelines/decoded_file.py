"""A file of decoded images that is mapped into memory, and may be larger than memory.

Its name carries a fingerprint of what it was made from, so that other images, another size or
another way to decode get another file, and whoever finds the name finds what he needs. It is
written front to back under a temporary name and renamed when it is whole; a header says what it
holds, and is checked, with the file's length, whenever the file is opened.

    0      the header: JSON, padded with spaces to HEADER_BYTES
    4096   the images: uint8 (images, size, size, 3), in the order of the files
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leafmodel.data.check import file_digest
from leafmodel.errors import PipelineError
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.scratch import ROOM_REMEDY, require_room
from leafmodel.pipelines.spec import PipelineSpec

FORMAT = "leafbench decoded images 1"
HEADER_BYTES = 4096  # a page, so that the images begin at one
CHANNELS = 3
_NAMED_DIGITS = 16
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Contents:
    """What such a file holds; `fingerprint` covers size, resize, decode and every file's bytes."""

    fingerprint: str
    images: int
    image_size: int

    @property
    def image_bytes(self) -> int:
        """Of one decoded image."""
        return self.image_size**2 * CHANNELS

    @property
    def file_bytes(self) -> int:
        """Of the whole file."""
        return HEADER_BYTES + self.images * self.image_bytes

    def path(self, folder: Path) -> Path:
        """Where the file lies in a folder."""
        return folder / f"decoded-{self.fingerprint[:_NAMED_DIGITS]}.rgb"


def contents(spec: PipelineSpec, given: PipelineInput) -> Contents:
    """What the file for these images must hold. Reads every image's bytes, on all cores.

    Raises:
        DataError: an image cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(file_digest, [file.path for file in given.files]))
    made_by = f"{FORMAT} {given.image_size} {spec.resize} {spec.decode}"
    whole = hashlib.sha256("\n".join([made_by, *digests]).encode()).hexdigest()
    return Contents(whole, len(digests), given.image_size)


def write(path: Path, wanted: Contents, batches: Iterable[NDArray[np.uint8]]) -> None:
    """Write the file from batches of images, so that its name only ever stands for all of it.

    Raises:
        PipelineError: there is no room for it, or it cannot be written. Nothing is left of it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        require_room(path.parent, wanted.file_bytes, _WHAT)
        _write_whole(path, wanted, batches)
    except OSError as error:
        raise _unwritable(path, error) from error


def _write_whole(path: Path, wanted: Contents, batches: Iterable[NDArray[np.uint8]]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        _write(temporary, wanted, batches)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: Path, wanted: Contents, batches: Iterable[NDArray[np.uint8]]) -> None:
    begin_ns = time.perf_counter_ns()
    with path.open("wb") as stream:
        stream.seek(HEADER_BYTES)
        for batch in batches:
            stream.write(np.ascontiguousarray(batch).data)
        stream.flush()
        os.fsync(stream.fileno())
        stream.seek(0)
        stream.write(_header(wanted, time.perf_counter_ns() - begin_ns))
        stream.flush()
        os.fsync(stream.fileno())


def _header(wanted: Contents, build_ns: int) -> bytes:
    fields = {"format": FORMAT, **asdict(wanted), "build_ns": build_ns}
    return json.dumps(fields, indent=1).encode().ljust(HEADER_BYTES)


class DecodedFile:
    """The file in `path`, opened and checked.

    Attributes:
        build_ns: that making it took.

    Raises:
        PipelineError: it is not whole, or holds other images; says what to delete.
    """

    def __init__(self, path: Path, wanted: Contents) -> None:
        with path.open("rb") as stream:
            self.build_ns = _checked(path, stream.read(HEADER_BYTES), wanted)
            self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        shape = (wanted.images, wanted.image_size, wanted.image_size, CHANNELS)
        self._images = np.frombuffer(self._map, np.uint8, offset=HEADER_BYTES).reshape(shape)

    def rows(self, indices: NDArray[np.integer]) -> NDArray[np.uint8]:
        """The images with these numbers, as an array of their own.

        One call copies them all, without the interpreter's lock. Then the pages are given back:
        they stay in the system's cache, and the process is as large as its batches.
        """
        found = np.take(self._images, indices, axis=0)
        self._map.madvise(mmap.MADV_DONTNEED)
        return found


def _checked(path: Path, head: bytes, wanted: Contents) -> int:
    """The time that making the file took, if it is what is wanted."""
    again = f"Delete {path}, and it is made again."
    try:
        fields = json.loads(head)
        found = Contents(fields["fingerprint"], fields["images"], fields["image_size"])
        build_ns, is_ours = int(fields["build_ns"]), fields["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(
            f"{path} has no header that says which decoded images it holds. {again}"
        ) from error
    if not is_ours or found != wanted:
        raise PipelineError(
            f"{path} holds other images than those of this training: expected "
            f"{_words(wanted)}, found {_words(found)}. {again}"
        )
    size_bytes = path.stat().st_size
    if size_bytes != wanted.file_bytes:
        raise PipelineError(
            f"{path} was cut off or added to after it was made: expected {wanted.file_bytes:,} "
            f"bytes, found {size_bytes:,}. {again}"
        )
    return build_ns


def _words(held: Contents) -> str:
    size = f"{held.image_size}x{held.image_size}"
    return f"{held.images} of {size} pixels with fingerprint {held.fingerprint[:_NAMED_DIGITS]}"


def _unwritable(path: Path, error: OSError) -> PipelineError:
    if error.errno in _FULL:
        return PipelineError(
            f"The disk is full: {_WHAT.lower()} could not be written to {path}, and nothing of it "
            f"was left there: {ROOM_REMEDY}."
        )
    why = error.strerror or str(error)
    return PipelineError(f"{_WHAT} cannot be written to {path}: {why}. Choose another --out.")


_WHAT = "The file of decoded images"
