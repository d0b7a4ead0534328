"""The claim map: a candidate's speedup over a baseline against the speed of the device. Pure.

Its points are emulated runs that differ in nothing but how long the device takes for a step. A slow
device sets the pace of every pipeline, so that none is faster; a fast one waits for them, and the
speedup tends to that of the pipelines alone. Between, `bench.queueing` says what to expect.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.queueing import steady_epoch
from bench.schema import ClaimSpec
from bench.stats import Interval

# A line needs two ends.
LEAST_POINTS = 2


@dataclass(frozen=True)
class Loaders:
    """The two pipelines drained with no model: seconds a batch, and batches an epoch."""

    baseline_s: float
    candidate_s: float
    batches: int
    ahead: int

    @property
    def speedup(self) -> float:
        """On a device that takes no time."""
        return self.baseline_s / self.candidate_s

    def expected(self, step_s: float) -> float:
        """The speedup that the two-stage queue gives where a step takes so long for both."""
        base, other = (
            steady_epoch(make_s, step_s, self.batches, self.ahead)
            for make_s in (self.baseline_s, self.candidate_s)
        )
        return base / other


@dataclass(frozen=True)
class MapPoint:
    """One emulated run.

    Attributes:
        images_per_s: that the device trains if it never waits, augmentation apart.
        speedup: of the candidate over the baseline.
        ceiling: the most that any pipeline could give there.
    """

    images_per_s: float
    speedup: Interval
    ceiling: Interval | None


@dataclass(frozen=True)
class Crossing:
    """From which device speed on (images/s) the claim's factor is reached.

    Attributes:
        at: by the centres, interpolated on log scales.
        earliest: from where on the band's upper end reaches it; below, it is refuted.
        latest: from where on the lower end does and stays there; above, it is supported.
            All are None where that does not happen in the sweep.
    """

    at: float | None
    earliest: float | None
    latest: float | None


@dataclass(frozen=True)
class KnownDevice:
    """A device of a profile: the speeds (images/s) that its range allows; equal if it has none."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class ClaimMap:
    """A sweep over device speeds, the slowest first.

    `step_s` turns a speed into the seconds of a full batch's step: batch size over speed.
    """

    phase: str
    claim: ClaimSpec
    batch_size: int
    points: tuple[MapPoint, ...]
    crossing: Crossing
    loaders: Loaders | None
    known: tuple[KnownDevice, ...] = ()

    @property
    def slowest(self) -> MapPoint:
        """The slowest device of the sweep."""
        return self.points[0]

    @property
    def fastest(self) -> MapPoint:
        """The fastest device of the sweep."""
        return self.points[-1]

    def expected(self, images_per_s: float) -> float | None:
        """What the pipelines alone let expect; None where they were not timed alone."""
        return self.loaders.expected(self.batch_size / images_per_s) if self.loaders else None


def crossing(points: Sequence[MapPoint], target: float) -> Crossing:
    """Where a sweep, sorted by speed, reaches the target."""
    banded = all(point.speedup.low is not None for point in points)
    return Crossing(
        at=_last_rise(points, lambda value: value.median, target),
        earliest=_first_rise(points, _high, target) if banded else None,
        latest=_last_rise(points, _low, target) if banded else None,
    )


def _low(value: Interval) -> float:
    return value.median if value.low is None else value.low


def _high(value: Interval) -> float:
    return value.median if value.high is None else value.high


Curve = Callable[[Interval], float]


def _first_rise(points: Sequence[MapPoint], curve: Curve, target: float) -> float | None:
    """From where on the curve first reaches the target; the slowest device if it begins there."""
    if curve(points[0].speedup) >= target:
        return points[0].images_per_s
    rises = (_between(a, b, curve, target) for a, b in pairwise(points))
    return next((found for found in rises if found is not None), None)


def _last_rise(points: Sequence[MapPoint], curve: Curve, target: float) -> float | None:
    """From where on the curve reaches the target and stays there to the end of the sweep."""
    if curve(points[-1].speedup) < target:
        return None
    for a, b in reversed(list(pairwise(points))):
        found = _between(a, b, curve, target)
        if found is not None:
            return found
    return points[0].images_per_s


def _between(a: MapPoint, b: MapPoint, curve: Curve, target: float) -> float | None:
    """Where a straight line on log scales, from below the target to it, crosses; else None."""
    low, high = curve(a.speedup), curve(b.speedup)
    if not low < target <= high:
        return None
    share = math.log(target / low) / math.log(high / low)
    return a.images_per_s * math.exp(share * math.log(b.images_per_s / a.images_per_s))
