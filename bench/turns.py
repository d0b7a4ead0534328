"""Training by turns: a worker waits, before each epoch, for the word of whoever conducts several.

Two workers that train their epochs by turns share every slow second of the machine, which two that
run one after the other do not. The conductor sets `TURNS_VARIABLE` in the worker's environment and
writes a line a turn to its standard input: how much slower this epoch is to be made (0 as it is),
and where. The end of the input ends the worker.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

from bench.errors import ConfigError

TURNS_VARIABLE = "LEAFBENCH_TURNS"


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
        raise ConfigError("Whoever conducted this worker went away: no turn came.")
    words = line.decode(errors="replace").split()
    try:
        go, plant, place = words
        if go != "go":
            raise ValueError
        return Turn(float(plant), Place(place))
    except ValueError as error:
        raise ConfigError(f"Expected a turn such as 'go 0.0 model', found {line!r}.") from error
