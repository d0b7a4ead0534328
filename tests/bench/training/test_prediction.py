from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.codec import encode
from bench.process import OnProgress
from bench.schema import SCHEMA_VERSION, Failure
from bench.training.prediction import Predicted, named, predict
from bench.training.requests import Answers, PredictRequest, Request
from bench.training.use import UseTools
from leafmodel.errors import DataError, ModelError
from leafmodel.model_card import write_card
from tests.bench.fakes import FakeProgress
from tests.leafmodel.model_samples import CLASSES, card

MakeFolder = Callable[..., Path]
KNOWN = card()


class FakeWorker:
    """Says the same of every image."""

    def __init__(self, *row: float) -> None:
        self.row = row
        self.asked: list[PredictRequest] = []

    def run(self, request: Request, path: Path, on_progress: OnProgress) -> Failure | None:
        assert isinstance(request, PredictRequest)
        assert path.name.endswith(".predict.json")
        self.asked.append(request)
        answers = Answers(SCHEMA_VERSION, (self.row,) * len(request.files))
        Path(request.out).write_bytes(encode(answers))
        on_progress("step", 1, 1)
        return None


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    write_card(path, card())
    return path


def _predict(model: Path, *images: Path, row: tuple[float, ...] = (0.9, 0.06, 0.04)) -> Predicted:
    return predict(model, images, UseTools(lambda _logs: FakeWorker(*row), FakeProgress()))


def test_the_classes_are_named_with_the_likeliest_first(
    model: Path, make_folder: MakeFolder
) -> None:
    image = make_folder({"x": 1}) / "x" / "000.jpg"
    found = _predict(model, image, row=(0.04, 0.9, 0.06)).images[0]
    assert [(share.name, share.probability) for share in found.shares] == [
        ("elm", 0.9),
        ("oak", 0.06),
        ("ash", 0.04),
    ]
    assert found.margin == pytest.approx(0.84)
    assert not found.unsure
    assert found.statement.startswith(
        "if it is one of these 3 leaves, most likely elm; next is oak"
    )


@pytest.mark.parametrize(
    ("row", "unsure"),
    [
        ((0.9, 0.05, 0.05), False),
        ((0.49, 0.26, 0.25), True),  # less than half
        ((0.55, 0.40, 0.05), True),  # a rival
        ((1 / 3, 1 / 3, 1 / 3), True),
    ],
)
def test_it_says_when_it_is_unsure(row: tuple[float, ...], unsure: bool) -> None:
    found = named("leaf.jpg", row, card())
    assert found.unsure is unsure
    assert found.statement.startswith("unsure: the best class has") is unsure


def test_unsure_is_held_against_guessing() -> None:
    found = named("leaf.jpg", (0.45, 0.35, 0.20), card())
    assert "the best class has 45%, against 33% for guessing and 35% for elm" in found.statement


def test_an_answer_is_held_against_how_often_such_answers_were_right() -> None:
    """The made-up model's answers had 0.8 each, and 27 of 30 were right."""
    like = named("leaf.jpg", (0.8, 0.1, 0.1), card())
    assert "Named rightly with about such confidence: 27 of 30 test images." in like.statement
    unlike = named("leaf.jpg", (0.98, 0.01, 0.01), card())
    assert unlike.alike.images == 0
    assert "No test image had an answer of such confidence." in unlike.statement


def test_nothing_is_said_to_be_certain(model: Path, make_folder: MakeFolder) -> None:
    image = make_folder({"x": 1}) / "x" / "000.jpg"
    found = _predict(model, image, row=(1.0, 0.0, 0.0))
    assert "gives one of its 3 classes to anything" in found.caution
    assert "if it is one of these" in found.images[0].statement
    assert found.images[0].entropy == 0


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_shares_are_shares_whatever_the_model_gives(row: list[float]) -> None:
    """A sigmoid a class does not sum to 1, and may even be all zeros."""
    found = named("leaf.jpg", row, KNOWN)
    assert sum(share.probability for share in found.shares) == pytest.approx(1)
    assert {share.name for share in found.shares} == set(CLASSES)
    assert -1e-9 <= found.entropy <= 1 + 1e-9
    assert found.margin >= 0


def test_images_that_cannot_be_read_are_one_sentence(
    model: Path, make_folder: MakeFolder, tmp_path: Path
) -> None:
    folder = make_folder({"x": 1}) / "x"
    (folder / "cut.jpg").write_bytes((folder / "000.jpg").read_bytes()[:200])
    (folder / "notes.txt").write_text("no image")
    for image, words in (
        (folder / "none.jpg", "there is no such file"),
        (folder, "is a folder"),
        (folder / "notes.txt", "is not named as an image"),
        (folder / "cut.jpg", r"cut\.jpg: truncated"),
    ):
        with pytest.raises(DataError, match=words):
            _predict(model, folder / "000.jpg", image)
    with pytest.raises(ModelError, match="there is no such file"):
        _predict(tmp_path / "none.keras", folder / "000.jpg")


def test_the_same_image_may_be_asked_twice(model: Path, make_folder: MakeFolder) -> None:
    image = make_folder({"x": 1}) / "x" / "000.jpg"
    assert len(_predict(model, image, image).images) == 2
