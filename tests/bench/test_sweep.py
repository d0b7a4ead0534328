"""A sweep runs one emulated device after the other, goes on where it stopped, and maps them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import launch, session
from bench.cli import main
from bench.session import Outcome
from tests.bench.emulated_samples import write_emulated

Asked = list[tuple[str, dict[str, Any]]]


def ended(folder: Path, *, failed: int = 0, interrupted: bool = False) -> Outcome:
    return Outcome(folder, 1, 1, failed, interrupted, None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What was run or resumed, in order; a run makes its folder."""
    seen: Asked = []

    def run(given: dict[str, Any], _command: object, _progress: object) -> Outcome:
        seen.append(("run", given))
        return ended(write_emulated(Path(given["out"]), given["device"]))

    def resume(folder: Path, _tools: object) -> Outcome:
        seen.append(("resume", {"out": str(folder)}))
        return ended(folder)

    monkeypatch.setattr(launch, "run", run)
    monkeypatch.setattr(session, "resume", resume)
    return seen


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[..., int]:
    return lambda *words: main(["sweep", "--out", str(tmp_path / "out"), *words])


def test_a_run_for_each_step_and_a_map_of_them(
    asked: Asked, sweep: Callable[..., int], tmp_path: Path
) -> None:
    assert sweep("--steps", "1s,50ms,5ms", "--ahead", "1", "--data", "photos", "--blocks", "3") == 0
    assert [given["device"] for _, given in asked] == [
        f"emulated:step={step},ahead=1" for step in ("1s", "50ms", "5ms")
    ]
    assert {given["variants"] for _, given in asked} == {"default,in_model"}
    assert {(given["data"], given["blocks"]) for _, given in asked} == {("photos", 3)}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"step-1s", "step-50ms", "step-5ms", "claim-map.md", "claim-map-cnn.png"}


def test_it_goes_on_where_it_was_stopped(
    asked: Asked, sweep: Callable[..., int], tmp_path: Path
) -> None:
    write_emulated(tmp_path / "out" / "step-1s", "emulated:step=1s")
    assert sweep("--steps", "1s,50ms") == 0
    assert [what for what, _ in asked] == ["resume", "run"]


def test_an_interrupt_ends_it_and_says_how_to_go_on(
    asked: Asked,
    sweep: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(launch, "run", lambda *_: ended(tmp_path, interrupted=True))
    assert sweep("--steps", "1s,50ms") == 130
    assert "Go on with the same command." in capsys.readouterr().err
    assert asked == []


def test_failed_trials_are_told_of(
    asked: Asked,
    sweep: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(given: dict[str, Any], *_: object) -> Outcome:
        return ended(write_emulated(Path(given["out"]), given["device"]), failed=2)

    monkeypatch.setattr(launch, "run", run)
    assert sweep("--steps", "1s,50ms") == 1
    assert "4 trials failed" in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--steps", "51ms"), "--steps must name 2 times or more"),
        (("--steps", "51ms,51ms"), "--steps lists 51ms twice"),
        (("--steps", "51ms,52"), "--steps: step must be a time"),
        (("--steps", "1s,2s", "--ahead", "x"), "ahead must be a whole number"),
        (("--steps", "1s,2s", "--suite", "quik"), "There is no suite 'quik'"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_before_anything_runs(
    asked: Asked,
    sweep: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    says: str,
) -> None:
    assert sweep(*words) == 2
    assert says in capsys.readouterr().err
    assert asked == []
