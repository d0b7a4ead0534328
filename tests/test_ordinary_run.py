"""A benchmark's own run: made once, gone on with, and never passed over when it was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.codec import encode
from bench.errors import EXIT_INTERRUPTED, EXIT_USAGE
from bench.progress import Progress
from bench.session import Outcome
from benchmarks import ordinary_run
from leafmodel.errors import DataError
from tests.bench.fakes import FakeProgress
from tests.bench.samples import run_record


class _Launched:
    """What was launched; leaves a run in the folder."""

    def __init__(self, *, interrupted: bool = False) -> None:
        self.calls: list[tuple[Mapping[str, Any], tuple[str, ...]]] = []
        self._interrupted = interrupted

    def __call__(
        self, given: Mapping[str, Any], command: tuple[str, ...], progress: Progress
    ) -> Outcome:
        del progress
        self.calls.append((given, command))
        folder = Path(given.get("resume") or given["out"])
        folder.mkdir(exist_ok=True)
        (folder / "run.json").write_bytes(encode(run_record()))
        return Outcome(folder, 1, 1, 0, self._interrupted, None)


def test_a_run_is_begun_with_the_options_and_the_command_that_says_them(tmp_path: Path) -> None:
    launched, folder = _Launched(), tmp_path / "alone"
    stored = ordinary_run.made(folder, {"target": "1x", "image_size": 64}, FakeProgress(), launched)
    assert launched.calls == [
        (
            {"target": "1x", "image_size": 64, "out": str(folder)},
            ("run", "--claim=1x", "--image-size=64"),
        )
    ]
    assert stored.run == run_record()


def test_a_run_that_is_there_is_gone_on_with(tmp_path: Path) -> None:
    launched = _Launched()
    for _ in range(2):
        ordinary_run.made(tmp_path, {"images": 100}, FakeProgress(), launched)
    assert launched.calls[1] == ({"resume": str(tmp_path)}, ())


def test_a_run_that_was_stopped_stops_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(ordinary_run.StoppedError, match="the same command goes on") as stopped:
        ordinary_run.made(tmp_path, {}, FakeProgress(), _Launched(interrupted=True))
    assert stopped.value.exit_code == EXIT_INTERRUPTED


def test_an_error_is_said_and_has_its_own_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert ordinary_run.exit_code(ordinary_run.StoppedError("stopped")) == EXIT_INTERRUPTED
    assert ordinary_run.exit_code(DataError("no images")) == EXIT_USAGE
    assert capsys.readouterr().err == "stopped\nno images\n"
