"""Where levels changed to stay: change points by PELT, an exact search over all segmentations.

Killick, Fearnhead and Eckley 2012, JASA 107(500), arXiv:1101.1438; the search is that of ruptures
(Truong, Oudre and Vayatis 2020, Signal Processing 167). It finds the segmentation whose cost, and a
penalty for each change point, is the smallest.

**Which statistic.** A segmentation of *levels* by their means would be wrong for a chain: where
each commit is held against its parent, levels are a random walk of measurement errors, and means
change all along it. Independent are the measurements, so the cost is theirs: a segment holds
commits of one true level, hence, in units of a measurement's standard error,

- a measurement against a commit of the same segment is an error and nothing else: its square;
- measurements against one commit of an earlier segment agree but for errors: the sum of squares
  around their weighted mean.

With one fixed reference this is the usual cost of a change in mean. In a chain it is that of
increments of mean 0, of which the one at a change point is free: no mean is fitted, for a step of
levels is a single increment. Histories that change from release to release as reference are both.

**Penalty.** One change point more saves no more, where nothing changed, than the largest of n
squared standard normals (each place is one; they depend on each other, which the bound allows for).
So the penalty is the square of the normal quantile at 1 - E/(2n): of histories of n measurements in
which nothing changes, no more than about E carry a mark, E = 5 % as for the error bars beside them.
It grows like the 2 log n of the universal threshold (Donoho and Johnstone 1994, Biometrika 81).

**Standard errors** are half the intervals over 1.96 (for Student intervals of few blocks that is
too much on average), or the scatter of neighbouring commits where that is larger, since a build may
move a level by itself: 1.4826 times the median absolute difference, which a few steps do not move
(Hampel 1974, JASA 69). Scatter takes `FEWEST` measurements, so before them nothing is marked.

**What it reaches**, simulated over 10 to 200 commits with standard errors of 2 % (in short in
tests/bench/gate/test_change_points.py): without a change, 2 to 4.5 % of chains carry a mark, and
0.3 to 1.5 % of histories with fixed references. A step of 10 % is found, within one commit, in at
least 99 % where the reference is fixed, and in 82 to 89 % where it is the parent: there one
increment is all that shows it, and the rest is the price of E. Intervals of three to five blocks
are wider than 1.96 standard errors, and cost more. A slow slope in a chain is no step, and is not
marked; a fixed reference shows it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import ruptures
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.gate.levels import Point
from bench.stats import CONFIDENCE

FALSE_MARKS = 0.05
FEWEST = 8
# Nobody wants a mark for less, and measurements that agree to the last digit are not that sure.
LEAST_SPREAD = 0.001
_MAD_TO_SPREAD = 1.4826
_HALF_TO_SPREAD = float(ndtri((1 + CONFIDENCE) / 2))


@dataclass(frozen=True)
class ChangePoint:
    """A commit from which on the level is another one; `size` on the scale of levels."""

    index: int
    size: float


def find(track: Sequence[Point]) -> tuple[ChangePoint, ...] | None:
    """The change points of a track; None of fewer than `FEWEST` measurements, or no interval."""
    if len(track) <= FEWEST:
        return None
    errors = standard_errors(track)
    if errors is None:
        return None
    cost = _MeasurementCost(errors)
    search = ruptures.Pelt(custom_cost=cost, min_size=1, jump=1)
    ends = search.fit(_signal(track)).predict(pen=penalty(len(track) - 1))
    starts = [0, *ends[:-1], len(track)]
    triples = zip(starts, starts[1:], starts[2:], strict=False)
    return tuple(
        ChangePoint(middle, _size(track, start, middle, end)) for start, middle, end in triples
    )


def penalty(measurements: int) -> float:
    """What a change point must save, with so many measurements; see the module."""
    return float(ndtri(1 - FALSE_MARKS / (2 * measurements))) ** 2


def standard_errors(track: Sequence[Point]) -> list[float] | None:
    """One a measurement of the track (that is, all points but the first); None if none is known.

    A measurement without an interval is taken to be as unsure as the least sure one.
    """
    halves = [point.half for point in track[1:]]
    known = [half for half in halves if half is not None]
    if not known:
        return None
    least = max(LEAST_SPREAD, _scatter(track))
    own = [(max(known) if half is None else half) / _HALF_TO_SPREAD for half in halves]
    return [max(error, least) for error in own]


def _scatter(track: Sequence[Point]) -> float:
    """The spread of a measurement, from neighbours; 0 from fewer than `FEWEST`."""
    found = [
        abs(point.change - before.change) / math.sqrt(2)
        if point.reference == before.reference
        else abs(point.change)
        for index, (before, point) in enumerate(pairwise(track))
        if point.reference in (index, before.reference)
    ]
    return _MAD_TO_SPREAD * float(np.median(found)) if len(found) >= FEWEST else 0.0


def _size(track: Sequence[Point], start: int, middle: int, end: int) -> float:
    """The step at `middle`: its own measurement if against its neighbour, else between means."""
    if track[middle].reference == middle - 1:
        return track[middle].change
    before, after = track[start:middle], track[middle:end]
    return float(np.mean([p.level for p in after]) - np.mean([p.level for p in before]))


def _signal(track: Sequence[Point]) -> NDArray[np.float64]:
    """Per point: its change and the index of its reference (its own for the first)."""
    rows = [(p.change, i if p.reference is None else p.reference) for i, p in enumerate(track)]
    return np.asarray(rows, dtype=np.float64)


class _MeasurementCost(ruptures.base.BaseCost):
    """The cost that the module describes."""

    model = "measurements"
    min_size = 1

    def __init__(self, errors: Sequence[float]) -> None:
        self._weights = [0.0, *(error**-2 for error in errors)]
        self._rows: dict[int, list[float]] = {}

    def fit(self, signal: NDArray[np.float64]) -> _MeasurementCost:
        """Take the measurements."""
        self.signal = signal
        self._changes = [float(change) for change, _ in signal]
        self._references = [int(reference) for _, reference in signal]
        return self

    def error(self, start: int, end: int) -> float:
        """The cost of the segment from `start` up to but not `end`."""
        if start not in self._rows:
            self._rows[start] = self._costs_from(start)
        return self._rows[start][end - start - 1]

    def _costs_from(self, start: int) -> list[float]:
        """The costs of all segments that begin at `start`, each from the one before it."""
        total, costs = 0.0, []
        means: dict[int, tuple[float, float]] = {}
        for index in range(start, len(self._changes)):
            change, weight = self._changes[index], self._weights[index]
            reference = self._references[index]
            if reference >= start:
                total += weight * change**2
            else:
                mean, known = means.get(reference, (change, 0.0))
                both = known + weight
                total += known * weight / both * (change - mean) ** 2
                means[reference] = (mean + weight / both * (change - mean), both)
            costs.append(total)
        return costs
