from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bench import tensorboard_server as server
from bench.cli import main
from bench.codec import encode
from bench.errors import BenchError, ConfigError, StoreError
from bench.profile_schema import ProfileFailure, ProfileFailureKind, ProfileRecord
from bench.tensorboard_server import View
from bench.tensorboard_tools import Tools
from tests.bench.profile_samples import profile_record
from tests.bench.samples import run_record, trial_records


@dataclass
class FakeBoard:
    """A TensorBoard that answers at the `answers_at`-th question, and then meets its `end`."""

    answers_at: int = 1
    end: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    dies_with: int | None = None
    started: list[Sequence[str]] = field(default_factory=list)
    asked: int = 0
    closed: bool = False

    def start(self, command: Sequence[str]) -> FakeBoard:
        self.started.append(command)
        return self

    def answers(self, _port: int) -> bool:
        self.asked += 1
        return self.asked >= self.answers_at

    def wait(self, _seconds: float) -> None:
        if self.asked >= self.answers_at:
            self.end()

    def status(self) -> int | None:
        return self.dies_with

    def said(self) -> str:
        return "its last words"

    def close(self) -> None:
        self.closed = True


def interrupt() -> None:
    raise KeyboardInterrupt


def serve(
    folder: Path, board: FakeBoard, variant: str | None = None, port: int | None = None, **has: bool
) -> View:
    shown: list[View] = []
    tools = Tools(
        has_tensorboard=lambda: has.get("tensorboard", True),
        has_profile_page=lambda: has.get("profile_page", True),
        port=lambda wanted: wanted or 4321,
        start=board.start,
        answers=board.answers,
        wait=board.wait,
    )
    server.serve(folder, variant, port, shown.append, tools=tools)
    (view,) = shown
    return view


def stored(folder: Path, *profiles: ProfileRecord, traces: bool = True) -> Path:
    """A run folder as a session leaves it, but without anything for TensorBoard but traces."""
    run = run_record(variants=("default", "in_model"), blocks=1)
    for name in ("trials", "profiles"):
        (folder / name).mkdir(parents=True)
    (folder / "run.json").write_bytes(encode(run))
    for trial in trial_records(run):
        (folder / "trials" / f"{trial.spec.name}.json").write_bytes(encode(trial))
    for profile in profiles:
        (folder / "profiles" / f"{profile.spec.trial.name}.json").write_bytes(encode(profile))
        if profile.trace and traces:
            (folder / profile.trace).parent.mkdir(parents=True)
            (folder / profile.trace).write_bytes(b"trace")
    return folder


def profile(variant: str) -> ProfileRecord:
    made = profile_record(variant)
    trace = f"tensorboard/{made.spec.trial.name}/plugins/profile/2026_01_02/my.host.xplane.pb"
    return replace(made, trace=trace)


def query(address: str) -> dict[str, str]:
    return {key: value for key, (value,) in parse_qs(urlsplit(address).query).items()}


def test_each_profile_has_a_link_to_its_trace(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", profile("plain"), profile("in_model+prefetch=8"))
    view = serve(run, FakeBoard())
    assert view.address == "http://127.0.0.1:4321/"
    assert [link.title for link in view.traces] == ["in_model+prefetch=8, cnn", "plain, cnn"]
    first, second = (link.address for link in view.traces)
    assert query(first) == {
        "tool": "trace_viewer@",
        "run": "in_model+prefetch=8-cnn/2026_01_02",
        "host": "my.host",
    }
    assert query(second)["run"] == "plain-cnn/2026_01_02"
    assert urlsplit(first).fragment == "profile"
    assert [link.address for link in view.pages] == [
        "http://127.0.0.1:4321/#scalars",
        "http://127.0.0.1:4321/#hparams",
    ]
    assert view.notes == ()


def test_tensorboard_is_given_the_runs_folder_with_every_trial(tmp_path: Path) -> None:
    run, board = stored(tmp_path / "run"), FakeBoard()
    serve(run, board, port=6006)
    (command,) = board.started
    logdir = run / "tensorboard"
    assert list(command[1:]) == [
        *("-m", "tensorboard.main", "--logdir", str(logdir)),
        *("--host", "127.0.0.1", "--port", "6006"),
    ]
    trials = {path.stem for path in (run / "trials").iterdir()}
    assert {path.parent.name for path in logdir.glob("*/*tfevents*")} == trials
    assert len(list(logdir.glob("*tfevents*"))) == 1


def test_one_variant_can_be_chosen(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", profile("plain"), profile("in_model"))
    assert [t.title for t in serve(run, FakeBoard(), "in_model").traces] == ["in_model, cnn"]
    with pytest.raises(ConfigError, match="cache has no profile in this run; there are: in_model"):
        serve(run, FakeBoard(), "cache")


def test_a_run_without_profiles_says_how_to_make_them(tmp_path: Path) -> None:
    view = serve(stored(tmp_path / "run"), FakeBoard(), "plain")
    assert view.traces == ()
    assert view.notes == (server.NO_PROFILE,)


def test_a_missing_profile_page_leaves_the_rest(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", profile("plain"))
    view = serve(run, FakeBoard(), profile_page=False)
    assert view.traces == ()
    assert len(view.pages) == 2
    assert view.notes == (server.NO_PROFILE_PAGE,)


def test_traces_that_were_not_kept_or_never_written_are_named(tmp_path: Path) -> None:
    failure = ProfileFailure(ProfileFailureKind.NOT_WRITTEN, "no trace")
    never = profile_record("default", failure=failure, trace=None)
    run = stored(tmp_path / "run", profile("plain"), never, traces=False)
    view = serve(run, FakeBoard())
    assert view.traces == ()
    assert view.notes == ("The trace is not in the run's folder: default-cnn, plain-cnn.",)


def test_broken_records_are_named(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", profile("plain"))
    (run / "trials" / "half.json").write_text("{")
    (note,) = serve(run, FakeBoard()).notes
    assert note.startswith("Left out: ")
    assert "half.json" in note


def test_a_folder_that_cannot_be_written_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stored(tmp_path / "run", profile("plain"))
    read_only = OSError(30, "Read-only file system")

    def fail(*_arguments: Any, **_more: Any) -> None:
        raise read_only

    monkeypatch.setattr(Path, "write_bytes", fail)
    view = serve(run, FakeBoard())
    (note,) = view.notes
    assert note.startswith("Scalars and HParams are not complete. Cannot write ")
    assert "Read-only file system" in note
    assert len(view.traces) == 1


def test_a_place_for_tensorboard_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    run = stored(tmp_path / "run")
    (run / "tensorboard").write_text("a file")
    with pytest.raises(StoreError, match=r"Cannot write .* trace the copy"):
        serve(run, FakeBoard())


def test_what_is_no_run_is_refused_before_anything_starts(tmp_path: Path) -> None:
    board = FakeBoard()
    with pytest.raises(StoreError, match="is not a run of leafbench"):
        serve(tmp_path, board)
    assert board.started == []
    assert list(tmp_path.iterdir()) == []


def test_missing_tensorboard_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="pip install tensorboard"):
        serve(stored(tmp_path / "run"), FakeBoard(), tensorboard=False)


@pytest.mark.parametrize("end", [interrupt, FakeBoard.end])
def test_an_interrupt_or_a_signal_ends_it_cleanly(tmp_path: Path, end: Callable[[], None]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    board = FakeBoard(end=end)
    serve(stored(tmp_path / "run"), board)
    assert board.closed
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:

        def end() -> None:
            os.kill(os.getpid(), signal.SIGHUP)
            raise KeyboardInterrupt

        serve(stored(tmp_path / "run"), FakeBoard(end=end))
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_tensorboard_that_ends_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    board = FakeBoard(answers_at=10, dies_with=3)
    with pytest.raises(BenchError, match=r"ended with status 3:\nits last words"):
        serve(stored(tmp_path / "run"), board)
    assert board.closed


def test_a_tensorboard_that_never_answers_is_given_up(tmp_path: Path) -> None:
    board = FakeBoard(answers_at=10**9)
    with pytest.raises(BenchError, match=r"did not answer in 180 s"):
        serve(stored(tmp_path / "run"), board)
    assert board.closed


class TestCommandLine:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
        made: list[tuple[Any, ...]] = []
        view = View(
            "http://127.0.0.1:1/",
            (server.Link("Scalars", "http://127.0.0.1:1/#scalars"),),
            (server.Link("plain, cnn", "http://127.0.0.1:1/?run=x"),),
            ("Something is missing.",),
        )

        def serve(folder: Path, variant: str | None, port: int | None, show: Any, say: Any) -> None:
            made.append((folder, variant, port))
            say("soon")
            show(view)

        monkeypatch.setattr(server, "serve", serve)
        return made

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["RUN"], ("RUN", None, None)),
            (["show", "RUN"], ("RUN", None, None)),
            (["RUN", "--port", "6006", "--variant", "plain"], ("RUN", "plain", 6006)),
            (["--port", "6006", "RUN"], ("RUN", None, 6006)),
        ],
    )
    def test_a_run_is_shown(
        self, calls: list[Any], arguments: list[str], expected: tuple[Any, ...]
    ) -> None:
        assert main(["trace", *arguments]) == 0
        assert calls == [(Path(expected[0]), *expected[1:])]

    def test_links_and_what_is_missing_are_printed(
        self, calls: list[Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        main(["trace", "RUN"])
        said = capsys.readouterr()
        assert said.out.splitlines() == [
            "TensorBoard: http://127.0.0.1:1/",
            "  Scalars: http://127.0.0.1:1/#scalars",
            "  plain, cnn: http://127.0.0.1:1/?run=x",
            "Ctrl-C ends it.",
        ]
        assert said.err.splitlines() == ["soon", "Something is missing."]
        assert len(calls) == 1

    @pytest.mark.parametrize("arguments", [["--help"], ["-h"]])
    def test_help_tells_both_ways(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str]
    ) -> None:
        assert main(["trace", *arguments]) == 0
        said = capsys.readouterr().out
        assert "leafbench trace RUN [--port N] [--variant V]" in said
        assert "Commands:" in said

    def test_wrong_usage_is_exit_status_2(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["trace", "RUN", "--port", "0"]) == 2
        assert main(["trace", "no-such-run"]) == 2
        assert "is not a run of leafbench" in capsys.readouterr().err
