"""Bounds that hold however often one looks: a gate decides after every block.

A 95 % interval that is looked at after each of many blocks is wrong far more often than in 5 % of
runs. A *confidence sequence* holds at all looks at once. This one is for a normal mean of unknown
spread: a mixture of Student likelihood ratios over effect sizes (mean over spread), normal around
nothing, with the right Haar prior on the spread; the ratio is a martingale of expectation 1 where
the mean is the tested one, so Ville's inequality bounds how often it ever exceeds 1/error.
Lai 1976, Ann. Statist. 4(2); Wang and Ramdas 2023, arXiv:2310.03722 (section 4: the scale-invariant
Gaussian mixture); the same ratio is the Bayes factor of Gonen et al. 2005, Am. Stat. 59(3).

Blocks are means over many turns, so nearly normal; how far recorded noise departs from that is what
`benchmarks/gate_campaign` measures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 3
# Precision of the mixture over effect sizes: most mass within about three spreads, which is where
# slowdowns that a gate can decide within ten blocks or so lie. It changes how soon, never how sure.
PRECISION = 0.1


@dataclass(frozen=True)
class Bounds:
    """Where a mean lies; infinite while nothing can be said."""

    low: float
    high: float


_NOWHERE = Bounds(-math.inf, math.inf)


def bounds(values: Sequence[float], error: float, *, least_spread: float = 0.0) -> Bounds:
    """Where the values' mean lies, by all looks so far: what one look excluded stays excluded.

    Looks that exclude each other entirely (values that are no sample of one mean) leave the last.

    Args:
        error: the chance that the mean is ever outside, over all looks, both sides together.
        least_spread: the spread is taken to be no smaller: values that agree by luck, or that can
            only change in whole steps, are not that sure.
    """
    looks = [
        look(values[:count], error, least_spread=least_spread)
        for count in range(FEWEST, len(values) + 1)
    ]
    if not looks:
        return _NOWHERE
    all_looks = Bounds(max(item.low for item in looks), min(item.high for item in looks))
    return all_looks if all_looks.low <= all_looks.high else looks[-1]


def look(values: Sequence[float], error: float, *, least_spread: float = 0.0) -> Bounds:
    """Where the mean lies by one look, at all of these values; see `bounds`."""
    width = half_width(len(values), error)
    if math.isinf(width):
        return _NOWHERE
    array = np.asarray(values, dtype=np.float64)
    half = width * max(float(np.std(array, ddof=1)), least_spread)
    centre = float(np.mean(array))
    return Bounds(centre - half, centre + half)


def half_width(count: int, error: float) -> float:
    """Half the width for a spread of 1 after `count` values; infinite while it is not bounded.

    With t the Student statistic of `count` values against a tested mean, n = count, v = n - 1 and
    the precision g, the ratio is sqrt(g/(n+g)) [(1 + t²/v) / (1 + t² g/((n+g) v))]^(n/2). The
    bound is where it equals 1/error.
    """
    if count < FEWEST:
        return math.inf
    precision, freedom = PRECISION, count - 1
    ratio = (precision + count) / precision
    limit = (math.sqrt(ratio) / error) ** (2 / count)
    shrink = 1 - limit / ratio
    if shrink <= 0:
        return math.inf
    return math.sqrt(freedom * (limit - 1) / shrink / count)


def count_for(half: float, spread: float, error: float, most: int = 400) -> int | None:
    """The count after which half the width is at most `half`; None beyond `most`."""
    for count in range(FEWEST, most + 1):
        if half_width(count, error) * spread <= half:
            return count
    return None
