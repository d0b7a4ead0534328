"""Whether every image can be trained on, found out before hours are spent on it.

A file that one loader reads and another refuses would stop a run in the middle, or make two
pipelines do different work. So every file is decoded in full, and the answers are values: one bad
file is a `Problem` in the report, never an exception.

Pillow alone is too forgiving for this: it accepts a PNG or a JPEG whose end is missing as long as
the pixels are there, and TensorFlow refuses both. So the end of the file is looked for as well.
"""

from __future__ import annotations

import hashlib
import os
import struct
import warnings
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL import ImageFile as PillowFile

from leafmodel.data.folder import Folder, ImageFile, named_type
from leafmodel.errors import DataError

DECODE_ERRORS = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG
    ValueError,
    EOFError,
    LookupError,
    ArithmeticError,
    TypeError,
    AttributeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_MAGIC = {"BMP": b"BM", "GIF": b"GIF8", "JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n"}
_OTHER_IMAGES = (".avif", ".heic", ".heif", ".jfif", ".jp2", ".jxl", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Problem:
    """Why one file cannot be used; `kind` is one of empty, truncated, unreadable, wrong type,
    permission, unsupported."""

    path: Path
    kind: str
    detail: str


@dataclass(frozen=True)
class CheckReport:
    """What a folder holds. Sizes and modes are those of the files that decode, commonest first."""

    folder: Folder
    training_counts: Mapping[str, int]
    test_counts: Mapping[str, int]
    imbalance: float
    sizes: Mapping[tuple[int, int], int]
    modes: Mapping[str, int]
    problems: tuple[Problem, ...]
    duplicates_across_classes: tuple[tuple[Path, ...], ...]
    duplicates_across_splits: tuple[tuple[Path, ...], ...]
    fingerprint: str


@dataclass(frozen=True)
class _Look:
    """What one file turned out to be; no digest if its bytes could not be read."""

    digest: str | None = None
    size: tuple[int, int] | None = None
    mode: str | None = None
    problem: Problem | None = None


def check(
    folder: Folder,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Decode every image of `folder`; `progress` is called with (files done, files in all).

    Never raises for a bad file. The fingerprint equals `fingerprint()` if every file can be read.
    """
    files = folder.training + folder.test
    looks = _look_at_all(files, workers, progress)
    training = _counts(folder, folder.training)
    problems = [look.problem for look in looks if look.problem]
    classes, splits = _duplicates(folder, files, looks)
    return CheckReport(
        folder=folder,
        training_counts=training,
        test_counts=_counts(folder, folder.test),
        imbalance=max(training.values()) / max(1, min(training.values())),
        sizes=dict(Counter(look.size for look in looks if look.size).most_common()),
        modes=dict(Counter(look.mode for look in looks if look.mode).most_common()),
        problems=(*problems, *_unsupported(folder.ignored)),
        duplicates_across_classes=classes,
        duplicates_across_splits=splits,
        fingerprint=_combined(files, [look.digest or "unreadable" for look in looks], folder.root),
    )


def fingerprint(files: Iterable[ImageFile], root: Path) -> str:
    """Name exactly these files with these bytes: sha256 over sorted (relative path, sha256).

    Raises DataError if a file cannot be read (half a fingerprint would match other folders), and
    ValueError for a file that does not lie under `root`.
    """
    listed = list(files)
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(file_digest, [file.path for file in listed]))
    return _combined(listed, digests, root)


def without(folder: Folder, problems: Iterable[Problem]) -> Folder:
    """Drop the files that have a problem; raises DataError if that empties a class of training."""
    bad = {problem.path for problem in problems}
    training = tuple(file for file in folder.training if file.path not in bad)
    kept = {file.label for file in training}
    lost = [name for label, name in enumerate(folder.class_names) if label not in kept]
    if lost:
        raise DataError(
            f"Expected usable images in every class of {folder.root}, found only bad ones in"
            f" {', '.join(map(repr, lost))}. Replace them, or remove the class folder."
        )
    test = tuple(file for file in folder.test if file.path not in bad)
    return replace(folder, training=training, test=test)


def _look_at_all(
    files: Sequence[ImageFile],
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> list[_Look]:
    """Look at files in threads: reading, hashing and decoding all release the interpreter lock."""
    looks: list[_Look] = []
    with strict_pillow(), ThreadPoolExecutor(workers) as pool:
        for look in pool.map(_look, [file.path for file in files]):
            looks.append(look)
            if progress is not None:
                progress(len(looks), len(files))
    return looks


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Undo a program-wide `LOAD_TRUNCATED_IMAGES`, and keep Pillow's warnings off the terminal."""
    before = PillowFile.LOAD_TRUNCATED_IMAGES
    PillowFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        PillowFile.LOAD_TRUNCATED_IMAGES = before


def _look(path: Path) -> _Look:
    try:
        data = _read(path)
    except OSError as error:
        kind = "permission" if isinstance(error, PermissionError) else "unreadable"
        return _Look(problem=Problem(path, kind, f"cannot be opened: {error.strerror}"))
    digest = hashlib.sha256(data).hexdigest()
    if not data:
        return _Look(digest, problem=Problem(path, "empty", "0 bytes"))
    try:
        str(path).encode()
    except UnicodeEncodeError:
        detail = "its name is not valid UTF-8, which TensorFlow cannot open"
        return _Look(digest, problem=Problem(path, "unsupported", detail))
    return replace(_look_inside(path, data), digest=digest)


def _read(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # opening a named pipe would wait for ever
        raise OSError(0, "not a regular file")
    with path.open("rb") as stream:
        return stream.read()


def _look_inside(path: Path, data: bytes) -> _Look:
    try:
        with Image.open(BytesIO(data)) as image:
            if true_type(image) not in _MAGIC:  # do not run the decoders of foreign types
                return _Look(problem=_wrong_type(path, image))
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 2**31):
                return _Look(problem=_giant(path, f"{image.width}x{image.height} pixels"))
            image.load()
            problem = None if true_type(image) == named_type(path) else _wrong_type(path, image)
            if not _has_end(true_type(image), data):
                problem = Problem(path, "truncated", "the end of the file is missing")
            return _Look(None, image.size, f"{image.format}/{image.mode}", problem)
    except Image.DecompressionBombError as error:
        return _Look(problem=_giant(path, str(error)))
    except DECODE_ERRORS as error:
        return _Look(problem=_broken(path, data, error))


def true_type(image: Image.Image) -> str:
    """Name the type that the bytes have; MPO is a JPEG with further JPEGs after it."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def _has_end(kind: str, data: bytes) -> bool:
    if kind == "PNG":
        return b"IEND" in data
    return kind != "JPEG" or data.find(b"\xff\xd9", _first_scan(data)) >= 0


def _first_scan(data: bytes) -> int:
    """Find where a JPEG's pixels begin, past its metadata: a thumbnail there has its own end."""
    position = 2
    while data[position : position + 1] == b"\xff" and data[position + 1 : position + 2] not in (
        b"\xda",
        b"",
    ):
        padding = data[position + 1] == 0xFF
        position += 1 if padding else 2 + int.from_bytes(data[position + 2 : position + 4])
    return position


def _broken(path: Path, data: bytes, error: Exception) -> Problem:
    kind = next((kind for kind, magic in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None and isinstance(error, UnidentifiedImageError):
        return Problem(path, "unreadable", f"not an image; it begins with {data[:12]!r}")
    if isinstance(error, UnidentifiedImageError):
        return Problem(path, "truncated", f"begins as {kind}, but its header is incomplete")
    what = "truncated" if "truncated" in str(error).lower() else "unreadable"
    return Problem(path, what, str(error) or type(error).__name__)


def _wrong_type(path: Path, image: Image.Image) -> Problem:
    detail = f"named as {named_type(path)}, but holds {true_type(image)} data; rename or convert it"
    return Problem(path, "wrong type", detail)


def _giant(path: Path, found: str) -> Problem:
    return Problem(path, "unsupported", f"too large to decode safely: {found}")


def _unsupported(ignored: Sequence[Path]) -> list[Problem]:
    """Report images that every loader passes over in silence; other files are none of ours."""
    return [
        Problem(path, "unsupported", f"{path.suffix} is not read by the loaders; convert it")
        for path in ignored
        if path.name.lower().endswith(_OTHER_IMAGES)
    ]


def _counts(folder: Folder, files: Sequence[ImageFile]) -> dict[str, int]:
    found = Counter(file.label for file in files)
    return {name: found[label] for label, name in enumerate(folder.class_names)}


def _duplicates(
    folder: Folder, files: Sequence[ImageFile], looks: Sequence[_Look]
) -> tuple[tuple[tuple[Path, ...], ...], tuple[tuple[Path, ...], ...]]:
    """Group files of equal bytes that lie in several classes, and in both training and test."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, look in enumerate(looks):
        if look.digest and not (look.problem and look.problem.kind == "empty"):
            groups[look.digest].append(index)

    def spanning(key: Callable[[int], object]) -> tuple[tuple[Path, ...], ...]:
        spread = [group for group in groups.values() if len({key(i) for i in group}) > 1]
        return tuple(tuple(files[i].path for i in group) for group in spread)

    return spanning(lambda i: files[i].label), spanning(lambda i: i < len(folder.training))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; raises DataError if it cannot be read."""
    try:
        return hashlib.sha256(_read(path)).hexdigest()
    except OSError as error:
        raise DataError(
            f"Expected to read {path}, found: {error.strerror}. Mend it, or leave it out."
        ) from error


def _combined(files: Sequence[ImageFile], digests: Sequence[str], root: Path) -> str:
    names = [os.fsencode(file.path.relative_to(root).as_posix()) for file in files]
    whole = hashlib.sha256()
    for name, digest in sorted(zip(names, digests, strict=True)):
        whole.update(name + b"\0" + digest.encode() + b"\n")
    return whole.hexdigest()
