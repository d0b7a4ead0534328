"""What a saved model is and what it is worth: its card, inside the file that holds the model.

A `.keras` file is a zip archive, and Keras reads only the members that it knows. So the card is one
more member, `leafbench.json`: one file is enough to use a model, and plain Keras still loads it.
Reading a card needs no TensorFlow.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from leafmodel.errors import ModelError
from leafmodel.evaluate import CalibrationBin, Estimate, Evaluation

CARD_VERSION = 1
MEMBER = "leafbench.json"
SUFFIX = ".keras"
_LARGEST_CARD_BYTES = 10_000_000
_MENDABLE = "Train it again with leafbench train, or name another model."


@dataclass(frozen=True)
class Measured:
    """How a model did on a part of its images: `test`, or `validation`.

    `bins` are those of the calibration: how often answers of some confidence were right.
    """

    part: str
    images: int
    accuracy: Estimate
    class_accuracy: Estimate
    calibration_error: Estimate
    bins: tuple[CalibrationBin, ...]


@dataclass(frozen=True)
class Images:
    """The images that a model was trained with; `fingerprint` covers the paths and bytes of all."""

    source: str
    fingerprint: str
    split_seed: int
    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Training:
    """How a model was trained.

    Attributes:
        phase: as it can be given to leafbench again; `settings` spells it out.
        start: the phase that it continued; empty if it began anew.
        backbone, weights: empty where the network was trained from zero.
        variant: the input pipeline.
        epochs: that were trained; `best_epoch` of them, counted from 1, is what was saved.
        stopped_early: whether early stopping ended it.
    """

    phase: str
    summary: str
    settings: Mapping[str, str]
    start: str
    backbone: str
    weights: str
    variant: str
    batch_size: int
    epochs: int
    best_epoch: int
    stopped_early: bool
    wall_s: float


@dataclass(frozen=True)
class Card:
    """All that is known of a saved model.

    Attributes:
        class_names: in the order of its outputs.
        image_size: side in pixels of the square RGB images that it takes, in 0-255.
        measured: the test images first, if there are any; then the validation images.
        created_at: UTC, ISO 8601.
        versions: package -> version.
    """

    card_version: int
    class_names: tuple[str, ...]
    image_size: int
    images: Images
    training: Training
    measured: tuple[Measured, ...]
    created_at: str
    versions: Mapping[str, str]


def measured(part: str, found: Evaluation) -> Measured:
    """What a card keeps of an evaluation."""
    return Measured(
        part=part,
        images=found.images,
        accuracy=found.accuracy,
        class_accuracy=found.class_accuracy,
        calibration_error=found.calibration_error,
        bins=found.bins,
    )


def write_card(path: Path, card: Card) -> None:
    """Put the card into a `.keras` file that has none yet."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, msgspec.json.format(msgspec.json.encode(card), indent=1))


def read_card(path: Path) -> Card:
    """The card of a saved model.

    Raises:
        ModelError: no such file, not a whole model file, not one of leafbench, or of a newer one.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise ModelError(f"Expected a model at {path}: {what}. Name a {SUFFIX} file.")
    try:
        with zipfile.ZipFile(path) as archive:
            data = _member(archive, path)
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise ModelError(
            f"{path} is not a whole {SUFFIX} file ({error}): it was cut off while being copied, or "
            f"is something else. {_MENDABLE}"
        ) from error
    if damaged is not None:
        raise ModelError(f"{path} is damaged: the checksum of {damaged} is wrong. {_MENDABLE}")
    return _decoded(data, path)


def _member(archive: zipfile.ZipFile, path: Path) -> bytes:
    if MEMBER not in archive.namelist():
        raise ModelError(
            f"{path} holds no {MEMBER}, in which leafbench train writes the names of the classes: "
            f"it was saved by something else. {_MENDABLE}"
        )
    if archive.getinfo(MEMBER).file_size > _LARGEST_CARD_BYTES:
        raise ModelError(f"{path} has a {MEMBER} of absurd size. {_MENDABLE}")
    return archive.read(MEMBER)


def _decoded(data: bytes, path: Path) -> Card:
    try:
        head = msgspec.json.decode(data, type=dict[str, Any])
        version = head.get("card_version")
        if isinstance(version, int) and version > CARD_VERSION:
            raise ModelError(
                f"{path} has a card of version {version}, this leafbench reads up to "
                f"{CARD_VERSION}: install the leafbench that trained it, or a newer one."
            )
        return msgspec.convert(head, type=Card)
    except msgspec.MsgspecError as error:
        raise ModelError(f"The {MEMBER} in {path} is no card ({error}). {_MENDABLE}") from error
