"""A profiler's file (`.xplane.pb`) as plain values: its threads, their events and the step marks.

The only module that knows xprof's reader. Structure of such a file: planes (the host, each device,
the task's environment), in them lines (threads), in them events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xprof.profile_data import ProfileData

from bench.errors import BenchError
from bench.profile_schema import ProfileFailure, ProfileFailureKind
from bench.trace_names import STEP, STEP_NUMBER
from bench.trace_work import Event, Role, Thread

_HOST = "/host:CPU"
_DEVICE = "/device:"
_HOST_DEVICE = "/device:CPU"
_ENVIRONMENT = "Task Environment"
_BEGIN = "profile_start_time"
# The pool's threads inside kernels: half of all events, all of them instants of no length.
_SKIPPED = "_Eigen"
# A device's other lines repeat these, grouped in other ways.
_STREAM = "Stream"
_ROLES = (("tf_data_", Role.PIPELINE), ("tf_Compute", Role.MODEL))
_AGAIN = "Profile this variant again"


class TraceError(BenchError):
    """A trace that cannot be read, or is not the one that was asked for."""

    def __init__(self, kind: ProfileFailureKind, message: str) -> None:
        super().__init__(message)
        self.failure = ProfileFailure(kind, message)


@dataclass(frozen=True)
class StepMark:
    """What the profiled program says of a step: its number, begin and end."""

    number: int
    begin_ns: int
    end_ns: int


@dataclass(frozen=True)
class Trace:
    """A profiler's file, read.

    Attributes:
        threads: of the host; those that hold markers only are left out.
        streams: of the devices, in which their kernels run one after the other.
        steps: in order, at least one; `step_thread` has them.
        begin_real_ns: when the profiler began, on the real-time clock.
        devices: names of the accelerators.
        events: read.
    """

    threads: tuple[Thread, ...]
    streams: tuple[Thread, ...]
    steps: tuple[StepMark, ...]
    step_thread: Thread
    begin_real_ns: int
    devices: tuple[str, ...]
    events: int


def read_trace(path: Path) -> Trace:
    """Read the file at `path`.

    Raises:
        TraceError: it is missing, empty, cut off or something else (UNREADABLE; NOT_WRITTEN if
            missing), or whole but without a step (NO_STEP).
    """
    with _open(path) as data:
        planes = tuple(data.planes)
        begin_real_ns = _begin_real_ns(path, planes)
        lines = _Lines()
        for plane in planes:
            lines.add(plane)
    if lines.step_thread is None:
        raise TraceError(
            ProfileFailureKind.NO_STEP,
            f"{path} should mark each step with an event {STEP!r}, found {lines.events} events "
            "and none of that name: no step ran while the profiler was on. Profile earlier steps.",
        )
    return Trace(
        threads=tuple(lines.threads),
        streams=tuple(lines.streams),
        steps=tuple(sorted(lines.steps, key=lambda step: step.begin_ns)),
        step_thread=lines.step_thread,
        begin_real_ns=begin_real_ns,
        devices=tuple(lines.devices),
        events=lines.events,
    )


class _Lines:
    """Collects the lines of the planes; threads of one pool are numbered as they appear."""

    def __init__(self) -> None:
        self.threads: list[Thread] = []
        self.streams: list[Thread] = []
        self.devices: list[str] = []
        self.steps: list[StepMark] = []
        self.step_thread: Thread | None = None
        self.events = 0
        self._pools: Counter[str] = Counter()

    def add(self, plane: Any) -> None:
        """Read the lines of a plane, if it is the host's or a device's."""
        name: str = plane.name
        is_device = name.startswith(_DEVICE) and not name.startswith(_HOST_DEVICE)
        if is_device:
            self.devices.append(name)
        for line in plane.lines:
            if name == _HOST and _SKIPPED not in line.name:
                self._add_thread(line)
            elif is_device and line.name.startswith(_STREAM):
                self.streams.append(self._thread(line, name, Role.DEVICE))

    def _add_thread(self, line: Any) -> None:
        pool = line.name.partition("/")[0] or "thread"
        role = next((role for prefix, role in _ROLES if pool.startswith(prefix)), Role.HOST)
        steps = tuple(_steps(line)) if role is Role.HOST else ()
        thread = self._thread(line, pool, role)
        self.threads.append(thread)
        if steps:
            self.steps.extend(steps)
            self.step_thread = thread

    def _thread(self, line: Any, pool: str, role: Role) -> Thread:
        """The line's events; their handles are given back at once, they take 1 KB each."""
        with line:
            events = tuple(_event(event) for event in line.events)
        self.events += len(events)
        self._pools[pool] += 1
        return Thread(f"{pool}/{self._pools[pool]}", role, events)


def _open(path: Path) -> Any:
    try:
        size = path.stat().st_size
        data = ProfileData.from_file(path) if size else None
    except FileNotFoundError as error:
        raise TraceError(
            ProfileFailureKind.NOT_WRITTEN,
            f"{path} should be the profiler's file, found none. {_AGAIN}.",
        ) from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, f"found {error}") from error
    if data is None:
        raise _unreadable(path, "found an empty file")
    return data


def _begin_real_ns(path: Path, planes: tuple[Any, ...]) -> int:
    """When the profiler began. It writes this last, so a file without it lacks more."""
    for plane in planes:
        if plane.name == _ENVIRONMENT:
            begin = dict(plane.stats).get(_BEGIN, "")
            if begin.isdecimal():
                return int(begin)
    raise _unreadable(path, f"found {len(planes)} planes and no {_BEGIN}")


def _unreadable(path: Path, found: str) -> TraceError:
    return TraceError(
        ProfileFailureKind.UNREADABLE,
        f"{path} should be a whole trace of TensorFlow's profiler, {found}: it was cut off while "
        f"being written, or is something else. {_AGAIN}, with free space on the disk.",
    )


def _steps(line: Any) -> Iterator[StepMark]:
    for event in line.events:
        if event.name == STEP:
            number = dict(event.stats).get(STEP_NUMBER, "")
            if number.isdecimal():
                _, begin_ns, end_ns = _event(event)
                yield StepMark(int(number), begin_ns, end_ns)


def _event(event: Any) -> Event:
    """Begin and end are rounded, not the duration, so that what was nested stays so."""
    begin_ns: float = event.start_ns
    return Event(event.name, round(begin_ns), round(begin_ns + event.duration_ns))
