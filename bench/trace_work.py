"""What the threads of a trace were at: nested events to a row of slices, each one's own time.

An event's self time is its duration without the work nested in it. Events that are no work (an
executor's loop, a memory marker, the JPEG decoder inside its operation) leave no trace here: their
time is that of the work around them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from bench.profile_schema import HAND_OVER, Place
from bench.trace_names import (
    AUGMENT_MARKER,
    ITERATOR,
    OTHER,
    is_operation,
    iterator_stage,
    kind_of,
    shown,
    stage_of,
)


class Role(Enum):
    """What a thread is for. `host`: any other, such as the one that runs the program."""

    PIPELINE = "pipeline"
    MODEL = "model"
    HOST = "host"
    DEVICE = "device"


class Event(NamedTuple):
    """An event of a trace, in the profiler's nanoseconds."""

    name: str
    begin_ns: int
    end_ns: int


@dataclass(frozen=True)
class Thread:
    """A line of a trace; its `label` is short and the same in every trace of the same program."""

    label: str
    role: Role
    events: tuple[Event, ...]


class Label(NamedTuple):
    """What an event works at; `WAITING` for one that encloses work and does none."""

    place: Place
    kind: str


WAITING = Label(Place.INPUT, HAND_OVER)
_AUGMENT = Label(Place.INPUT, AUGMENT_MARKER)


class Slice(NamedTuple):
    """A piece of an event's self time; `first` on one piece of each event."""

    thread: str
    place: Place
    kind: str
    name: str
    begin_ns: int
    end_ns: int
    first: bool


@dataclass
class _Frame:
    event: Event
    label: Label
    end_ns: int
    sliced: bool = False


def label_of(role: Role, name: str, around: Label | None) -> Label | None:
    """What an event works at, given the work it is nested in; None if it is no work."""
    if role is Role.DEVICE:
        return Label(Place.MODEL, OTHER)
    if name == AUGMENT_MARKER:
        return _AUGMENT
    if name.startswith(ITERATOR):
        stage = iterator_stage(name)
        return Label(Place.INPUT, stage) if stage else WAITING
    if not is_operation(name):
        return None
    if role is Role.PIPELINE or (around and around.place is Place.INPUT):
        return _pipeline_label(name, around)
    return Label(Place.MODEL, kind_of(name))


def _pipeline_label(name: str, around: Label | None) -> Label:
    """Whatever runs inside augmentation is augmentation; a nameless operation is its encloser's."""
    if around == _AUGMENT:
        return _AUGMENT
    stage = stage_of(name)
    if stage is None and around is not None and around != WAITING:
        return around
    return Label(Place.INPUT, stage or OTHER)


def slices(thread: Thread, origin_ns: int = 0) -> tuple[Slice, ...]:
    """The thread's work, in order and without overlaps, in nanoseconds from `origin_ns`.

    An event that outlasts the one it begins in is cut to it: threads do one thing at a time.
    """
    walk = _Walk(thread, origin_ns)
    for event in _in_order(thread.events):
        walk.enter(event)
    walk.leave()
    return tuple(walk.found)


class _Walk:
    """Goes through the events of a thread with a stack of those that enclose the current one."""

    def __init__(self, thread: Thread, origin_ns: int) -> None:
        self.found: list[Slice] = []
        self._thread = thread
        self._origin_ns = origin_ns
        self._stack: list[_Frame] = []
        self._cursor_ns = 0

    def enter(self, event: Event) -> None:
        """Begin an event; those that ended before it are left."""
        self.leave(event.begin_ns)
        around = self._stack[-1] if self._stack else None
        label = label_of(self._thread.role, event.name, around.label if around else None)
        if label is not None:
            self._advance(event.begin_ns)
            end_ns = min(event.end_ns, around.end_ns) if around else event.end_ns
            self._stack.append(_Frame(event, label, end_ns))

    def leave(self, until_ns: int | None = None) -> None:
        """End the events that are over at `until_ns`; all of them without it."""
        while self._stack and (until_ns is None or self._stack[-1].end_ns <= until_ns):
            self._advance(self._stack[-1].end_ns)
            self._stack.pop()

    def _advance(self, to_ns: int) -> None:
        """Time has passed until `to_ns`: it was the innermost event's."""
        if self._stack and self._stack[-1].label != WAITING and to_ns > self._cursor_ns:
            self._slice(self._stack[-1], to_ns)
        self._cursor_ns = to_ns

    def _slice(self, frame: _Frame, to_ns: int) -> None:
        begin_ns, end_ns = self._cursor_ns - self._origin_ns, to_ns - self._origin_ns
        name, first = shown(frame.event.name), not frame.sliced
        self.found.append(Slice(self._thread.label, *frame.label, name, begin_ns, end_ns, first))
        frame.sliced = True


def outermost(events: Sequence[Event], prefix: str) -> Iterator[tuple[int, int]]:
    """Begin and end of the events named so that are in no other such event."""
    reached_ns = -1
    for event in _in_order(events):
        if event.name.startswith(prefix) and event.end_ns > reached_ns:
            yield max(event.begin_ns, reached_ns), event.end_ns
            reached_ns = event.end_ns


def _in_order(events: Sequence[Event]) -> list[Event]:
    """By begin, an enclosing event before those in it."""
    return sorted(events, key=lambda event: (event.begin_ns, -event.end_ns))
