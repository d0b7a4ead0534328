"""What an accuracy may owe to something else than leaves: two controls on a split.

1. The border alone: how well the outermost pixels tell the class (`leafmodel.data.border`).
2. Near-duplicates: held-out images whose leaf was photographed for training as well
   (`leafmodel.data.near_duplicates`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from leafmodel.data import border, near_duplicates
from leafmodel.data.check import DECODE_ERRORS, strict_pillow
from leafmodel.data.folder import ImageFile
from leafmodel.data.near_duplicates import Match, Print
from leafmodel.errors import DataError
from leafmodel.evaluate import wilson

MOST_LEARNT = 5_000  # images; the border's classifier holds a matrix of their square
MOST_LISTED = 20
SEED = 0


@dataclass(frozen=True)
class BorderLeak:
    """How many of the held-out images the border alone names rightly, with a 95 % interval.

    `guess` is the share of the largest held-out class: what is right without looking;
    `training_images` were learnt from, at most `MOST_LEARNT`.
    """

    images: int
    training_images: int
    accuracy: float
    low: float
    high: float
    guess: float

    @property
    def tells_the_class(self) -> bool:
        """Whether the whole interval lies above a guess."""
        return self.low > self.guess


@dataclass(frozen=True)
class DuplicatePair:
    """A held-out image and the training image that shows the same leaf, as `folder/name`.

    `points` agree between the two; their hashes differ in `bits` of 64.
    """

    held_out: str
    training: str
    same_class: bool
    bits: int
    points: int


@dataclass(frozen=True)
class Duplicates:
    """Held-out images with a near-duplicate in training, and the surest pairs (at most 20)."""

    images: int
    count: int
    same_class: int
    pairs: tuple[DuplicatePair, ...]

    @property
    def share(self) -> float:
        """Of the held-out images."""
        return self.count / self.images


@dataclass(frozen=True)
class LeakAudit:
    """Both controls on one split."""

    border: BorderLeak
    duplicates: Duplicates


@dataclass(frozen=True, eq=False)
class _Look:
    ring: border.Features
    print: Print


def audit(
    train: Sequence[ImageFile],
    held_out: Sequence[ImageFile],
    class_names: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> LeakAudit:
    """Read every image once, and ask both controls.

    Two cores take about 25 s for 2,520 and 560 images, and each image needs 10 kB of memory.

    Args:
        progress: called with (images done, images in all).

    Raises:
        DataError: nothing to train on or to hold out, or an image that cannot be read.
    """
    if not train or not held_out:
        raise DataError(
            f"Expected training and held-out images to compare, found {len(train)} and "
            f"{len(held_out)}. Choose a split that has both."
        )
    looks = _look_at_all([*train, *held_out], progress)
    known, asked = looks[: len(train)], looks[len(train) :]
    return LeakAudit(
        border=_border(train, held_out, known, asked, len(class_names)),
        duplicates=_duplicates(train, held_out, known, asked),
    )


def _look_at_all(
    files: Sequence[ImageFile], progress: Callable[[int, int], None] | None
) -> list[_Look]:
    """In threads: decoding, resizing and ORB release the interpreter lock."""
    looks: list[_Look] = []
    with strict_pillow(), ThreadPoolExecutor() as pool:
        for look in pool.map(_look, [file.path for file in files]):
            looks.append(look)
            if progress is not None:
                progress(len(looks), len(files))
    return looks


def _look(path: Path) -> _Look:
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except DECODE_ERRORS as error:
        raise DataError(
            f"Expected an image in {path}, found: {error or type(error).__name__}. Mend it, or "
            "leave it out."
        ) from error
    return _Look(border.ring_features(np.asarray(image)), near_duplicates.fingerprint(image))


def _border(
    train: Sequence[ImageFile],
    held_out: Sequence[ImageFile],
    known: Sequence[_Look],
    asked: Sequence[_Look],
    classes: int,
) -> BorderLeak:
    # Drawn at random: every n-th image could be of one class.
    learnt = np.random.default_rng(SEED).permutation(len(train))[:MOST_LEARNT].tolist()
    labels = np.array([train[at].label for at in learnt])
    truth = np.array([file.label for file in held_out])
    answer = border.kernel_classifier(
        np.stack([known[at].ring for at in learnt]), np.stack([look.ring for look in asked])
    )
    called = answer(border.centred_targets(labels, classes)).argmax(axis=1)
    accuracy = float((called == truth).mean())
    low, high = wilson(accuracy, len(truth))
    guess = float(np.bincount(truth).max() / len(truth))
    return BorderLeak(len(truth), len(labels), accuracy, low, high, guess)


def _duplicates(
    train: Sequence[ImageFile],
    held_out: Sequence[ImageFile],
    known: Sequence[_Look],
    asked: Sequence[_Look],
) -> Duplicates:
    prints = [look.print for look in known]
    labels = np.array([file.label for file in train])

    def search(file: ImageFile, look: _Look) -> Match | None:
        return near_duplicates.repeated(look.print, prints, labels == file.label)

    with ThreadPoolExecutor() as pool:
        found = [
            _pair(file, train[match.known], match)
            for file, match in zip(held_out, pool.map(search, held_out, asked), strict=True)
            if match is not None
        ]
    found.sort(key=lambda pair: (-pair.points, pair.bits, pair.held_out))
    same = sum(pair.same_class for pair in found)
    return Duplicates(len(held_out), len(found), same, tuple(found[:MOST_LISTED]))


def _pair(held_out: ImageFile, training: ImageFile, match: Match) -> DuplicatePair:
    def short(file: ImageFile) -> str:
        return "/".join(file.path.parts[-2:])

    return DuplicatePair(
        held_out=short(held_out),
        training=short(training),
        same_class=held_out.label == training.label,
        bits=match.bits,
        points=match.points,
    )
