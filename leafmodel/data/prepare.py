"""Make every loader see the same pixels, by converting the few files that they read differently.

Pillow (Keras' `ImageDataGenerator`) and TensorFlow's decoders agree on 8-bit RGB and grey JPEG and
PNG. Elsewhere they part, often in silence: TensorFlow decodes a palette BMP to wrong colours and
refuses a 1-bit one, Pillow saturates 16-bit grey, `ImageDataGenerator` does not list GIF. Such
files become 8-bit RGB PNG once, so that a difference in speed is never a difference in pictures.

What a conversion keeps and drops, in every case what the loaders themselves do where they agree:
transparency is dropped, not composited; 16 bits keep their high 8; CMYK is converted without a
colour profile; of an animation the first frame stays; EXIF orientation is not applied.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from leafmodel.data.check import DECODE_ERRORS, strict_pillow, true_type
from leafmodel.data.folder import ImageFile, named_type
from leafmodel.errors import DataError

_LONGEST_STEM = 40  # characters; at four bytes each, still far from the 255 bytes of a file name
_PNG_DEPTH_AT = 24  # IHDR is the first chunk, so the bit depth always stands here


@dataclass(frozen=True)
class Conversion:
    """One file that is read from `converted` instead of `original`, and why."""

    original: Path
    converted: Path
    reason: str


def prepare(
    files: Sequence[ImageFile], work: Path, *, workers: int | None = None
) -> tuple[tuple[ImageFile, ...], tuple[Conversion, ...]]:
    """Return the same files in the same order, with those that loaders dispute as PNG in `work`.

    A conversion that is already there for the same path, time and size is used again; originals are
    never touched. Raises DataError for a file that cannot be decoded, or a `work` that cannot be
    written.
    """
    with strict_pillow(), ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(partial(_convert, work=work), [file.path for file in files]))
    prepared = tuple(
        replace(file, path=conversion.converted) if conversion else file
        for file, conversion in zip(files, found, strict=True)
    )
    return prepared, tuple(conversion for conversion in found if conversion)


def link_farm(files: Sequence[ImageFile], class_names: Sequence[str], out: Path) -> Path:
    """Make `out/<class>/<number>_<name>` links so that Keras reads exactly `files` from `out`.

    Numbers follow the order of `files`, so each class keeps its order. A class without files gets
    its folder too, else later labels would shift. Run again with other files, it replaces its own
    links. Raises DataError if `out` holds anything but links or cannot be written, and ValueError
    for class names that Keras would put in another order.
    """
    if list(class_names) != sorted(set(class_names)):
        raise ValueError(f"class_names must be sorted and distinct, received {class_names!r}")
    digits = max(5, len(str(len(files))))
    wanted = {
        out / class_names[file.label] / f"{index:0{digits}}_{_short(file.path)}": file.path
        for index, file in enumerate(files)
    }
    try:
        _remove_stale(out, class_names, wanted)
        for name in class_names:
            (out / name).mkdir(parents=True, exist_ok=True)
        for link, target in wanted.items():
            _link(link, target)
    except OSError as error:
        raise _cannot_write(out, error) from error
    return out


def _convert(path: Path, work: Path) -> Conversion | None:
    try:
        with Image.open(path) as image:
            reason = _dispute(path, image)
            if reason is None:
                return None
            converted = work / _converted_name(path)
            if not converted.is_file():
                _write(_plain_rgb(image), converted)
    except DECODE_ERRORS as error:
        raise DataError(
            f"Expected an image that can be decoded at {path}, found: {error}. Check the folder,"
            " and mend or leave out the files that it names."
        ) from error
    return Conversion(path, converted, reason)


def _dispute(path: Path, image: Image.Image) -> str | None:
    """Say why loaders may differ over this file; None for 8-bit RGB and grey JPEG and PNG."""
    kind = true_type(image)
    if kind != named_type(path):
        return f"{kind} data in a file named {path.suffix}"
    if kind not in ("JPEG", "PNG"):
        return f"{kind} file"
    depth = _png_depth(path) if kind == "PNG" else 8
    if depth != 8:
        return f"{depth}-bit PNG"
    return None if image.mode in ("RGB", "L") else f"{image.mode} colours"


def _png_depth(path: Path) -> int:
    """Read the depth itself: Pillow opens 16-bit RGB as plain RGB, and 4-bit grey as 8-bit."""
    with path.open("rb") as stream:
        return stream.read(_PNG_DEPTH_AT + 1)[_PNG_DEPTH_AT]


def _plain_rgb(image: Image.Image) -> Image.Image:
    """Decode to 8-bit RGB without metadata, which would be written into the PNG."""
    image.load()
    if image.mode.startswith("I"):  # 16-bit grey, which convert("RGB") would saturate
        high = np.asarray(image).astype(np.int64) >> 8
        image = Image.fromarray(high.clip(0, 255).astype(np.uint8))
    return Image.fromarray(np.array(image.convert("RGB")))


def _write(image: Image.Image, path: Path) -> None:
    """Write under a temporary name and rename, so that an interrupted run leaves no half file."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
            temporary = Path(stream.name)
            image.save(stream, format="PNG")
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise _cannot_write(path.parent, error) from error


def _converted_name(path: Path) -> str:
    """Name the source by path, time and size, so that a changed source is converted anew."""
    facts = path.stat()
    source = f"{path.absolute()}\0{facts.st_mtime_ns}\0{facts.st_size}"
    key = hashlib.sha256(os.fsencode(source)).hexdigest()[:16]
    return f"{path.stem[:_LONGEST_STEM]}-{key}.png"


def _short(path: Path) -> str:
    return f"{path.stem[:_LONGEST_STEM]}{path.suffix}"


def _remove_stale(out: Path, class_names: Sequence[str], wanted: dict[Path, Path]) -> None:
    """Remove links and class folders of an earlier call; look at all of it before touching any."""
    if not out.exists():
        return
    found = list(out.iterdir())
    folders = [entry for entry in found if entry.is_dir() and not entry.is_symlink()]
    links = [link for folder in folders for link in folder.iterdir()]
    foreign = [path for path in links if not path.is_symlink()]
    foreign += [path for path in found if path not in folders]
    if foreign:
        raise DataError(
            f"Expected {out} to hold only links that were made here, found {foreign[0]}. Name an"
            " empty folder instead."
        )
    for link in links:
        if link not in wanted:
            link.unlink()
    for folder in folders:
        if folder.name not in class_names:
            folder.rmdir()


def _link(link: Path, target: Path) -> None:
    absolute = target.absolute()
    if link.is_symlink():
        if link.readlink() == absolute:
            return
        link.unlink()
    link.symlink_to(absolute)


def _cannot_write(directory: Path, error: OSError) -> DataError:
    return DataError(
        f"Expected to write to {directory}, found: {error.strerror or error}. Free some space there"
        " or name another folder."
    )
