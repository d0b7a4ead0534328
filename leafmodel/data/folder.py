"""Which images a folder holds, and what class each one is.

The list must be the one that `keras.utils.image_dataset_from_directory` would make: every loader
is compared against every other, and a file that only one of them sees would be different work. So
the rules here are Keras' own: classes are the sorted sub-folders without a leading dot, each is
walked in sorted order (not following links to folders), and a file counts by its suffix alone.

Two layouts are understood: `DIR/<class>/*`, and `DIR/training/<class>/*` with an optional
`DIR/test/<class>/*`. In the second, anything else beside `training` and `test` is ignored.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leafmodel.errors import DataError

TYPES = {".bmp": "BMP", ".gif": "GIF", ".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG"}
FORMATS = tuple(TYPES)
TRAINING = "training"
TEST = "test"
_SPLIT_NAMES = frozenset({TRAINING, TEST, "train", "val", "valid", "validation"})
_LAYOUTS = "DIR/<class>/ or DIR/training/<class>/ (and DIR/test/<class>/ if there is a test set)"


@dataclass(frozen=True)
class ImageFile:
    """One image and its class, as an index into the folder's `class_names`."""

    path: Path
    label: int


@dataclass(frozen=True)
class Folder:
    """Every image under `root`, in Keras' order; `ignored` are the other files in class folders."""

    root: Path
    class_names: tuple[str, ...]
    training: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...]
    ignored: tuple[Path, ...] = ()


def scan(root: Path) -> Folder:
    """List the images of `root`; reads names only, never a file's content.

    Raises DataError for a folder that is missing, is a file or cannot be read; without classes, or
    with one; with an empty class; or whose test part has a class that training lacks.
    """
    root = Path(root)
    _require_folder(root)
    if not _has_training_part(root):
        return _folder(root, root, None)
    test = root / TEST
    return _folder(root, root / TRAINING, test if test.is_dir() else None)


def named_type(path: Path) -> str:
    """Name the type that an image file's name promises (a bare `.jpg` counts, as in Keras)."""
    return TYPES["." + path.name.lower().rpartition(".")[2]]


def _folder(root: Path, training: Path, test: Path | None) -> Folder:
    names = _training_classes(training)
    images, ignored = _class_files(training, names, names)
    _require_filled(training, names, images)
    if test is None:
        return Folder(root, names, images, (), ignored)
    held_out, more_ignored = _class_files(test, _test_classes(test, names), names)
    if not held_out:
        raise DataError(
            f"Expected images in {test}, found none. Fill its class folders, or remove {test} to"
            " work without a test set."
        )
    return Folder(root, names, images, held_out, ignored + more_ignored)


def _has_training_part(root: Path) -> bool:
    """Tell the two layouts apart; refuse the near misses that would become wrong classes."""
    names = _subfolders(root)
    if TRAINING in names and (_subfolders(root / TRAINING) or set(names) <= {TRAINING, TEST}):
        return True
    nested = [name for name in names if name in _SPLIT_NAMES and _subfolders(root / name)]
    if nested:
        raise DataError(
            f"Expected {_LAYOUTS}, found class folders inside {_listed(nested)} in {root}. Rename"
            f" the part to train on to {TRAINING!r} and the part to test on to {TEST!r}."
        )
    return False


def _training_classes(directory: Path) -> tuple[str, ...]:
    names = _subfolders(directory)
    if len(names) >= 2:
        return names
    found = f"only one class folder, {names[0]!r}," if names else "no class folder"
    raise DataError(
        f"Expected at least two class folders in {directory}, found {found}"
        f"{_what_else(directory)}. Put the images of each class into a folder of its own:"
        f" {_LAYOUTS}."
    )


def _test_classes(directory: Path, training: Sequence[str]) -> tuple[str, ...]:
    names = _subfolders(directory)
    unknown = [name for name in names if name not in set(training)]
    if unknown:
        raise DataError(
            f"Expected in {directory} only classes that training has, found {_listed(unknown)}."
            f" Training has {_listed(training)}. Rename or remove the folders that differ."
        )
    return names


def _require_folder(root: Path) -> None:
    if not root.exists():
        raise DataError(
            f"Expected a folder of images at {root}, found nothing there. Check the spelling; the"
            f" path is taken from {Path.cwd()}."
        )
    if not root.is_dir():
        raise DataError(
            f"Expected a folder of images at {root}, found a file. Name the folder that holds the"
            f" class folders: {_LAYOUTS}."
        )


def _require_filled(directory: Path, names: Sequence[str], images: Sequence[ImageFile]) -> None:
    filled = {image.label for image in images}
    empty = [name for label, name in enumerate(names) if label not in filled]
    if empty:
        raise DataError(
            f"Expected images ({' '.join(FORMATS)}) in every class folder of {directory}, found"
            f" none in {_listed(empty)}. Add images there, or remove the folder."
        )


def _class_files(
    directory: Path, names: Sequence[str], class_names: Sequence[str]
) -> tuple[tuple[ImageFile, ...], tuple[Path, ...]]:
    labels = {name: label for label, name in enumerate(class_names)}
    images: list[ImageFile] = []
    ignored: list[Path] = []
    for name in names:
        for path in _walk(directory / name):
            if path.name.lower().endswith(FORMATS):
                images.append(ImageFile(path, labels[name]))
            else:
                ignored.append(path)
    return tuple(images), tuple(ignored)


def _walk(directory: Path) -> Iterator[Path]:
    """Yield files in Keras' order, but fail where Keras would silently skip a closed folder."""
    found = os.walk(directory, onerror=_raise_unreadable)
    for parent, _, names in sorted(found, key=lambda entry: entry[0]):
        for name in sorted(names):
            yield Path(parent, name)


def _subfolders(directory: Path) -> tuple[str, ...]:
    return tuple(
        name
        for name in _names(directory)
        if not name.startswith(".") and (directory / name).is_dir()
    )


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - names, as Keras sorts them
    except OSError as error:
        _raise_unreadable(error)
        raise


def _raise_unreadable(error: OSError) -> None:
    raise DataError(
        f"Expected to read the folder {error.filename}, found: {error.strerror}. Give yourself"
        " permission to read and enter it (chmod u+rx), or move it away."
    ) from error


def _what_else(directory: Path) -> str:
    """Say which files lie where class folders belong: the usual reason for not finding any."""
    files = [name for name in _names(directory) if (directory / name).is_file()]
    if not files:
        return ""
    return f" but {len(files)} files, such as {files[0]!r}"


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
