"""The claim map: a candidate's speedup over a baseline against the speed of the device. Pure.

Its points are emulated runs that differ in nothing but how long the device takes for a step. A slow
device sets the pace of every pipeline, so that none is faster; a fast one waits for them, and the
speedup tends to that of the pipelines alone. Between, `bench.queueing` says what to expect, and the
line through the points takes that shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from bench.queueing import steady_epoch
from bench.schema import ClaimSpec
from bench.stats import Interval

# A line needs two ends.
LEAST_POINTS = 2
# Parts of the line between two points: from 128 to 640 images/s, steps of 2.5 %.
PARTS = 64

Shape = Callable[[float], float]


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
class Estimate:
    """Times as fast on a device of that speed; without an interval both ends are the centre."""

    images_per_s: float
    low: float
    centre: float
    high: float


@dataclass(frozen=True)
class Crossing:
    """From which device speed on (images/s) the claim's factor is reached.

    Attributes:
        at: by the centres of the line.
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

    @property
    def line(self) -> tuple[Estimate, ...]:
        """The points and estimates between them."""
        return line(self.points, shape_of(self.loaders, self.batch_size))


def straight(_images_per_s: float) -> float:
    """The shape of a line that bends nowhere on log scales."""
    return 1.0


def shape_of(loaders: Loaders | None, batch_size: int) -> Shape:
    """What the pipelines alone let expect at a speed; straight where they were not timed alone."""
    if loaders is None:
        return straight
    return lambda images_per_s: loaders.expected(batch_size / images_per_s)


def line(points: Sequence[MapPoint], shape: Shape = straight) -> tuple[Estimate, ...]:
    """The points, sorted by speed, and estimates between them.

    What was measured, over `shape`, goes straight on log scales from each point to the next. With
    the shape of the loaders the line bends where the queue does, as where a device becomes faster
    than the candidate's pipeline; a straight line between few points cuts that corner off.
    """
    measured = [_measured(point) for point in points]
    shares = [part / PARTS for part in range(1, PARTS)]
    legs = [(a, *(_between(a, b, share, shape) for share in shares)) for a, b in pairwise(measured)]
    return (*chain.from_iterable(legs), measured[-1])


def crossing(points: Sequence[MapPoint], target: float, shape: Shape = straight) -> Crossing:
    """Where the line through a sweep, sorted by speed, reaches the target."""
    curve = line(points, shape)
    banded = all(point.speedup.low is not None for point in points)
    return Crossing(
        at=_last_rise(curve, lambda item: item.centre, target),
        earliest=_first_rise(curve, lambda item: item.high, target) if banded else None,
        latest=_last_rise(curve, lambda item: item.low, target) if banded else None,
    )


def _measured(point: MapPoint) -> Estimate:
    value = point.speedup
    low = value.median if value.low is None else value.low
    high = value.median if value.high is None else value.high
    return Estimate(point.images_per_s, low, value.median, high)


def _between(a: Estimate, b: Estimate, share: float, shape: Shape) -> Estimate:
    """The line at a share of the way from a to b."""
    speed = _mix(a.images_per_s, b.images_per_s, share)
    start, here, end = (shape(item) for item in (a.images_per_s, speed, b.images_per_s))
    low, centre, high = (
        here * _mix(left / start, right / end, share)
        for left, right in ((a.low, b.low), (a.centre, b.centre), (a.high, b.high))
    )
    return Estimate(speed, low, centre, high)


def _mix(a: float, b: float, share: float) -> float:
    """At a share of the way from a to b, on a log scale."""
    return math.exp((1 - share) * math.log(a) + share * math.log(b))


Which = Callable[[Estimate], float]


def _first_rise(curve: Sequence[Estimate], which: Which, target: float) -> float | None:
    """From where on the curve first reaches the target; the slowest device if it begins there."""
    if which(curve[0]) >= target:
        return curve[0].images_per_s
    rises = (_rise(a, b, which, target) for a, b in pairwise(curve))
    return next((found for found in rises if found is not None), None)


def _last_rise(curve: Sequence[Estimate], which: Which, target: float) -> float | None:
    """From where on the curve reaches the target and stays there to the end of the sweep."""
    if which(curve[-1]) < target:
        return None
    for a, b in reversed(list(pairwise(curve))):
        found = _rise(a, b, which, target)
        if found is not None:
            return found
    return curve[0].images_per_s


def _rise(a: Estimate, b: Estimate, which: Which, target: float) -> float | None:
    """Where a straight line on log scales, from below the target to it, crosses; else None."""
    low, high = which(a), which(b)
    if not low < target <= high:
        return None
    return _mix(a.images_per_s, b.images_per_s, math.log(target / low) / math.log(high / low))
