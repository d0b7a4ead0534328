"""A history becomes levels over commits: pure.

A verdict says how far a commit is from its reference, so levels chain: the level of a commit is
that of its reference and the change against it. Commits that hang together so form a *track*, whose
first commit, the reference of the others, has the level 1. No seconds are compared: each change was
formed inside one job, on one machine, and only changes are chained.

Times and memory chain as ratios (changes add up on the log scale). Input wait and boundary gap,
which gates count as a share of the reference's epoch, and accuracy, in points, chain as they are.

**What chaining does to errors.** Measurements are independent, levels are not. Where every commit
is held against one fixed reference, errors do not add up, and error bars stay as wide as one
measurement. Where each is held against its parent, a level holds the errors of all measurements
before it: it is a random walk even if nothing ever changes, and error bars grow with the root of
the number of links. `bench.gate.change_points` works from the measurements for that reason.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.gate.history import Entry, Outcome
from bench.gate.metrics import KINDS, Unit
from bench.gate.schema import Verdict


@dataclass(frozen=True)
class Point:
    """A commit with its level, on the scale on which changes add up.

    Attributes:
        reference: index in the track of the commit that it was held against; None for the first.
        change: against the reference. half: half the width of its 95 % interval; None without one.
        level: against the first commit of the track. level_half: likewise, with the errors of all
            measurements that it hangs on.
        verdicts: how many the change is the mean of.
        value: the reference's (for the first commit) or the commit's own level in `unit`, on
            `machine` alone; None where that was not recorded.
        verdict: the last one about this metric; None for the first, which was only a reference.
    """

    commit: str
    subject_line: str
    reference: int | None = None
    change: float = 0.0
    half: float | None = 0.0
    level: float = 0.0
    level_half: float | None = 0.0
    verdicts: int = 0
    value: float | None = None
    unit: Unit = Unit.SECONDS
    machine: str = ""
    verdict: Verdict | None = None


Track = tuple[Point, ...]


@dataclass(frozen=True)
class Levels:
    """One metric of one subject over commits.

    Attributes:
        is_ratio: levels are logarithms of ratios; else they are differences.
        tracks: each begins with a commit of which nothing but measurements against it is known.
        notes: what is not in them, a sentence each.
    """

    subject: str
    metric: str
    is_ratio: bool
    tracks: tuple[Track, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Measured:
    """An outcome with a change that can be chained."""

    entry: Entry
    outcome: Outcome
    change: float
    half: float | None


def in_order(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries commit by commit: as they were added, but each commit after its references.

    Jobs end in any order, so a child may be added before its parent.
    """
    waiting: dict[str, list[Entry]] = {}
    for entry in entries:
        waiting.setdefault(entry.head.commit, []).append(entry)
    ordered: list[Entry] = []
    while waiting:
        free = (
            commit
            for commit, group in waiting.items()
            if not any(entry.against.commit in waiting for entry in group)
        )
        # Commits that were held against each other in a circle have no first one.
        ordered += waiting.pop(next(free, next(iter(waiting))))
    return tuple(ordered)


def commits(entries: Sequence[Entry]) -> tuple[str, ...]:
    """All commits of ordered entries, references before what was held against them."""
    sides = (side.commit for entry in entries for side in (entry.against, entry.head))
    return tuple(dict.fromkeys(sides))


def is_ratio(metric: str) -> bool:
    """Whether changes of a metric chain as ratios; else they are differences, and add up."""
    kinds = [kind for name, kind in KINDS.items() if name == metric]
    return not any(kind.of_epoch or kind.unit is Unit.SHARE for kind in kinds)


def levels(entries: Sequence[Entry], subject: str, metric: str) -> Levels:
    """The levels of a metric of a subject; `entries` as `in_order` gives them."""
    groups: dict[str, list[_Measured]] = {}
    for item in _measured(entries, subject, metric):
        groups.setdefault(item.entry.head.commit, []).append(item)
    tracks: list[list[Point]] = []
    placed: dict[str, tuple[list[Point], int]] = {}
    unused: Counter[str] = Counter()
    for commit, group in groups.items():
        chosen = [] if commit in placed else _one_reference(group, placed)
        unused[commit] = len(group) - len(chosen)
        if not chosen:
            continue
        against = chosen[0].entry.against.commit
        if against not in placed:
            tracks.append([_first(chosen[0])])
            placed[against] = (tracks[-1], 0)
        track, index = placed[against]
        placed[commit] = (track, len(track))
        track.append(_next(chosen, track[index], index))
    notes = (*_broken_off(tracks), *_unmeasured(entries, subject, metric), *_unused(unused))
    return Levels(subject, metric, is_ratio(metric), tuple(map(tuple, tracks)), notes)


def _measured(entries: Sequence[Entry], subject: str, metric: str) -> list[_Measured]:
    return [
        made
        for entry in entries
        for outcome in entry.outcomes
        if (outcome.subject, outcome.metric) == (subject, metric)
        if (made := _chainable(entry, outcome))
    ]


def _chainable(entry: Entry, outcome: Outcome) -> _Measured | None:
    change, ratio = outcome.change, is_ratio(outcome.metric)
    if change is None or (ratio and change.value <= -1):
        return None
    if change.low is None or change.high is None or (ratio and change.low <= -1):
        return _Measured(entry, outcome, _inner(change.value, ratio), None)
    half = (_inner(change.high, ratio) - _inner(change.low, ratio)) / 2
    return _Measured(entry, outcome, _inner(change.value, ratio), half)


def _inner(change: float, ratio: bool) -> float:
    return math.log1p(change) if ratio else change


def _one_reference(group: Sequence[_Measured], placed: Mapping[str, object]) -> list[_Measured]:
    """A commit's measurements against one reference: the first of known level, else the first."""
    references = [item.entry.against.commit for item in group]
    chosen = next((commit for commit in references if commit in placed), references[0])
    return [item for item in group if item.entry.against.commit == chosen]


def _first(item: _Measured) -> Point:
    side = item.entry.against
    return Point(
        side.commit,
        side.subject,
        value=item.outcome.before,
        unit=item.outcome.unit,
        machine=item.entry.machine,
    )


def _next(group: Sequence[_Measured], reference: Point, index: int) -> Point:
    """The commit that was measured, once or several times, against a point of its track."""
    change = float(np.mean([item.change for item in group]))
    half = _joined([item.half for item in group])
    last = group[-1]
    return replace(
        _first(last),
        commit=last.entry.head.commit,
        subject_line=last.entry.head.subject,
        value=last.outcome.after,
        reference=index,
        change=change,
        half=half and half / len(group),
        level=reference.level + change,
        level_half=_joined([reference.level_half, half and half / len(group)]),
        verdicts=len(group),
        verdict=last.outcome.verdict,
    )


def _joined(halves: Sequence[float | None]) -> float | None:
    """Half the width of the interval of a sum of independent measurements."""
    known = [half for half in halves if half is not None]
    return math.hypot(*known) if len(known) == len(halves) else None


def _broken_off(tracks: Sequence[Sequence[Point]]) -> list[str]:
    return [
        f"{track[1].commit[:7]} was held against {track[0].commit[:7]}, whose level is not known: "
        f"a new line begins, and counts from {track[0].commit[:7]}"
        for track in tracks[1:]
    ]


def _unmeasured(entries: Sequence[Entry], subject: str, metric: str) -> list[str]:
    able = {item.entry.head.commit for item in _measured(entries, subject, metric)}
    lacking = dict.fromkeys(
        entry.head.commit[:7] for entry in entries if entry.head.commit not in able
    )
    return [f"without a measurement of it: {_listed(list(lacking))}"] if lacking else []


def _unused(unused: Mapping[str, int]) -> list[str]:
    names = [commit[:7] for commit, count in unused.items() if count]
    if not names:
        return []
    return [f"of several references, one is used for: {_listed(names)}"]


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
