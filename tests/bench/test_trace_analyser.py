"""What xprof's tools answer, and what is made of answers that make no sense."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bench import trace_analyser
from bench.profile_schema import AnalyserStep
from bench.trace_analyser import (
    NoAnswer,
    allocator_peak_bytes,
    analyser_steps,
    largest_peak,
    step_rows,
)
from tests.bench.tiny_trace import traces

COLUMNS = ["stepnum", "infeedTimeMs", "other", "stepTimeMs"]


def table(*rows: list[Any], columns: list[str] = COLUMNS) -> dict[str, Any]:
    cols = [{"id": column, "type": "number"} for column in columns]
    return {"cols": cols, "rows": [{"c": [{"v": value} for value in row]} for row in rows]}


def test_steps_are_found_by_the_names_of_columns_whatever_their_order() -> None:
    overview = table([1.0], columns=["opName"])
    steps = table(["train 4", 1.5, 0, 20.25], ["train 15", 0.000001, 0, 30.0])
    assert step_rows([overview, steps]) == (
        AnalyserStep(4, 20_250_000, 1_500_000),
        AnalyserStep(15, 30_000_000, 1),
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({}, "should give a table"),
        (["x", {"cols": 3}], "should give a table"),
        ([table(["train 4", 1.0], columns=["stepnum", "infeedTimeMs"])], "should give a table"),
        ([table()], "found no step"),
        ([table(["train 4", "much", 0, 1.0])], "cannot be read"),
        ([table(["train", 1.0, 0, 1.0])], "no step number"),
        ([table(["train 4"])], "cannot be read"),
        ([table() | {"rows": [3]}], "cannot be read"),
    ],
)
def test_an_answer_without_steps_says_why(answer: object, why: str) -> None:
    with pytest.raises(NoAnswer, match=why):
        step_rows(answer)


def test_the_largest_peak_of_any_allocator() -> None:
    allocators = {
        "cpu": {"profileSummary": {"peakStats": {"peakBytesInUse": "300"}}},
        "GPU_0_bfc": {"profileSummary": {"peakStats": {"peakBytesInUse": "900"}}},
        "odd": {"profileSummary": {"peakStats": {"peakBytesInUse": "-"}}, "list": [1]},
    }
    assert largest_peak({"memoryProfilePerAllocator": allocators}) == 900


@pytest.mark.parametrize("answer", [{}, [], None, {"memoryProfilePerAllocator": {"cpu": {}}}])
def test_no_allocator_no_peak(answer: object) -> None:
    assert largest_peak(answer) is None


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (None, "gave no answer"),
        (b"", "gave no answer"),
        (b"{half", "gave no JSON"),
        (RuntimeError("no such tool"), r"failed \(no such tool\)"),
    ],
)
def test_a_tool_that_fails_is_a_note_and_no_error(
    raw: bytes | Exception | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tool(*_: object) -> tuple[bytes | None, str]:
        if isinstance(raw, Exception):
            raise raw
        return raw, "application/json"

    monkeypatch.setattr(trace_analyser.raw_to_tool_data, "xspace_to_tool_data", tool)
    steps, note = analyser_steps(tmp_path)
    assert steps == ()
    assert re.fullmatch(f"xprof's input_pipeline_analyzer {why}.*", note)
    assert allocator_peak_bytes(tmp_path) is None


def test_a_real_trace_has_steps_and_a_peak(tmp_path: Path) -> None:
    copy = tmp_path / "a.xplane.pb"
    copy.write_bytes(traces()["plain"].path.read_bytes())
    steps, note = analyser_steps(copy)
    # xprof leaves the first and the last step of six out.
    assert [step.number for step in steps] == list(traces()["plain"].steps[1:-1])
    assert note == ""
    assert all(0 < step.input_ns < step.step_ns for step in steps)
    peak = allocator_peak_bytes(copy)
    assert peak is not None
    assert peak > 1_000_000
