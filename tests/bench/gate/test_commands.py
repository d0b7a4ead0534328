"""What the command line understands, and what it refuses."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import cli
from bench.gate import launch
from bench.gate.asked import Asked
from bench.gate.schema import Verdict, VerdictRecord
from bench.report import gate_outputs
from tests.bench.gate import samples


def test_a_way_of_comparing_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check"]) == 2
    assert "--against REF, --baseline FILE or --microbench" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--against", "HEAD", "--baseline", "x"], "found --against and --baseline"),
        (["--baseline", "x", "--budget", "1m"], "--baseline does not go with --budget"),
        (["--microbench", "a", "b", "--command", "x"], "--microbench does not go with --command"),
        (["--against", "HEAD", "--run", "x"], "--against does not go with --run"),
        (["--microbench", "a", "b", "--threshold", "epoch=5%"], "what names a metric, epoch"),
        (["--microbench", "a", "b", "--json", "/proc/none/x"], "Cannot write /proc/none/x"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--budget", "0"], "--budget must be above 0"),
        (["--threshold", "epch=5%"], "Did you mean 'epoch'"),
        (["--suite", "gat"], "There is no suite 'gat'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_measured(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "--against", "HEAD", *words]) == 2
    assert said in capsys.readouterr().err


MAKERS = (samples.passed, samples.regressed, samples.undecided, samples.nothing)


@pytest.mark.parametrize("make", MAKERS)
def test_the_exit_status_is_the_verdict(
    make: Callable[[], VerdictRecord],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = make()
    seen: list[Asked] = []

    def check(asked: Asked, _progress: Any) -> Any:
        seen.append(asked)
        return record, tmp_path

    monkeypatch.setattr(launch, "check", check)
    words = ["--against", "v1", "--threshold", "epoch=8%", "--data", "leaves", "--no-self-test"]
    files = ["--json", str(tmp_path / "v.json"), "--junit", str(tmp_path / "j.xml")]
    status = cli.main(["check", *words, *files])
    assert status == record.verdict.exit_code
    assert (
        status
        == {
            Verdict.PASS: 0,
            Verdict.REGRESSION: 1,
            Verdict.INCONCLUSIVE: 3,
            Verdict.NOTHING: 4,
        }[record.verdict]
    )
    assert (tmp_path / "v.json").read_bytes() == (tmp_path / "verdict.json").read_bytes()
    assert (tmp_path / "j.xml").exists()
    assert str(record.verdict) in capsys.readouterr().out
    asked = seen[0]
    assert (asked.against, asked.thresholds, asked.self_test) == ("v1", ("epoch=8%",), False)
    assert asked.overrides == {"data": "leaves"}


def test_a_verdict_that_nobody_reads_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(launch, "check", lambda *_: (samples.passed(), tmp_path))
    monkeypatch.setattr(gate_outputs, "printed", gone)
    for stream in ("stdout", "stderr"):  # click puts wrappers there, which the next test has not
        monkeypatch.setattr(sys, stream, getattr(sys, stream))
    assert cli.main(["check", "--against", "v1"]) == 141
    assert (tmp_path / "verdict.json").exists()
