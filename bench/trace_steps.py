"""Where the profiled steps' time goes: pure arithmetic on intervals, in integer nanoseconds.

All times are from the begin of the first step. Nothing here knows how a trace is written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple, TypeVar

from bench.profile_schema import HAND_OVER, IDLE, Place, Share, StepReading
from bench.trace_work import Slice

Interval = tuple[int, int]
Cause = tuple[Place, str]
Key = TypeVar("Key", bound=Hashable)


class StepTime(NamedTuple):
    """A step: its number, and from where to where its time counts."""

    number: int
    begin_ns: int
    end_ns: int


class _Change(NamedTuple):
    """At this instant a wait (no cause) or work of a cause begins (+1) or ends (-1)."""

    at_ns: int
    cause: Cause | None
    by: int


def step_times(marks: Sequence[tuple[int, int, int]]) -> tuple[StepTime, ...]:
    """Steps from begin to begin, the last one to its end; marks are number, begin, end in order."""
    origin_ns = marks[0][1]
    inner = [StepTime(a[0], a[1] - origin_ns, b[1] - origin_ns) for a, b in pairwise(marks)]
    number, begin_ns, end_ns = marks[-1]
    return (*inner, StepTime(number, begin_ns - origin_ns, end_ns - origin_ns))


def union(intervals: Iterable[Interval], gap_ns: int = 0) -> tuple[Interval, ...]:
    """The instants in any of them, as disjoint intervals in order; gaps up to `gap_ns` filled."""
    joined: list[Interval] = []
    for begin_ns, end_ns in sorted(intervals):
        if joined and begin_ns <= joined[-1][1] + gap_ns:
            joined[-1] = joined[-1][0], max(joined[-1][1], end_ns)
        else:
            joined.append((begin_ns, end_ns))
    return tuple(joined)


def clip(intervals: Iterable[Interval], begin_ns: int, end_ns: int) -> tuple[Interval, ...]:
    """The parts of the intervals from `begin_ns` to `end_ns`; those of no length left out."""
    cut = ((max(a, begin_ns), min(b, end_ns)) for a, b in intervals)
    return tuple((a, b) for a, b in cut if a < b)


def length(intervals: Iterable[Interval]) -> int:
    """Their lengths, added up."""
    return sum(end_ns - begin_ns for begin_ns, end_ns in intervals)


def apportion(total_ns: int, weights: Mapping[Key, float]) -> dict[Key, int]:
    """Whole nanoseconds in proportion to the weights that add up to the total.

    Rounded down first; what is missing goes to the largest remainders. Weights may not all be 0,
    unless the total is.
    """
    scale = total_ns / sum(weights.values()) if total_ns else 0.0
    exact = {key: weight * scale for key, weight in weights.items()}
    parts = {key: int(value) for key, value in exact.items()}
    missing = total_ns - sum(parts.values())
    for key in sorted(parts, key=lambda key: parts[key] - exact[key])[:missing]:
        parts[key] += 1
    return parts


def part(
    steps: Sequence[StepTime], waits: Sequence[Interval], work: Sequence[Slice]
) -> tuple[StepReading, ...]:
    """Part every step's time among causes, without rest.

    While the step waits, an instant is divided among the pipeline's stages at work, a stage on two
    threads counting twice; it is `hand-over` if there are none. While it does not, the same with
    the kinds of the model's operations, and `idle`. `waits` are disjoint.
    """
    found = _gather(steps, waits, work)
    return tuple(_reading(step, waits, found[step.number]) for step in steps)


def _gather(
    steps: Sequence[StepTime], waits: Sequence[Interval], work: Sequence[Slice]
) -> Mapping[int, Mapping[Cause, float]]:
    """Nanoseconds by step and cause, not rounded yet."""
    found: dict[int, dict[Cause, float]] = defaultdict(lambda: defaultdict(float))
    remaining = iter(steps)
    step = next(remaining)
    for begin_ns, end_ns, causes in _stretches(steps, waits, work):
        while begin_ns >= step.end_ns:
            step = next(remaining)
        total = sum(causes.values())
        for cause, count in causes.items():
            found[step.number][cause] += (end_ns - begin_ns) * count / total
    return found


def _stretches(
    steps: Sequence[StepTime], waits: Sequence[Interval], work: Sequence[Slice]
) -> Iterator[tuple[int, int, Mapping[Cause, int]]]:
    """Stretches of the steps' time in which nothing changes, and how many are at each cause.

    The counts are only good until the next stretch.
    """
    active: dict[Place, Counter[Cause]] = {Place.INPUT: Counter(), Place.MODEL: Counter()}
    waiting = 0
    bounds = {step.begin_ns for step in steps} | {steps[-1].end_ns}
    cursor_ns = steps[0].begin_ns
    for at_ns, cause, by in _changes(bounds, waits, work):
        begin_ns, end_ns = cursor_ns, min(at_ns, steps[-1].end_ns)
        if begin_ns < end_ns:
            place, nothing = _PLACES[waiting > 0]
            yield begin_ns, end_ns, active[place] or {nothing: 1}
            cursor_ns = end_ns
        if cause is None:
            waiting += by
        else:
            _count(active[cause[0]], cause, by)


def _count(active: Counter[Cause], cause: Cause, by: int) -> None:
    """Add to the count of a cause; one that is not at work any more is no key."""
    active[cause] += by
    if not active[cause]:
        del active[cause]


# What an instant goes to outside and inside a wait: the place, and the cause if nothing is at work.
_PLACES: tuple[tuple[Place, Cause], tuple[Place, Cause]] = (
    (Place.MODEL, (Place.IDLE, IDLE)),
    (Place.INPUT, (Place.INPUT, HAND_OVER)),
)


def _changes(
    bounds: Iterable[int], waits: Sequence[Interval], work: Sequence[Slice]
) -> list[_Change]:
    """Everything that begins or ends, in order of time; bounds of steps change nothing else."""
    found = [_Change(at_ns, None, 0) for at_ns in bounds]
    for begin_ns, end_ns in waits:
        found += _Change(begin_ns, None, 1), _Change(end_ns, None, -1)
    for piece in work:
        cause = piece.place, piece.kind
        found += _Change(piece.begin_ns, cause, 1), _Change(piece.end_ns, cause, -1)
    return sorted(found, key=itemgetter(0))


def _reading(
    step: StepTime, waits: Sequence[Interval], causes: Mapping[Cause, float]
) -> StepReading:
    step_ns = step.end_ns - step.begin_ns
    wait_ns = length(clip(waits, step.begin_ns, step.end_ns))
    waited = {cause: ns for cause, ns in causes.items() if cause[0] is Place.INPUT}
    rest = {cause: ns for cause, ns in causes.items() if cause[0] is not Place.INPUT}
    whole = apportion(wait_ns, waited) | apportion(step_ns - wait_ns, rest)
    shares = (Share(*cause, ns) for cause, ns in whole.items() if ns)
    ordered = tuple(sorted(shares, key=lambda share: (-share.wall_ns, share.place, share.name)))
    return StepReading(step.number, step.begin_ns, step_ns, wait_ns, ordered)
