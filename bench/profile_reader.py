"""Reads a trace back, in a process of its own: `python -m bench.profile_reader REQUEST.json`.

A process of its own because xprof's library ends the process on some broken files, and keeps its
memory. TensorFlow is not needed. What xprof prints on standard error goes to the caller's log.

Exit status 0: the outcome is written, a failure being an outcome too. 2: the request cannot be
read or the outcome not be written, one sentence on standard error.
"""

from __future__ import annotations

import gc
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.codec import decode, encode
from bench.errors import EXIT_OK, EXIT_USAGE, BenchError
from bench.profile_schema import (
    ProfileFailureKind,
    ProfileReading,
    ReadingOutcome,
)
from bench.requests import ReadingRequest
from bench.schema import SCHEMA_VERSION
from bench.store import storing, write_whole
from bench.trace_analyser import allocator_peak_bytes, analyser_steps
from bench.trace_names import ITERATOR, WAIT
from bench.trace_steps import Interval, part, step_times, union
from bench.trace_summary import operations, spans, stages, within
from bench.trace_work import outermost, slices
from bench.xplane import Trace, TraceError, read_trace

# The capture's clock is read before and after the profiler's own.
CLOCK_SLACK_NS = 1_000_000_000


def main(arguments: list[str]) -> int:
    """Carry out the request in the file named first; returns the exit status."""
    path = Path(arguments[0])
    try:
        request = decode(path.read_bytes(), ReadingRequest, str(path))
        out = Path(request.out)
        with storing(out):
            write_whole(out, encode(answer(request)))
    except (BenchError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK


def answer(request: ReadingRequest) -> ReadingOutcome:
    """The reading, or why there is none. The folder of the trace stays as it is."""
    path = Path(request.trace)
    try:
        trace = read_trace(path)
        _require_own(trace, request)
        _require_fetches(trace, path)
    except TraceError as error:
        return ReadingOutcome(SCHEMA_VERSION, None, error.failure)
    reading = _with_second_account(summarise(trace), path)
    return ReadingOutcome(SCHEMA_VERSION, reading, None)


def summarise(trace: Trace) -> ProfileReading:
    """All that the trace's own events say, before xprof's tools are asked."""
    marks = [(step.number, step.begin_ns, step.end_ns) for step in trace.steps]
    steps, origin_ns = step_times(marks), marks[0][1]
    host = within((s for t in trace.threads for s in slices(t, origin_ns)), steps[-1].end_ns)
    device = within((s for t in trace.streams for s in slices(t, origin_ns)), steps[-1].end_ns)
    waits = union((a - origin_ns, b - origin_ns) for a, b in _waits(trace))
    readings = part(steps, waits, (*host, *device))
    return ProfileReading(
        steps=readings,
        stages=stages(host),
        operations=operations(host),
        spans=spans(readings, waits, (*host, *device)),
        analyser=(),
        analyser_note="not asked",
        allocator_peak_bytes=None,
        devices=trace.devices,
        events=trace.events,
    )


def _require_own(trace: Trace, request: ReadingRequest) -> None:
    """Refuse a trace of something else.

    Raises:
        TraceError: its steps, its time or its machine are not those of the request (FOREIGN).
    """
    numbers = tuple(step.number for step in trace.steps)
    if numbers != request.steps:
        raise _foreign(request, f"of the steps {_listed(request.steps)}", _listed(numbers))
    earliest_ns = request.begin_real_ns - CLOCK_SLACK_NS
    if not earliest_ns <= trace.begin_real_ns <= request.end_real_ns + CLOCK_SLACK_NS:
        found = _seconds(trace.begin_real_ns - request.begin_real_ns)
        expected = _seconds(request.end_real_ns - request.begin_real_ns)
        message = f"begun from 0 to {expected} after the capture began", found
        raise _foreign(request, *message)
    if trace.devices and not request.devices:
        raise _foreign(request, "of a machine without accelerator", ", ".join(trace.devices))


def _require_fetches(trace: Trace, path: Path) -> None:
    """Refuse a trace that cannot tell waiting from idling, rather than call the wait zero.

    Raises:
        TraceError: no batch is fetched in it (UNREADABLE).
    """
    if not _waits(trace):
        raise TraceError(
            ProfileFailureKind.UNREADABLE,
            f"{path} has steps, but in none of them is a batch fetched: the input pipeline runs "
            "where this profiler does not look (on JAX, TensorFlow's own recorder has it). Its "
            "steps can be seen with leafbench trace; the wait is in the meter of every trial.",
        )


def _foreign(request: ReadingRequest, expected: str, found: str) -> TraceError:
    return TraceError(
        ProfileFailureKind.FOREIGN,
        f"{request.trace} should be a trace {expected}, found {found}: another program or run "
        "wrote it. Remove it and profile this variant again.",
    )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _seconds(ns: int) -> str:
    return f"{ns / 1e9:.1f} s"


def _waits(trace: Trace) -> tuple[Interval, ...]:
    """The fetches of batches; a program that iterates in Python has no operation for them."""
    found = tuple(w for thread in trace.threads for w in outermost(thread.events, WAIT))
    return found or tuple(outermost(trace.step_thread.events, ITERATOR))


def _with_second_account(reading: ProfileReading, path: Path) -> ProfileReading:
    """What xprof's tools say of a copy: they write files beside the trace that they read."""
    with tempfile.TemporaryDirectory(prefix="leafbench-") as folder:
        try:
            copy = Path(shutil.copy(path, folder))
        except OSError as error:
            return replace(reading, analyser_note=f"The trace could not be copied: {error}.")
        steps, note = analyser_steps(copy)
        peak_bytes = allocator_peak_bytes(copy)
    return replace(reading, analyser=steps, analyser_note=note, allocator_peak_bytes=peak_bytes)


if __name__ == "__main__":
    gc.disable()  # a fifth of the time would go to looking for cycles, and there are none
    sys.exit(main(sys.argv[1:]))
