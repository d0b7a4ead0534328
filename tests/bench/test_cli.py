from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import console, launch, reporting
from bench.cli import main
from bench.errors import RecordError
from bench.progress import Progress
from bench.reporting import Report
from bench.schema import Shard
from bench.session import Tools
from bench.store import read
from tests.bench.fakes import NOON, FakeExecutor, crash, leaves, tools
from tests.bench.samples import environment

RUN = ["run", "--suite", "smoke", "--batch-size", "4", "--blocks", "1", "--claim", "2x"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leaves(tmp_path / "data" / "leaves")
    monkeypatch.chdir(tmp_path)
    rows = [("variant", "speedup"), ("in_model", "1.1x")]
    tables = SimpleNamespace(verdict_rows=lambda _results: rows)
    verdict = SimpleNamespace(sentences=lambda _results: ("It does not hold.", "At most 1.2x."))
    beyond = SimpleNamespace(TITLE="Beyond", terminal_tables=lambda _results: [])
    monkeypatch.setitem(sys.modules, "bench.report.beyond", beyond)
    monkeypatch.setitem(sys.modules, "bench.report.tables", tables)
    monkeypatch.setitem(sys.modules, "bench.report.verdict", verdict)


@pytest.fixture
def executor_is(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeExecutor], None]:
    def use(executor: FakeExecutor) -> None:
        def report(folder: Path) -> Report:
            (folder / "summary.json").write_text('{"schema_version": 1}')
            return Report(folder, None, (RecordError("trials/x.json is half"),))  # type: ignore[arg-type]

        def fake_tools(progress: Progress) -> Tools:
            given = tools(executor)
            return Tools(given.executor, progress, given.environment, given.now, report)

        monkeypatch.setattr(launch, "real_tools", fake_tools)
        monkeypatch.setattr(launch, "interrupt_on_terminate", lambda: None)

    return use


def test_run_prints_verdict_and_report(
    executor_is: Callable[[FakeExecutor], None], capsys: pytest.CaptureFixture[str]
) -> None:
    executor_is(FakeExecutor())
    assert main([*RUN, "--out", "reports/mine"]) == 0
    said = capsys.readouterr()
    assert "in_model  1.1x" in said.out
    assert "It does not hold. At most 1.2x." in said.out
    assert "Report: reports/mine/report.md" in said.out
    assert "[6/6] " in said.err
    assert "Left out of the report: trials/x.json is half" in said.err
    assert Path("reports/latest").readlink() == Path("mine")


def test_run_goes_to_a_folder_with_the_time_and_the_suite() -> None:
    assert launch.default_out("quick", NOON) == Path("reports/20260102-120000-quick")
    assert launch.default_out("my/own.toml", NOON) == Path("reports/20260102-120000-own")


def test_run_can_answer_a_program(
    executor_is: Callable[[FakeExecutor], None], capsys: pytest.CaptureFixture[str]
) -> None:
    executor_is(FakeExecutor())
    assert main([*RUN, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema_version": 1}


def test_failed_trials_are_exit_status_1(
    executor_is: Callable[[FakeExecutor], None], capsys: pytest.CaptureFixture[str]
) -> None:
    executor_is(FakeExecutor(on_trial=crash))
    assert main(RUN) == 1
    assert "6 of 6 trials failed; the report says why." in capsys.readouterr().err


def test_interrupt_is_exit_status_130_and_says_how_to_go_on(
    executor_is: Callable[[FakeExecutor], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([None, None])

    def interrupt(_request: object) -> None:
        if next(answers, "stop") == "stop":
            raise KeyboardInterrupt

    executor_is(FakeExecutor(on_trial=interrupt))
    assert main([*RUN, "--out", "mine"]) == 130
    said = capsys.readouterr().err
    assert "Interrupted with 4 of 6 trials to go; nothing measured is lost." in said
    assert "leafbench run --resume mine" in said
    executor_is(FakeExecutor())
    assert main(["run", "--resume", "mine"]) == 0


def test_shards_become_a_run(
    executor_is: Callable[[FakeExecutor], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executor_is(FakeExecutor())
    wanted = ["run", "--suite", "smoke", "--batch-size", "4", "--blocks", "2", "--claim", "2x"]
    for number in (1, 2):
        assert main([*wanted, "--shard", f"{number}/2", "--out", f"part-{number}"]) == 0
    assert read(Path("part-2")).run.shard == Shard(2, 2)

    def report(folder: Path) -> Report:
        stored = read(folder)
        missing = stored.run.plan[len(stored.trials) :]
        made: Any = SimpleNamespace(missing=missing, run=stored.run)
        return Report(folder, made, ())

    monkeypatch.setattr(reporting, "make", report)
    assert main(["merge", "whole", "part-1", "part-2"]) == 0
    said = capsys.readouterr()
    assert "Report: whole/report.md" in said.out
    assert "Not complete" not in said.err
    assert main(["merge", "half", "part-2"]) == 0
    assert "Not complete: 6 of 12 planned trials have no record." in capsys.readouterr().err
    assert len(read(Path("whole")).trials) == 12
    assert main(["run", "--resume", "whole"]) == 2
    assert "a merged run cannot go on" in capsys.readouterr().err
    assert main(["merge", "part-1", "part-2"]) == 2
    assert "the first folder is the one to make" in capsys.readouterr().err


def test_a_shard_says_so_in_the_name_of_its_folder() -> None:
    name = Path("reports/20260102-120000-quick-2of3")
    assert launch.default_out("quick", NOON, Shard(2, 3)) == name


def test_options_beside_resume_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--resume", "mine", "--blocks", "3", "--no-augment"]) == 2
    assert "leave out augment, blocks" in capsys.readouterr().err
    assert main(["run", "--resume", "mine", "--shard", "1/2"]) == 2
    assert "leave out shard" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--data", "nowhere"], "There is no folder of images at nowhere"),
        (["run", "--suite", "quik"], "There is no suite 'quik'. Did you mean 'quick'?"),
        (["run", "--variants", "plan"], "--variants: Unknown variant 'plan'"),
        (["run", "--phases", "cnm"], "--phases: Unknown phase 'cnm'"),
        (["run", "--claim", "fast"], "--claim: expected a factor such as 7x"),
        (["run", "--blocks", "0"], "--blocks must be a whole number of 1 or more"),
        (["run", "--suite", "smoke", "--batch-size", "99"], "A batch of 99 is more than the 20"),
        (["run", "--blocks", "3", "--seeds", "3"], "--seeds and --blocks are the same number"),
        (["run", "--until-accuracy", "1.5"], "--until-accuracy must be an accuracy above 0"),
        (
            ["run", "--batch-size", "4", "--until-accuracy", "40%"],
            "no more than guessing reaches with the 2 classes",
        ),
        (["run", "--shard", "3of4"], "--shard must be I/N with I from 1 to N"),
        (["run", "--blocks", "3", "--shard", "4/4"], "a block is never split, and this run has 3"),
        (["merge", "out", "nowhere"], "nowhere is not a run of leafbench"),
        (["run", "--phases", "finetune+mihs"], "--phases: Unknown improvement 'mihs'"),
        (["run", "--phases", "transfer", "--backbone", "resnet"], "resnet"),
        (["run", "--phases", "transfer", "--weights", "no.h5"], "no.h5"),
        (["run", "--resume", "nowhere"], "nowhere is not a run of leafbench"),
        (["report", "nowhere"], "nowhere is not a run of leafbench"),
        (["data", "check", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_clear_sentence_and_exit_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("leafbench: ")
    assert sentence in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "arguments", [["rnu"], ["run", "--blocks", "many"], ["list", "all"], ["data", "check"]]
)
def test_wrong_usage_is_exit_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments) == 2
    assert "Usage: leafbench" in capsys.readouterr().err


def test_check_lists_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "data/leaves"]) == 0
    assert "files that cannot be used: none" in capsys.readouterr().out
    Path("data/leaves/Apple/00.png").write_bytes(b"")
    assert main(["data", "check", "data/leaves"]) == 2
    assert "data/leaves/Apple/00.png: empty" in capsys.readouterr().out
    assert main(["data", "check", "data/leaves", "--json"]) == 2
    values = json.loads(capsys.readouterr().out)
    assert values["training"] == {"Apple": 12, "Corn": 12}
    assert values["sizes"] == {"8x8": 23}


def test_leaves_can_be_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def generate(out: Path, **given: Any) -> SimpleNamespace:
        asked.update(given, out=out)
        given["progress"](1, 2)
        return SimpleNamespace(images=28, size=64, fingerprint="abc")

    monkeypatch.setattr("leafmodel.data.generate.generate", generate)
    assert main(["data", "make", "--out", "x", "--images", "28", "--size", "64"]) == 0
    assert (asked["out"], asked["images"], asked["size"], asked["seed"]) == (Path("x"), 28, 64, 0)
    assert "28 leaves of 64x64 pixels in x\nfingerprint: abc" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["variants", "phases", "suites"])
def test_lists(capsys: pytest.CaptureFixture[str], what: str) -> None:
    assert main(["list", what]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 1
    assert main(["list", what, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0].keys() >= {"name", "summary"}


def test_doctor_prints_values_and_remedies(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.environment.read", lambda: environment(memory_bytes=2**30))
    assert main(["doctor"]) == 2
    said = capsys.readouterr().out
    assert "Example CPU @ 2.5GHz" in said
    assert "problem: 1.0 GiB of memory" in said
    assert "  mend: " in said
    main(["doctor", "--json"])
    assert json.loads(capsys.readouterr().out)["environment"]["cores"] == 2


def test_report_renders_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Report(Path("mine"), None, ())  # type: ignore[arg-type]
    monkeypatch.setattr(reporting, "make", lambda _folder: made)
    assert main(["report", "mine"]) == 0
    assert "Report: mine/report.md" in capsys.readouterr().out


def test_version_and_exit_statuses_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("leafbench ")
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"    {status}" in said for status in ("0 ", "1 ", "2 ", "130 "))


def test_tables_stay_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    console.table([("a" * 70, "[b]")], ("first", "second"))
    assert capsys.readouterr().out.splitlines()[1].startswith("a" * 70 + "  [b]")


def test_a_fault_of_its_own_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("who wrote this?")

    monkeypatch.setattr(console, "check_report", broken)
    assert main(["data", "check", "data/leaves"]) == 70
    said = capsys.readouterr().err
    assert "RuntimeError: who wrote this?" in said
    assert "a fault of leafbench's own; nothing is decided" in said


def test_output_that_nobody_reads_is_no_verdict() -> None:
    # A shell's `leafbench data check data/leaves | true`, with a reader that has gone for sure.
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "bench", "data", "check", "data/leaves"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert ended.returncode == 141
    assert b"Traceback" not in ended.stderr
