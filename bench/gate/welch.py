"""Two means that were measured apart, each known by its interval only: how far apart are they?

Two runs share no blocks, so nothing pairs them: their errors add up, and Student's quantile takes
the degrees of freedom of Welch 1947, Biometrika 34(1/2), https://doi.org/10.1093/biomet/34.1-2.28
(Satterthwaite's formula). This is looked at once, so ordinary bounds do; after every further block
it would be `bench.gate.sequences`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import stdtrit

from bench.gate.sequences import Bounds
from bench.stats import CONFIDENCE, MAX_FORESEEABLE_BLOCKS, MIN_BLOCKS


@dataclass(frozen=True)
class Mean:
    """A mean of so many blocks, with its standard error."""

    centre: float
    error: float
    blocks: int


@dataclass(frozen=True)
class Difference:
    """How far a mean is above another, with its standard error and degrees of freedom."""

    centre: float
    error: float
    freedom: float

    def bounds(self, error: float) -> Bounds:
        """Where the difference lies, but for this chance, both sides together."""
        half = self.half_width(error)
        return Bounds(self.centre - half, self.centre + half)

    def half_width(self, error: float) -> float:
        """Half the width of those bounds."""
        return _student(self.freedom, error) * self.error


def mean_of(low: float, high: float, blocks: int) -> Mean | None:
    """The mean behind a 95 % Student interval of so many blocks; None if it cannot be one.

    An interval without width is none: no two times agree to the last digit.
    """
    if blocks < MIN_BLOCKS or not low < high:
        return None
    quantile = _student(blocks - 1, 1 - CONFIDENCE)
    return Mean((low + high) / 2, (high - low) / 2 / quantile, blocks)


def difference(base: Mean, other: Mean) -> Difference:
    """`other` less `base`."""
    variance = base.error**2 + other.error**2
    parts = (item.error**4 / (item.blocks - 1) for item in (base, other))
    return Difference(other.centre - base.centre, math.sqrt(variance), variance**2 / sum(parts))


def blocks_for(base: Mean, other: Mean, half: float, error: float) -> int | None:
    """Blocks on each side after which half the width is at most `half`; None if beyond reason."""
    for blocks in range(MIN_BLOCKS, MAX_FORESEEABLE_BLOCKS + 1):
        sides = (
            Mean(m.centre, m.error * math.sqrt(m.blocks / blocks), blocks) for m in (base, other)
        )
        if difference(*sides).half_width(error) <= half:
            return blocks
    return None


def _student(freedom: float, error: float) -> float:
    return float(stdtrit(freedom, 1 - error / 2))
