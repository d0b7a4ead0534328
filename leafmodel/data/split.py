"""Which images train, which validate, and a smaller folder with the same mix of classes.

The split is the one that `keras.utils.image_dataset_from_directory(validation_split=...)` makes,
file for file and in its order, so that a pipeline that reads a list of files and one that hands the
folder to Keras do the same work. That order is what NumPy's frozen legacy generator gives; tests
hold it against the installed Keras.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from leafmodel.data.folder import Folder, ImageFile
from leafmodel.errors import DataError

_FEWEST_PER_CLASS = 2  # one to train on, and one that the split may take for validation


@dataclass(frozen=True)
class Split:
    """Images to train on and to validate with, in Keras' shuffled order; test in folder order."""

    class_names: tuple[str, ...]
    train: tuple[ImageFile, ...]
    validation: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...]
    seed: int


def split(folder: Folder, *, validation_fraction: float = 1 / 6, seed: int = 0) -> Split:
    """Part the training images as Keras does: shuffle all of them, cut the validation off the end.

    Raises DataError if there would be nothing to validate with, or a class without an image to
    train on.
    """
    _require_seed(seed)
    if not 0 < validation_fraction < 1:
        raise DataError(
            "Expected a validation fraction between 0 and 1 (both excluded), found"
            f" {validation_fraction}. The paper's is 1/6."
        )
    files = list(folder.training)
    np.random.RandomState(seed).shuffle(files)  # type: ignore[arg-type]
    held_out = int(validation_fraction * len(files))  # Keras' own rounding
    _require_validation(folder, held_out, validation_fraction)
    train = tuple(files[:-held_out])
    _require_every_class(folder, train, seed)
    return Split(folder.class_names, train, tuple(files[-held_out:]), folder.test, seed)


def limit(folder: Folder, images: int | None, *, seed: int = 0) -> Folder:
    """Keep `images` of the training images, each class by its share; None keeps all of them.

    Shares are rounded by largest remainder (the earlier class first in a tie), but every class
    keeps at least two images, or its only one. A class's images come off the front of one seeded
    order, so that more images for the same seed only ever add to a class whose share grows. Test
    images are thinned alike, to the same part of them.

    Raises DataError for fewer images than two a class.
    """
    _require_seed(seed)
    if images is None:
        return folder
    sizes = _sizes(folder.training, len(folder.class_names))
    fewest = sum(min(_FEWEST_PER_CLASS, size) for size in sizes)
    if images < fewest:
        raise DataError(
            f"Expected a limit of at least {fewest} images (two for each of the"
            f" {len(sizes)} classes of {folder.root}), found {images}. Raise the limit."
        )
    if images >= len(folder.training):
        return folder
    return replace(
        folder,
        training=_sample(folder.training, _shares(sizes, images), seed),
        test=_thinned_test(folder, images, seed),
    )


def _thinned_test(folder: Folder, images: int, seed: int) -> tuple[ImageFile, ...]:
    sizes = _sizes(folder.test, len(folder.class_names))
    wanted = round(len(folder.test) * images / len(folder.training))
    fewest = sum(min(_FEWEST_PER_CLASS, size) for size in sizes)
    return _sample(folder.test, _shares(sizes, max(wanted, fewest)), seed)


def _shares(sizes: Sequence[int], images: int) -> list[int]:
    """Deal seats to classes: each next seat goes to the class that is furthest below its share.

    With no lower bound this is the largest-remainder method; all in integers, so that no rounding
    of floats can decide a tie.
    """
    total = sum(sizes)
    shares = [min(_FEWEST_PER_CLASS, size) for size in sizes]
    claims = [
        (seat * total - images * size, label)
        for label, size in enumerate(sizes)
        for seat in range(shares[label], size)
    ]
    for _, label in sorted(claims)[: images - sum(shares)]:
        shares[label] += 1
    return shares


def _sample(files: Sequence[ImageFile], shares: Sequence[int], seed: int) -> tuple[ImageFile, ...]:
    kept: set[ImageFile] = set()
    for label, share in enumerate(shares):
        members = [file for file in files if file.label == label]
        order = np.random.RandomState([seed, label]).permutation(len(members))
        kept.update(members[index] for index in order[:share])
    return tuple(file for file in files if file in kept)


def _sizes(files: Sequence[ImageFile], classes: int) -> list[int]:
    found = Counter(file.label for file in files)
    return [found[label] for label in range(classes)]


def _require_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise DataError(f"Expected a seed from 0 to {2**32 - 1}, found {seed}. Choose another.")


def _require_validation(folder: Folder, held_out: int, fraction: float) -> None:
    """Check one part only: a fraction below 1 always leaves an image to train on."""
    if held_out == 0:
        raise DataError(
            f"Expected images to validate with in {folder.root}, found none: {fraction:.3g} of"
            f" {len(folder.training)} images rounds to 0. Add images, or raise the fraction."
        )


def _require_every_class(folder: Folder, train: Sequence[ImageFile], seed: int) -> None:
    present = {file.label for file in train}
    lost = [name for label, name in enumerate(folder.class_names) if label not in present]
    if lost:
        raise DataError(
            f"Expected every class of {folder.root} among the {len(train)} training images, found"
            f" none of {', '.join(map(repr, lost))} with seed {seed}. Add images to it, or choose"
            " another seed."
        )
