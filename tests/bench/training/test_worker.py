"""The worker itself, in this process: a tiny training from its images to a model that is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from bench import images
from bench.codec import decode, encode
from bench.schema import SCHEMA_VERSION
from bench.training.plan import Places, request
from bench.training.records import EvaluationRecord
from bench.training.requests import Answers, EvaluateRequest, PredictRequest
from bench.training.store import is_finished
from bench.training.worker import main
from leafmodel.model_card import read_card
from leafmodel.training.history import from_csv
from tests.bench.training.samples import config

PHASE = "cnn+dense_units=4"
VERSIONS = {"keras": keras.__version__}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished trainings' worth of images and one trained phase."""
    return tmp_path_factory.mktemp("training")


def _request(folder: Path, data: Path, **changes: object) -> Path:
    wanted = config(
        data=str(data), phases=(PHASE,), batch_size=8, image_size=32, epochs=2, **changes
    )
    (folder / "work").mkdir(exist_ok=True)
    loaded = images.load(wanted.as_run(), folder / "work")
    files = folder / "files.json"
    files.write_bytes(encode(loaded.files))
    out = folder / "cnn_dense_units_4"
    out.mkdir()
    places = Places(str(files), str(folder / "work"), str(out), str(folder / "tensorboard"), "")
    path = folder / "cnn.train.json"
    path.write_bytes(encode(request(wanted, PHASE, loaded.summary, VERSIONS, places)))
    return path


@pytest.fixture
def trained(folder: Path, make_folder: Callable[..., Path], capsys: pytest.CaptureFixture) -> Path:
    if not is_finished(folder, PHASE):
        make_folder({"ash": 12, "elm": 12}, size=32, name="images/training")
        make_folder({"ash": 3, "elm": 3}, size=32, name="images/test")
        data = make_folder({}, name="images")
        assert main([str(_request(folder, data))]) == 0
        assert "@epoch 1 2" in capsys.readouterr().out
    return folder / "cnn_dense_units_4"


def test_a_phase_leaves_its_model_with_all_that_is_known_of_it(trained: Path) -> None:
    card = read_card(trained / "model.keras")
    assert (card.class_names, card.image_size) == (("ash", "elm"), 32)
    assert (card.images.train, card.images.validation, card.images.test) == (20, 4, 6)
    assert (card.training.phase, card.training.epochs) == (PHASE, 2)
    assert [item.part for item in card.measured] == ["test", "validation"]
    assert card.training.settings["dense_units"] == "4"
    history = from_csv((trained / "history.csv").read_text())
    assert [item.epoch for item in history] == [1, 2]
    assert json.loads((trained / "card.json").read_bytes())["card_version"] == card.card_version


def test_checkpoints_are_gone_and_tensorboard_has_its_files(trained: Path) -> None:
    assert not (trained / "checkpoints").exists()
    assert list((trained.parent / "tensorboard").rglob("events.out.tfevents.*"))


def test_the_saved_model_answers_as_it_was_measured(trained: Path, tmp_path: Path) -> None:
    known = decode((trained / "evaluation.json").read_bytes(), EvaluationRecord, "evaluation")
    files = json.loads((trained.parent / "files.json").read_bytes())["test"]
    asked = EvaluateRequest(
        SCHEMA_VERSION,
        str(trained / "model.keras"),
        tuple((path, label) for path, label in files),
        str(tmp_path / "answers.json"),
    )
    path = tmp_path / "folder.evaluate.json"
    path.write_bytes(encode(asked))
    assert main([str(path)]) == 0
    again = decode((tmp_path / "answers.json").read_bytes(), EvaluationRecord, "answers")
    assert again.parts[0].called == known.parts[0].called
    assert again.parts[0].evaluation == known.parts[0].evaluation


def test_single_images_get_probabilities(trained: Path, tmp_path: Path) -> None:
    files = json.loads((trained.parent / "files.json").read_bytes())["test"]
    asked = PredictRequest(
        SCHEMA_VERSION,
        str(trained / "model.keras"),
        tuple(path for path, _ in files[:2]),
        str(tmp_path / "answers.json"),
    )
    path = tmp_path / "images.predict.json"
    path.write_bytes(encode(asked))
    assert main([str(path)]) == 0
    rows = decode((tmp_path / "answers.json").read_bytes(), Answers, "answers").probabilities
    assert [sum(row) for row in rows] == pytest.approx([1, 1], abs=1e-5)


def test_a_mistake_is_a_sentence_beside_the_request(tmp_path: Path) -> None:
    asked = PredictRequest(SCHEMA_VERSION, str(tmp_path / "none.keras"), (), "answers.json")
    path = tmp_path / "images.predict.json"
    path.write_bytes(encode(asked))
    assert main([str(path)]) == 2
    mistake = (tmp_path / "images.predict.json.mistake").read_text()
    assert mistake.startswith("Expected a model at ")
