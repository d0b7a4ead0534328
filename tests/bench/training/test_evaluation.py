from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench.codec import encode
from bench.errors import RecordError, WorkerFailedError
from bench.process import OnProgress
from bench.schema import SCHEMA_VERSION, Failure, FailureKind
from bench.training.evaluation import Evaluated, evaluate, write
from bench.training.records import EvaluationRecord
from bench.training.requests import EvaluateRequest, Request
from bench.training.use import UseTools
from leafmodel.data.check import fingerprint
from leafmodel.data.folder import scan
from leafmodel.errors import DataError, ModelError
from leafmodel.model_card import Images, write_card
from tests.bench.fakes import FakeProgress
from tests.bench.training.samples import part
from tests.leafmodel.model_samples import card

MakeFolder = Callable[..., Path]


class FakeWorker:
    """Names every image rightly; notes what it was asked."""

    def __init__(self, failure: Failure | None = None, *, writes: bool = True) -> None:
        self.failure = failure
        self.writes = writes
        self.asked: list[EvaluateRequest] = []

    def run(self, request: Request, path: Path, on_progress: OnProgress) -> Failure | None:
        assert isinstance(request, EvaluateRequest)
        assert path.parent.is_dir()
        self.asked.append(request)
        on_progress("step", 1, 1)
        if self.writes:
            right = part("images", [True] * len(request.files))
            record = EvaluationRecord(SCHEMA_VERSION, (right,))
            Path(request.out).write_bytes(encode(record))
        return self.failure


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return _model(tmp_path / "model.keras")


def _model(path: Path, images: Images | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    write_card(path, card(images=images) if images else card())
    return path


def _evaluate(model: Path, folder: Path, worker: FakeWorker, *, skip: bool = False) -> Evaluated:
    return evaluate(model, folder, skip, UseTools(lambda _logs: worker, FakeProgress()))


def test_labels_are_the_models_whatever_the_folders_order(
    model: Path, make_folder: MakeFolder
) -> None:
    """The folder has elm and oak, the model ash, elm and oak: 1 and 2, and ash is not measured."""
    worker = FakeWorker()
    found = _evaluate(model, make_folder({"elm": 2, "oak": 1}), worker)
    assert [label for _, label in worker.asked[0].files] == [1, 1, 2]
    assert found.part == "all"


def test_the_test_part_is_what_counts_where_there_is_one(
    model: Path, make_folder: MakeFolder
) -> None:
    make_folder({"ash": 3, "elm": 3}, name="images/training")
    make_folder({"ash": 1, "elm": 1}, name="images/test")
    worker = FakeWorker()
    found = _evaluate(model, make_folder({}, name="images"), worker)
    assert found.part == "test"
    assert [Path(path).parts[-3] for path, _ in worker.asked[0].files] == ["test", "test"]
    assert found.notes[0].startswith("Measured on the test images in ")


def test_classes_that_the_model_does_not_have_are_refused(
    model: Path, make_folder: MakeFolder
) -> None:
    folder = make_folder({"ash": 1, "fir": 1, "yew": 1})
    with pytest.raises(ModelError) as caught:
        _evaluate(model, folder, FakeWorker())
    assert "was not trained for: fir, yew. It lacks: elm, oak." in str(caught.value)


def test_classes_without_images_are_said_not_to_be_measured(
    model: Path, make_folder: MakeFolder
) -> None:
    found = _evaluate(model, make_folder({"ash": 1, "elm": 1}), FakeWorker())
    assert found.not_measured == ("oak",)
    assert any(note.startswith("Not measured, for want of images: oak.") for note in found.notes)


def test_the_images_it_was_trained_with_are_recognised(
    tmp_path: Path, make_folder: MakeFolder
) -> None:
    folder = make_folder({"ash": 2, "elm": 2, "oak": 2})
    known = fingerprint(scan(folder).training, folder)
    model = _model(tmp_path / "own.keras", Images("a folder", known, 0, 5, 1, 0))
    found = _evaluate(model, folder, FakeWorker())
    assert "the 6 images that the model was trained and chosen with" in found.notes[0]


def test_bad_files_are_refused_or_left_out_and_said(model: Path, make_folder: MakeFolder) -> None:
    folder = make_folder({"ash": 2, "elm": 2})
    (folder / "ash" / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"bad\.jpg: unreadable"):
        _evaluate(model, folder, FakeWorker())
    worker = FakeWorker()
    found = _evaluate(model, folder, worker, skip=True)
    assert len(worker.asked[0].files) == 4
    assert len(found.skipped) == 1
    assert "Left out, because they cannot be read: 1 of the folder's files." in found.notes


@pytest.mark.parametrize(
    ("worker", "error", "words"),
    [
        (FakeWorker(Failure(FailureKind.ERROR, "Keras cannot", "")), WorkerFailedError, "^Keras"),
        (
            FakeWorker(Failure(FailureKind.MEMORY, "killed by the system", "")),
            WorkerFailedError,
            "did not end well: killed by the system. Close other programs",
        ),
        (FakeWorker(writes=False), RecordError, "ended without an answer"),
    ],
)
def test_a_process_that_does_not_end_well_is_one_sentence(
    worker: FakeWorker, error: type[Exception], words: str, model: Path, make_folder: MakeFolder
) -> None:
    with pytest.raises(error, match=words):
        _evaluate(model, make_folder({"ash": 1, "elm": 1}), worker)


def test_figures_and_values_are_written(
    model: Path, make_folder: MakeFolder, tmp_path: Path
) -> None:
    found = _evaluate(model, make_folder({"ash": 3, "elm": 3}), FakeWorker())
    out = tmp_path / "out"
    write(found, out)
    names: Sequence[str] = sorted(path.name for path in out.iterdir())
    assert names == ["confusion.png", "evaluation.json", "reliability.png"]
