"""Two answers of xprof's own tools: its account of each step's input wait, and peak memory.

They are asked to check ours, so what they cannot say is left out with the reason, never an error.
xprof writes cache files beside the trace it is given: give it a copy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xprof.convert import raw_to_tool_data

from bench.profile_schema import AnalyserStep

STEPS_TOOL = "input_pipeline_analyzer"
MEMORY_TOOL = "memory_profile"
_NS_PER_MS = 1_000_000
_STEP_COLUMNS = ("stepnum", "stepTimeMs", "infeedTimeMs")
_LAST_NUMBER = re.compile(r"(\d+)\s*$")


class NoAnswer(Exception):  # noqa: N818 - no error: the tool has nothing to say
    """Why a tool's answer cannot be used."""


def analyser_steps(trace: Path) -> tuple[tuple[AnalyserStep, ...], str]:
    """The steps as xprof's input pipeline analyser sees them, and why there are none."""
    try:
        return step_rows(_ask(trace, STEPS_TOOL)), ""
    except NoAnswer as why:
        return (), f"xprof's {STEPS_TOOL} {why}."


def allocator_peak_bytes(trace: Path) -> int | None:
    """The largest peak of any allocator; None if the trace has none."""
    try:
        return largest_peak(_ask(trace, MEMORY_TOOL))
    except NoAnswer:
        return None


def step_rows(answer: object) -> tuple[AnalyserStep, ...]:
    """The steps in the analyser's answer, decoded from JSON.

    Raises:
        NoAnswer: it has no table of steps, or none in it.
    """
    table = next((t for t in _dicts(answer) if set(_STEP_COLUMNS) <= set(_columns(t))), None)
    if table is None:
        raise NoAnswer(f"should give a table with the columns {', '.join(_STEP_COLUMNS)}, has none")
    try:
        places = [_columns(table).index(column) for column in _STEP_COLUMNS]
        rows = [[row["c"][place]["v"] for place in places] for row in table["rows"]]
        steps = tuple(_step(*row) for row in rows)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NoAnswer(f"gave a table of steps that cannot be read ({error!r})") from error
    if not steps:
        raise NoAnswer("found no step in the trace")
    return steps


def largest_peak(answer: object) -> int | None:
    """The largest `peakBytesInUse` in the memory tool's answer, decoded from JSON."""
    if not isinstance(answer, dict):
        return None
    peaks = list(_peaks(answer.get("memoryProfilePerAllocator")))
    return max(peaks, default=None)


def _ask(trace: Path, tool: str) -> object:
    try:
        answer, _ = raw_to_tool_data.xspace_to_tool_data(
            [str(trace)], tool, {"use_saved_result": False}
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise NoAnswer(f"failed ({error})") from error
    if not answer:
        raise NoAnswer("gave no answer")
    try:
        return json.loads(answer)
    except ValueError as error:
        raise NoAnswer(f"gave no JSON ({error})") from error


def _dicts(answer: object) -> list[Mapping[str, Any]]:
    return [t for t in answer if isinstance(t, dict)] if isinstance(answer, list) else []


def _columns(table: Mapping[str, Any]) -> list[str]:
    columns = table.get("cols")
    if not isinstance(columns, list):
        return []
    return [str(column.get("id")) for column in columns if isinstance(column, dict)]


def _step(name: object, step_ms: object, input_ms: object) -> AnalyserStep:
    """`train 4` and two numbers."""
    number = _LAST_NUMBER.search(str(name))
    if number is None:
        raise ValueError(f"no step number in {name!r}")
    return AnalyserStep(int(number[1]), _ns(step_ms), _ns(input_ms))


def _ns(milliseconds: object) -> int:
    return round(float(str(milliseconds)) * _NS_PER_MS)


def _peaks(value: object) -> Iterator[int]:
    """Every peak in a nest of objects; 64-bit numbers are strings in it."""
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "peakBytesInUse" and str(inner).isdecimal():
            yield int(inner)
        yield from _peaks(inner)
