from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import PlanChangedError, StoreError
from bench.process import OnProgress
from bench.report import training
from bench.schema import Environment, Failure, FailureKind
from bench.training import session
from bench.training.records import TrainConfig
from bench.training.requests import PhaseRequest, Request
from bench.training.session import TrainingOutcome, TrainingTools, epoch_text
from bench.training.store import phase_folder, read
from leafmodel.errors import DataError
from tests.bench.fakes import NOON, FakeProgress
from tests.bench.samples import environment
from tests.bench.training.samples import config, finish, history, phase

COMMAND = ("leafbench", "train")
RIGHT = [True, True, False] * 10


class FakeWorker:
    """Ends every phase well, but for those that `fails` names; notes what was asked."""

    def __init__(self, fails: dict[str, Failure | type[BaseException]] | None = None) -> None:
        self.fails = fails or {}
        self.asked: list[PhaseRequest] = []

    def run(self, request: Request, path: Path, on_progress: OnProgress) -> Failure | None:
        assert isinstance(request, PhaseRequest)
        assert path.name.endswith(".train.json")
        self.asked.append(request)
        fate = self.fails.get(request.phase)
        if isinstance(fate, type):
            raise fate
        if fate is None:
            finish(Path(request.folder).parent, phase(request.phase, RIGHT, test=False))
        on_progress("step", 1, 9)
        return fate

    @property
    def names(self) -> list[str]:
        return [request.phase for request in self.asked]


@pytest.fixture
def images(make_folder: Callable[..., Path]) -> Path:
    return make_folder({"ash": 8, "elm": 8, "oak": 8}, size=32)


def _config(images: Path, **changes: Any) -> TrainConfig:
    return config(data=str(images), batch_size=4, image_size=32, **changes)


def _tools(worker: FakeWorker, machine: Environment | None = None) -> TrainingTools:
    return TrainingTools(
        worker=lambda _logs: worker,
        progress=FakeProgress(),
        environment=lambda: machine or environment(),
        now=lambda: NOON,
        report=training.make,
    )


def _start(images: Path, out: Path, worker: FakeWorker, **changes: Any) -> TrainingOutcome:
    return session.start(_config(images, **changes), out, COMMAND, _tools(worker))


def test_phases_are_trained_in_order_and_each_continues_its_start(
    images: Path, tmp_path: Path
) -> None:
    worker, out = FakeWorker(), tmp_path / "out"
    ended = _start(images, out, worker, phases=("cnn", "finetune"))
    assert worker.names == ["cnn", "transfer", "finetune"]
    starts = [Path(request.start).parent.name if request.start else "" for request in worker.asked]
    assert starts == ["", "", "transfer"]
    assert (ended.exit_code, ended.interrupted) == (0, False)
    assert [item.name for item in ended.results.phases] == worker.names
    assert (out / "report.md").is_file()
    assert not (out / "work").exists()


def test_an_interrupt_ends_the_training_and_resume_trains_the_rest(
    images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    worker = FakeWorker({"finetune": KeyboardInterrupt})
    ended = _start(images, out, worker, phases=("transfer", "finetune"))
    assert (ended.interrupted, ended.exit_code) == (True, 130)
    assert "no model yet of finetune" in (out / "report.md").read_text()
    again = FakeWorker()
    ended = session.resume(out, (), _tools(again))
    assert again.names == ["finetune"]
    assert ended.exit_code == 0


def test_more_phases_can_be_trained_beside(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _start(images, out, FakeWorker(), phases=("finetune",))
    again = FakeWorker()
    session.resume(out, ("cnn", "finetune+ranger"), _tools(again))
    assert again.names == ["cnn", "finetune+ranger"]
    assert read(out).head.config.phases == ("finetune", "cnn", "finetune+ranger")


def test_what_continues_a_failed_phase_is_not_trained_and_the_rest_is(
    images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    worker = FakeWorker({"transfer": Failure(FailureKind.MEMORY, "killed by the system", "log")})
    ended = _start(images, out, worker, phases=("finetune", "cnn"))
    assert worker.names == ["transfer", "cnn"]
    assert ended.exit_code == 1
    words = {record.phase: record.failure.message for record in ended.failures}
    assert words["finetune"] == "not trained, because it continues transfer, which has no model"
    assert words["transfer"] == (
        "killed by the system. Close other programs and train again with: leafbench train --resume "
        f"{out.resolve()}; or begin a new training with a lower --batch-size (here 4) or "
        "--image-size."
    )
    report = (out / "report.md").read_text()
    assert "no model yet of transfer, finetune" in report


def test_a_phase_that_failed_is_tried_again(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _start(images, out, FakeWorker({"cnn": Failure(FailureKind.CRASH, "no", "")}), phases=("cnn",))
    ended = session.resume(out, (), _tools(FakeWorker()))
    assert (ended.failures, ended.exit_code) == ((), 0)
    assert not (phase_folder(out, "cnn") / "failure.json").exists()


def test_other_images_or_versions_are_refused_with_what_differs(
    images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _start(images, out, FakeWorker(), phases=("cnn",))
    other = replace(environment(), versions={"keras": "9.9", "tensorflow": "2.21.0"})
    (images / "ash" / "000.jpg").unlink()
    with pytest.raises(PlanChangedError) as caught:
        session.resume(out, (), _tools(FakeWorker(), other))
    words = str(caught.value)
    assert "fingerprint: " in words
    assert "train_images: 20 -> 20" not in words
    assert "keras: " in words
    assert " -> 9.9" in words


def test_another_machine_may_go_on(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _start(images, out, FakeWorker(), phases=("cnn",))
    elsewhere = replace(environment(), cpu_model="another", cores=64)
    assert session.resume(out, (), _tools(FakeWorker(), elsewhere)).exit_code == 0


def test_a_folder_with_something_in_it_is_left_alone(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _start(images, out, FakeWorker(), phases=("cnn",))
    with pytest.raises(StoreError, match=r"holds a training already: .*--resume"):
        _start(images, out, FakeWorker(), phases=("cnn",))
    with pytest.raises(StoreError, match="is not a training of leafbench"):
        session.resume(images, (), _tools(FakeWorker()))


def test_images_that_cannot_be_used_leave_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError, match="There is no folder of images"):
        _start(tmp_path / "nowhere", out, FakeWorker())
    assert not out.exists()


def test_the_audit_is_made_once_and_reported(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _start(images, out, FakeWorker(), phases=("cnn",), audit_data=True)
    written = (out / "audit.json").stat().st_mtime_ns
    assert json.loads((out / "audit.json").read_bytes())["held_out"] == "validation"
    assert "## Leaks" in (out / "report.md").read_text()
    session.resume(out, (), _tools(FakeWorker()))
    assert (out / "audit.json").stat().st_mtime_ns == written


def test_an_epoch_is_told_in_a_line() -> None:
    assert epoch_text(history(9, best=9), 50) == (
        "epoch 9 of 50: validation accuracy 90.0%, loss 0.400, the best so far (20.0 s)"
    )
    assert "best" not in epoch_text(history(10, best=9), 50)
    broken = replace(history(1)[0], val_loss=None)
    assert epoch_text([broken], 50) == "epoch 1 of 50: the validation loss is not a number"
