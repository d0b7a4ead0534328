"""Training by turns: a training waits, before each epoch, for the word of whoever conducts several.

Two trainings that train their epochs by turns share every slow second of the machine, which two
that run one after the other do not. The conductor sets `TURNS_VARIABLE` in the training's
environment and writes a line a turn to its standard input: how much slower this epoch is to be
made (0 as it is), and where. The training answers each turn with a line of progress
(`@epoch 3 20`) when the epoch is over. Input that ends early ends it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

from bench.errors import ConfigError
from bench.schema import require

TURNS_VARIABLE = "LEAFBENCH_TURNS"
# The folder into which a training that is not ours puts its record (see `bench.recorder`).
OUT_VARIABLE = "LEAFBENCH_OUT"


class Place(StrEnum):
    """Where a slowdown is planted."""

    MODEL = "model"
    PIPELINE = "pipeline"
    BOUNDARY = "boundary"


@dataclass(frozen=True)
class Turn:
    """An epoch that may be trained now, made slower by the share `plant` of its own time."""

    plant: float = 0.0
    place: Place = Place.MODEL

    def __post_init__(self) -> None:
        require(0 <= self.plant <= 10, f"plant must be a share from 0 to 10, found {self.plant}")

    def line(self) -> bytes:
        """The turn as it is told."""
        return f"go {self.plant!r} {self.place}\n".encode()


def is_conducted() -> bool:
    """Whether this process trains by turns."""
    return bool(os.environ.get(TURNS_VARIABLE))


def await_turn(conductor: IO[bytes]) -> Turn:
    """Wait for the next turn.

    Raises:
        ConfigError: the conductor went away, or said something else.
    """
    line = conductor.readline()
    if not line:
        raise ConfigError(
            "Expected the next turn on standard input, found its end: whoever conducted this "
            "training has gone. Start what conducts it again."
        )
    words = line.decode(errors="replace").split()
    try:
        go, plant, place = words
        if go != "go":
            raise ValueError(f"expected 'go', found {go!r}")
        return Turn(float(plant), Place(place))
    except ValueError as error:
        raise ConfigError(
            f"Expected a turn such as 'go 0.0 model' on standard input, found {line!r}: {error}."
        ) from error
