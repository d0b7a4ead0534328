"""A check of a command of one's own from end to end: real git, real processes, no training."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.codec import decode
from bench.errors import BenchError, ConfigError
from bench.gate import launch
from bench.gate.asked import Asked
from bench.gate.schema import Verdict, VerdictRecord
from bench.gate.store import read_blocks, read_head
from bench.progress import PlainProgress

ROOT = Path(__file__).parents[3]
STUB = Path(__file__).with_name("stub_recorded.py")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository whose training's step takes what `step_ms` says; both sides find our code."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    commit(folder, "100")
    yield folder
    assert worktrees(folder) == 1, "a worktree was left behind"


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ("git", *who, *words), cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def commit(folder: Path, step_ms: str) -> None:
    (folder / "step_ms").write_text(step_ms)
    git(folder, "add", "step_ms")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", f"a step takes {step_ms} ms")


def worktrees(folder: Path) -> int:
    return git(folder, "worktree", "list").count("\n")


def asked(
    repository: Path, out: Path, *what: str, against: str = "HEAD~1", **other: object
) -> Asked:
    words = " ".join((str(STUB), "step_ms", "13", *what))
    return Asked(
        against=against,
        folder=repository,
        command=("leafbench", "check"),
        training=f"{sys.executable} {words}",
        out=out,
        budget="600s",
        **other,  # type: ignore[arg-type]
    )


def check(wanted: Asked) -> tuple[VerdictRecord, Path]:
    return launch.check(wanted, PlainProgress(io.StringIO()))


def test_a_commit_that_makes_the_step_longer_is_a_regression(
    repository: Path, tmp_path: Path
) -> None:
    commit(repository, "112")
    record, folder = check(asked(repository, tmp_path / "out"))
    assert record.verdict is Verdict.REGRESSION
    step = next(change for change in record.changes if change.metric == "step")
    assert step.change is not None
    assert step.change.value == pytest.approx(0.12, abs=1e-6)
    assert record.reference.subject == "a step takes 100 ms"
    assert read_head(folder).options.budget_s == 600
    assert len(read_blocks(folder)) == record.blocks


def test_a_commit_that_changes_nothing_passes(repository: Path, tmp_path: Path) -> None:
    commit(repository, "100")
    record, _ = check(asked(repository, tmp_path / "out"))
    assert record.verdict is Verdict.PASS
    assert record.self_test is not None
    assert record.self_test.seen
    assert record.notes == ()


def test_what_is_in_no_commit_is_measured_and_said(repository: Path, tmp_path: Path) -> None:
    (repository / "step_ms").write_text("130")
    record, _ = check(asked(repository, tmp_path / "out", against="HEAD"))
    assert record.verdict is Verdict.REGRESSION
    assert record.head.dirty
    assert "in no commit" in record.notes[0]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("crash", "no memory left for layer conv2d_7"),
        ("nothing", "expected one record"),
        ("twice", "found a.json, b.json"),
    ],
)
def test_a_training_that_leaves_no_record_measures_nothing(
    repository: Path, tmp_path: Path, what: str, words: str
) -> None:
    record, folder = check(asked(repository, tmp_path / "out", what, against="HEAD"))
    assert record.verdict is Verdict.NOTHING
    assert words in record.reasons[0]
    assert read_blocks(folder)[0].failed is not None


def test_an_unknown_revision_is_a_sentence_and_no_folder(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-branch"):
        check(asked(repository, tmp_path / "out", against="no-such-branch"))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_in_use_is_not_overwritten(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(BenchError, match="another --out"):
        check(asked(repository, tmp_path / "out", against="HEAD"))


def test_an_interrupt_leaves_blocks_and_no_worktree(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(PlainProgress):
        def note(self, text: str) -> None:
            if text.startswith("block 1"):
                raise KeyboardInterrupt

    monkeypatch.setattr(launch, "interrupt_on_terminate", lambda: None)
    progress = Interrupting(io.StringIO())
    with pytest.raises(KeyboardInterrupt):
        launch.check(asked(repository, tmp_path / "out", against="HEAD"), progress)
    assert len(read_blocks(tmp_path / "out")) == 1
    assert not (tmp_path / "out" / "work").exists()


@pytest.mark.parametrize("text", ["", "python 'train.py"])
def test_a_command_that_cannot_be_read_is_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match="--command"):
        Asked("HEAD", Path(), (), training=text).training_words()


def test_the_verdict_file_reads_back_as_it_was(repository: Path, tmp_path: Path) -> None:
    from bench.codec import encode

    record, _ = check(asked(repository, tmp_path / "out", against="HEAD"))
    assert decode(encode(record), VerdictRecord, "verdict.json") == record
