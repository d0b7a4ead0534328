"""The sentences of a history, for its figure and for the terminal. Rounding happens here."""

from __future__ import annotations

import math

from bench.gate.change_points import FEWEST, ChangePoint
from bench.gate.history import Added, Entry
from bench.gate.history_view import Panel, View
from bench.gate.levels import Levels, Point, is_ratio
from bench.gate.metrics import KINDS, Unit
from bench.report import formats, gate_words
from bench.report.gate_words import plain

MOST_OF_A_SUBJECT = 60


def added(outcome: Added, where: str) -> list[str]:
    """What adding did, a line a verdict."""
    new = [f"{where}: added {_entry(item)}" for item in outcome.entries]
    known = [f"{where}: left out {_entry(item)}: it is in there already" for item in outcome.known]
    return new + known


def seen(view: View, out: str) -> list[str]:
    """What a figure shows: its change points, and what is not in it."""
    subjects = formats.plural(len(view.panels), "subject")
    commits = formats.plural(len(view.commits), "commit")
    lines = [f"{out}: {title(view.metric)} of {subjects} over {commits}"]
    for panel in view.panels:
        levels = panel.levels
        lines.append(f"{plain(levels.subject)}: {_found(panel)}")
        lines += [f"  {line}" for line in marks(panel)]
        lines += [f"  note: {note}" for note in levels.notes]
    return lines


def marks(panel: Panel) -> list[str]:
    """The change points, numbered: `1  4f0c2aa  +9.8 %  Disable prefetch`."""
    return [
        f"{number}  {point.commit[:7]}  {size(panel.levels, change)}  "
        f"{plain(point.subject_line, MOST_OF_A_SUBJECT)}".rstrip()
        for number, (point, change) in enumerate(marked_points(panel), 1)
    ]


def marked_points(panel: Panel) -> list[tuple[Point, ChangePoint]]:
    """The commits at which a level changed, track by track."""
    pairs = zip(panel.levels.tracks, panel.marks, strict=True)
    return [(track[mark.index], mark) for track, found in pairs for mark in found or ()]


def size(levels: Levels, change: ChangePoint) -> str:
    """A step: `+9.8 %`, `+2.0 points`."""
    if levels.is_ratio:
        return f"{100 * math.expm1(change.size):+.1f} %"
    unit = "points" if _is_accuracy(levels.metric) else "% of an epoch"
    return f"{100 * change.size:+.1f} {unit}"


def title(metric: str) -> str:
    """A metric's name: `steady epoch`."""
    known = {str(name): kind.title for name, kind in KINDS.items()}
    return known.get(metric, plain(metric.replace("_", " ")))


def scale(metric: str) -> str:
    """What levels are counted in; up is worse."""
    if is_ratio(metric):
        return "times the first commit"
    if _is_accuracy(metric):
        return "points lost since the first commit"
    return "% of an epoch more than at first"


def origin(first: Point) -> str:
    """What a track counts from: `from 1111111: 512 ms on AMD EPYC, 2 cores, 8 GiB`."""
    if first.value is None:
        return f"from {first.commit[:7]}"
    machine = f" on {plain(first.machine, 60)}" if first.machine else ""
    return f"from {first.commit[:7]}: {gate_words.level(first.value, first.unit)}{machine}"


def _found(panel: Panel) -> str:
    if all(found is None for found in panel.marks):
        return f"no change point is looked for in fewer than {FEWEST} measurements with intervals"
    return formats.plural(len(marked_points(panel)), "change point")


def _is_accuracy(metric: str) -> bool:
    return any(name == metric and kind.unit is Unit.SHARE for name, kind in KINDS.items())


def _entry(item: Entry) -> str:
    return f"{item.head.commit[:7]} against {item.against.commit[:7]}: {item.verdict}"
