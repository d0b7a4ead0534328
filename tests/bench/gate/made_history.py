"""Made-up histories: commits are small numbers, changes what a test wants."""

from __future__ import annotations

from collections.abc import Sequence

from bench.gate.history import HISTORY_VERSION, Entry, Outcome
from bench.gate.levels import Point
from bench.gate.metrics import Unit
from bench.gate.schema import Estimate, Side, Source, Verdict

SUBJECT = "in_model, cnn"
MACHINE = "Intel Xeon, 2 cores, 8 GiB"


def name(commit: int) -> str:
    """The full hash of a commit: its number, with zeros behind a `c`."""
    return f"{commit:06d}c".ljust(40, "0")


def side(commit: int) -> Side:
    """A clean commit."""
    return Side(f"v{commit}", name(commit), f"Commit {commit}")


def outcome(
    change: float | None,
    half: float | None = 0.02,
    *,
    metric: str = "epoch",
    subject: str = SUBJECT,
    verdict: Verdict = Verdict.PASS,
) -> Outcome:
    """A change of a metric whose reference takes half a second."""
    if change is None:
        return Outcome(subject, metric, Unit.SECONDS, Verdict.NOTHING, None, None, None)
    ends = (None, None) if half is None else (change - half, change + half)
    after = 0.5 * (1 + change)
    return Outcome(subject, metric, Unit.SECONDS, verdict, Estimate(change, *ends), 0.5, after)


def entry(head: int, against: int, *outcomes: Outcome, at: str = "2026-01-02T03:04:05Z") -> Entry:
    """A commit against another one."""
    return Entry(
        schema_version=HISTORY_VERSION,
        measured_at=at,
        source=Source.REVISIONS,
        verdict=outcomes[0].verdict if outcomes else Verdict.NOTHING,
        head=side(head),
        against=side(against),
        machine=MACHINE,
        outcomes=outcomes,
    )


def chain(changes: Sequence[float], half: float | None = 0.02) -> list[Entry]:
    """Commits 1, 2, 3 and so on, each against the one before it."""
    return [entry(n, n - 1, outcome(change, half)) for n, change in enumerate(changes, 1)]


def track(
    changes: Sequence[float], half: float | None, references: Sequence[int]
) -> tuple[Point, ...]:
    """A track of measurements against points of it, on the scale of levels."""
    points = [Point(name(0), "Commit 0")]
    for number, (change, reference) in enumerate(zip(changes, references, strict=True), 1):
        level = points[reference].level + change
        points.append(Point(name(number), f"Commit {number}", reference, change, half, level))
    return tuple(points)
