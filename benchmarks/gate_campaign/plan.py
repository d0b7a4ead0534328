"""Which live decisions the campaign makes, in which order."""

from __future__ import annotations

import random
from dataclasses import dataclass

from bench.turns import Place

SIZES = (0.03, 0.05, 0.10, 0.20)
SEED = 20_261_125


@dataclass(frozen=True)
class Case:
    """One decision: the same code on both sides, the head made slower by `plant` at `place`.

    `neighbour`: another process takes a core now and then while it is made.
    """

    number: int
    plant: float
    place: Place
    neighbour: bool

    @property
    def kind(self) -> str:
        """`same`, `same-neighbour`, `model-10`."""
        if self.plant == 0:
            return "same-neighbour" if self.neighbour else "same"
        return f"{self.place}-{round(self.plant * 100)}"

    @property
    def name(self) -> str:
        """The name of its folder; sorts in the order of execution."""
        return f"{self.number:03d}-{self.kind}"


def cases(same: int = 20, each: int = 2, neighbours: int = 4) -> tuple[Case, ...]:
    """The cases in a seeded order in which every stretch holds some of each kind.

    Args:
        same: decisions between equal code. neighbours: more of them, beside a busy process.
        each: decisions for each size at each place.
    """
    planted = [(size, place, False) for place in Place for size in SIZES] * each
    equal = [(0.0, Place.MODEL, False)] * same
    busy = [(0.0, Place.MODEL, True)] * neighbours
    kinds = planted + equal + busy
    random.Random(SEED).shuffle(kinds)
    return tuple(Case(number, *kind) for number, kind in enumerate(kinds))
