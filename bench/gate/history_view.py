"""What of a history is shown: one metric, a panel a subject. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import ConfigError
from bench.gate.change_points import ChangePoint, find
from bench.gate.history import Entry
from bench.gate.levels import Levels, commits, in_order, levels


@dataclass(frozen=True)
class Panel:
    """Levels with the change points of each track; None where none could be looked for."""

    levels: Levels
    marks: tuple[tuple[ChangePoint, ...] | None, ...]


@dataclass(frozen=True)
class View:
    """Panels over the same commits, which are full hashes in the order of the axis."""

    metric: str
    commits: tuple[str, ...]
    panels: tuple[Panel, ...]


def view(entries: Sequence[Entry], metric: str, subjects: Sequence[str], where: str) -> View:
    """One metric of some subjects (all of them if none is named) over all commits.

    Args:
        where: what the history is called in messages.

    Raises:
        ConfigError: there is no such metric or subject, or nothing that can be chained.
    """
    ordered = in_order(entries)
    chosen = _chosen(ordered, metric, subjects, where)
    made = [levels(ordered, subject, metric) for subject in chosen]
    panels = tuple(
        Panel(item, tuple(find(track) for track in item.tracks)) for item in made if item.tracks
    )
    if not panels:
        raise ConfigError(
            f"{where} holds no change of {metric} that was measured on both sides: nothing to plot."
        )
    return View(metric, commits(ordered), panels)


def _chosen(
    entries: Sequence[Entry], metric: str, subjects: Sequence[str], where: str
) -> Sequence[str]:
    outcomes = [outcome for entry in entries for outcome in entry.outcomes]
    metrics = list(dict.fromkeys(outcome.metric for outcome in outcomes))
    if not metrics:
        raise ConfigError(
            f"{where} holds no measurement yet: add verdicts that compared something."
        )
    if metric not in metrics:
        raise ConfigError(f"{where} has no metric {metric}: choose of {', '.join(metrics)}.")
    known = list(dict.fromkeys(item.subject for item in outcomes if item.metric == metric))
    unknown = [subject for subject in subjects if subject not in known]
    if unknown:
        raise ConfigError(
            f"{where} has no {metric} of {unknown[0]!r}: choose of {'; '.join(known)}."
        )
    return tuple(dict.fromkeys(subjects)) or known
