from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import launch
from bench.cli import main
from bench.report import training
from bench.training import commands, use
from bench.training.session import TrainingTools
from bench.training.use import UseTools
from tests.bench.fakes import NOON, FakeProgress
from tests.bench.samples import environment
from tests.bench.training import test_evaluation, test_prediction
from tests.bench.training.test_session import FakeWorker

MakeFolder = Callable[..., Path]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> FakeWorker:
    """Trains nothing, at once."""
    made = FakeWorker()
    tools = TrainingTools(
        worker=lambda _logs: made,
        progress=FakeProgress(),
        environment=environment,
        now=lambda: NOON,
        report=training.make,
    )
    monkeypatch.setattr(commands, "real_tools", lambda _progress: tools)
    monkeypatch.setattr(launch, "interrupt_on_terminate", lambda: None)
    return made


@pytest.fixture
def options(make_folder: MakeFolder, tmp_path: Path) -> list[str]:
    data = make_folder({"ash": 8, "elm": 8, "oak": 8}, size=32)
    return [
        *("--data", str(data), "--batch-size", "4", "--image-size", "32"),
        *("--out", str(tmp_path / "out")),
    ]


@pytest.mark.usefixtures("worker")
def test_train_prints_the_accuracies_and_where_the_report_is(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--phase", "cnn", "--phase", "transfer", *options]) == 0
    out = capsys.readouterr().out
    assert "validation accuracy" in out
    assert "66.7% (48.8% to 80.8%)" in out
    assert "These images cannot tell transfer and cnn apart" in out
    assert f"Report: {tmp_path / 'out' / 'report.md'}" in out


@pytest.mark.usefixtures("worker")
def test_train_prints_its_summary_as_json(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--phase", "cnn", "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out)["part"] == "validation"


def test_an_interrupted_training_says_how_to_go_on(
    worker: FakeWorker, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.fails = {"cnn": KeyboardInterrupt}
    assert main(["train", "--phase", "cnn", *options]) == 130
    assert f"leafbench train --resume {tmp_path / 'out'}" in capsys.readouterr().err
    worker.fails = {}
    assert main(["train", "--resume", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Say what to train: --phase cnn"),
        (["--phase", "cnm"], "Unknown phase 'cnm'"),
        (["--phase", "cnn", "--variant", "feature_cache"], "and cnn has none"),
        (["--phase", "transfer", "--backbone", "b4"], "Unknown backbone 'b4'"),
        (["--phase", "cnn", "--epochs", "0"], "Invalid value for '--epochs'"),
        (["--phase", "cnn", "--resume", "x", "--epochs", "3"], "leave out epochs"),
        (["--resume", "nowhere"], "is not a training of leafbench"),
        (["--phase", "cnn", "--data", "nowhere"], "There is no folder of images"),
    ],
)
def test_a_mistake_is_a_sentence_and_status_2(
    arguments: list[str],
    words: str,
    worker: FakeWorker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert worker.asked == []


def _use(monkeypatch: pytest.MonkeyPatch, worker: object) -> None:
    tools = UseTools(lambda _logs: worker, FakeProgress())  # type: ignore[arg-type,return-value]
    monkeypatch.setattr(use, "real_tools", lambda _progress: tools)


model = test_evaluation.model


def test_evaluate_prints_each_class_and_what_to_know(
    model: Path,
    make_folder: MakeFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _use(monkeypatch, test_evaluation.FakeWorker())
    folder = str(make_folder({"ash": 1, "elm": 1}))
    assert main(["evaluate", str(model), folder]) == 0
    out = capsys.readouterr().out
    assert "accuracy: 100.0% (34.2% to 100.0%) of 2 images" in out
    assert "Not measured, for want of images: oak." in out
    assert main(["evaluate", str(model), folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_measured"] == ["oak"]


def test_predict_prints_shares_and_never_that_it_is_certain(
    model: Path,
    make_folder: MakeFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _use(monkeypatch, test_prediction.FakeWorker(0.99999, 0.000006, 0.000004))
    image = str(make_folder({"x": 1}) / "x" / "000.jpg")
    assert main(["predict", str(model), image, "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert "> 99.9%  ash" in out
    assert "oak" not in out.split("if it is")[0]
    assert "gives one of its 3 classes to anything" in out
    assert main(["predict", str(model), "nowhere.jpg"]) == 2
    assert "there is no such file" in capsys.readouterr().err
