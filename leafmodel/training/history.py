"""What a training reached, epoch by epoch. Plain data, importable without TensorFlow."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import msgspec

_MEASURED = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class EpochResult:
    """One epoch.

    Attributes:
        epoch: counted from 1.
        loss, accuracy: on the training images, averaged over the epoch's steps; augmented images
            and dropout included. None where it is no finite number, here and below.
        val_loss, val_accuracy: on the validation images, after the epoch.
        learning_rate: of the epoch's last step.
        wall_s: of training and validation together.
    """

    epoch: int
    loss: float | None
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    wall_s: float

    def logs(self) -> dict[str, float]:
        """The measured values as Keras gives them to its callbacks."""
        values = {name: getattr(self, name) for name in _MEASURED}
        return {name: math.nan if value is None else value for name, value in values.items()}


def result_of(epoch: int, logs: dict[str, Any], wall_s: float) -> EpochResult:
    """The result of an epoch, counted from 1, from Keras' logs (and `learning_rate` in them)."""
    measured = {name: _finite(float(logs[name])) for name in _MEASURED}
    return EpochResult(
        epoch=epoch, **measured, learning_rate=float(logs["learning_rate"]), wall_s=wall_s
    )


def best_epoch(history: Iterable[EpochResult]) -> int | None:
    """The first epoch with the lowest validation loss; None if no loss was a number."""
    losses = [(item.val_loss, item.epoch) for item in history if item.val_loss is not None]
    return min(losses)[1] if losses else None


def to_json_lines(history: Sequence[EpochResult]) -> bytes:
    """An epoch a line."""
    return msgspec.json.Encoder().encode_lines(history)


def from_json_lines(data: bytes) -> tuple[EpochResult, ...]:
    """The reverse of `to_json_lines`.

    Raises:
        msgspec.MsgspecError: not such lines.
    """
    return tuple(msgspec.json.Decoder(EpochResult).decode_lines(data))


def to_csv(history: Sequence[EpochResult]) -> str:
    """An epoch a row, unrounded, with a header."""
    out = io.StringIO()
    names = [field.name for field in fields(EpochResult)]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(item) for item in history)
    return out.getvalue()


def from_csv(text: str) -> tuple[EpochResult, ...]:
    """The reverse of `to_csv`.

    Raises:
        msgspec.ValidationError: not such rows.
    """
    rows = [
        {name: None if value == "" else value for name, value in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]
    return msgspec.convert(rows, type=tuple[EpochResult, ...], strict=False)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
