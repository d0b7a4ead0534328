from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.schema import Failure, FailureKind
from bench.training.plan import Places, request
from bench.training.process import ModelProcess
from tests.bench.training.samples import config, data

STUB = (sys.executable, "-m", "tests.bench.training.stub_worker")
Told = tuple[str, int, int]
PLACES = Places("files.json", "work", "folder", "tensorboard", "")


def _run(folder: Path, what: str, silence_s: float = 60.0) -> tuple[Failure | None, list[Told]]:
    told: list[Told] = []
    worker = ModelProcess(folder, command=STUB, silence_s=silence_s, grace_s=0.1)
    asked = replace(request(config(), "cnn", data(), {}, PLACES), phase=what)
    failure = worker.run(asked, folder / "cnn.train.json", lambda *step: told.append(step))
    return failure, told


def test_a_worker_that_ends_well_tells_its_progress_and_leaves_a_log(tmp_path: Path) -> None:
    failure, told = _run(tmp_path, "fine")
    assert failure is None
    assert told == [("step", 1, 9), ("epoch", 1, 9)]
    assert (tmp_path / "cnn.train.log").read_text() == "ordinary output\n"


@pytest.mark.parametrize(
    ("what", "kind", "words"),
    [
        ("segfault", FailureKind.CRASH, "crashed: SIGSEGV (Segmentation fault)"),
        ("killed", FailureKind.MEMORY, "killed by the system, most likely for lack of memory"),
        ("memory", FailureKind.MEMORY, "it asked for more memory than there is"),
        ("mistake", FailureKind.ERROR, "It cannot go on:\n  seed: 1 -> 2"),
        ("error", FailureKind.ERROR, "ValueError: the model has no layers"),
    ],
)
def test_whatever_becomes_of_it_is_one_sentence(
    what: str, kind: FailureKind, words: str, tmp_path: Path
) -> None:
    failure, _ = _run(tmp_path, what)
    assert failure is not None
    assert (failure.kind, failure.message) == (kind, words)
    assert failure.log_tail.startswith("ordinary output")


def test_a_worker_that_tells_nothing_any_more_is_killed(tmp_path: Path) -> None:
    failure, told = _run(tmp_path, "hang", silence_s=5.0)
    assert failure is not None
    assert failure.kind is FailureKind.TIMEOUT
    assert failure.message == "killed after 5 s without any progress"
    assert told == [("step", 1, 9)]


def test_a_mistake_of_an_earlier_try_is_not_told_again(tmp_path: Path) -> None:
    _run(tmp_path, "mistake")
    failure, _ = _run(tmp_path, "error")
    assert failure is not None
    assert failure.message == "ValueError: the model has no layers"
