"""The sweep behind a run: each device once, resumed where it stopped, the report at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench import session, sweep_plan, sweep_session
from bench.session import Outcome
from tests.bench import sweep_samples
from tests.bench.samples import run_record, trial_records

REPORT: Any = object()


@dataclass
class Told:
    """Stands for the session's tools."""

    reported: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def progress(self) -> Any:
        return self

    def note(self, text: str) -> None:
        self.notes.append(text)

    def report(self, folder: Path) -> Any:
        self.reported.append(folder)
        return REPORT


def ended(folder: Path, *, interrupted: bool = False, failed: int = 0) -> Outcome:
    return Outcome(folder, 5, 5, failed, interrupted, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sweep_samples.write_measured(tmp_path / "run", sweep_samples.measured_run())
    return tmp_path / "run"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was started or resumed, in order; the device of 50 ms has a failure."""
    seen: list[tuple[str, str]] = []

    def start(_config: Any, folder: Path, *_: Any, within: Any) -> Outcome:
        assert within.run.config.sweep is not None
        seen.append(("start", folder.name))
        return ended(folder, failed=folder.name == "step-50ms")

    def resume(folder: Path, _tools: Any) -> Outcome:
        seen.append(("resume", folder.name))
        return ended(folder)

    monkeypatch.setattr(session, "start", start)
    monkeypatch.setattr(session, "resume", resume)
    return seen


def test_every_device_is_tried_and_the_report_is_made_again(
    folder: Path, made: list[tuple[str, str]]
) -> None:
    tools: Any = Told()
    outcome = sweep_session.go_on(ended(folder), tools)
    assert made == [("start", f"step-{step}") for step in sweep_samples.STEPS]
    assert tools.reported == [folder]
    assert outcome.report is REPORT
    assert (outcome.recorded, outcome.failed, outcome.interrupted) == (25, 1, False)
    trials = sum(
        len(sweep_samples.emulated_run(part).plan)
        for part in sweep_plan.parts(sweep_samples.measured_run().config, folder)
    )
    assert outcome.planned == 5 + trials
    assert tools.notes[0] == "Now a device that only takes time: 1s a step"


def test_a_device_that_was_begun_is_gone_on_with(folder: Path, made: list[tuple[str, str]]) -> None:
    sweep_samples.write_part(sweep_plan.parts(sweep_samples.measured_run().config, folder)[0])
    sweep_session.go_on(ended(folder), Told())  # type: ignore[arg-type]
    assert made[:2] == [("resume", "step-1s"), ("start", "step-200ms")]


def test_an_interrupted_run_emulates_nothing(folder: Path, made: list[tuple[str, str]]) -> None:
    tools: Any = Told()
    outcome = sweep_session.go_on(ended(folder, interrupted=True), tools)
    assert outcome.interrupted
    assert (made, tools.reported) == ([], [])


def test_an_interrupt_within_the_sweep_ends_it_with_a_report(
    folder: Path, made: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_config: Any, part: Path, *_: Any, **_within: Any) -> Outcome:
        return ended(part, interrupted=True)

    monkeypatch.setattr(session, "start", start)
    tools: Any = Told()
    outcome = sweep_session.go_on(ended(folder), tools)
    assert outcome.interrupted
    assert outcome.recorded == 10
    assert tools.reported == [folder]
    assert made == []


def test_a_run_without_a_sweep_is_as_it_was(tmp_path: Path, made: list[tuple[str, str]]) -> None:
    run = run_record()
    sweep_samples.write(tmp_path / "run", run, trial_records(run))
    before = ended(tmp_path / "run")
    assert sweep_session.go_on(before, Told()) is before  # type: ignore[arg-type]
    assert made == []
