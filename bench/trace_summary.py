"""What happened in a profiled window at large: stages, operations, and the first steps' timeline.

Pure arithmetic; times are nanoseconds from the begin of the first step.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bench.profile_schema import (
    STAGES,
    OperationReading,
    Place,
    Span,
    StageReading,
    StepReading,
)
from bench.trace_steps import Interval, clip, length, union
from bench.trace_work import Slice

LONGEST_OPERATIONS = 20
SHOWN_STEPS = 3
# Finer than a pixel of any figure; a figure of 1,500 bars is still drawn at once.
JOINED_SHARE = 0.002
MOST_SPANS = 1500

Lanes = Mapping[str, Sequence[Interval]]


def within(work: Iterable[Slice], end_ns: int) -> tuple[Slice, ...]:
    """The slices cut to the window, from 0 to `end_ns`; an event begun before it is no call."""
    cut = (
        piece._replace(
            begin_ns=max(piece.begin_ns, 0),
            end_ns=min(piece.end_ns, end_ns),
            first=piece.first and piece.begin_ns >= 0,
        )
        for piece in work
    )
    return tuple(piece for piece in cut if piece.begin_ns < piece.end_ns)


def stages(work: Sequence[Slice]) -> tuple[StageReading, ...]:
    """The pipeline's stages that had any work, in their order."""
    found: dict[str, list[Slice]] = defaultdict(list)
    for piece in work:
        if piece.place is Place.INPUT:
            found[piece.kind].append(piece)
    return tuple(_stage(name, found[name]) for name in STAGES if name in found)


def _stage(name: str, work: Sequence[Slice]) -> StageReading:
    threads: Counter[str] = Counter()
    for piece in work:
        threads[piece.thread] += piece.end_ns - piece.begin_ns
    return StageReading(
        stage=name,
        busy_ns=threads.total(),
        wall_ns=length(union((piece.begin_ns, piece.end_ns) for piece in work)),
        calls=sum(piece.first for piece in work),
        threads=dict(sorted(threads.items())),
    )


def operations(work: Iterable[Slice]) -> tuple[OperationReading, ...]:
    """The longest ones by self time, longest first."""
    self_ns: Counter[tuple[str, Place, str]] = Counter()
    calls: Counter[tuple[str, Place, str]] = Counter()
    for piece in work:
        key = piece.name, piece.place, piece.kind
        self_ns[key] += piece.end_ns - piece.begin_ns
        calls[key] += piece.first
    longest = sorted(self_ns, key=lambda key: (-self_ns[key], key))[:LONGEST_OPERATIONS]
    return tuple(OperationReading(*key, self_ns[key], calls[key]) for key in longest)


def spans(
    steps: Sequence[StepReading], waits: Sequence[Interval], work: Iterable[Slice]
) -> tuple[Span, ...]:
    """The timeline of the first steps; coarser where it would have more than `MOST_SPANS`."""
    shown = steps[:SHOWN_STEPS]
    end_ns = shown[-1].begin_ns + shown[-1].step_ns
    lanes: dict[str, list[Interval]] = {"wait": list(waits)}
    for piece in work:
        lanes.setdefault(_lane(piece), []).append((piece.begin_ns, piece.end_ns))
    cut = {lane: clip(intervals, 0, end_ns) for lane, intervals in lanes.items()}
    marks = tuple(Span("step", s.begin_ns, s.begin_ns + s.step_ns) for s in shown)
    return marks + _joined(cut, round(end_ns * JOINED_SHARE))


def _lane(piece: Slice) -> str:
    if piece.place is Place.INPUT:
        return f"input/{piece.kind}"
    return "model/augmentation" if piece.kind == "augmentation" else "model/compute"


def _joined(lanes: Lanes, gap_ns: int) -> tuple[Span, ...]:
    """Near spans of a lane made one, over ever wider gaps until they are few enough."""
    while True:
        found = {lane: union(intervals, gap_ns) for lane, intervals in lanes.items()}
        if sum(map(len, found.values())) <= MOST_SPANS:
            return tuple(Span(lane, *both) for lane, row in found.items() for both in row)
        gap_ns = 2 * gap_ns + 1
