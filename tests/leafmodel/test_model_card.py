from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from leafmodel.errors import ModelError
from leafmodel.model_card import CARD_VERSION, MEMBER, read_card, write_card
from tests.leafmodel.model_samples import card


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """What Keras would have written, as far as a card cares."""
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"weights" * 1000)
    return path


def _member(path: Path, text: str) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, text)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _damage(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"weightsweights", b"weightsweighty", 1))


def test_a_card_comes_back_as_it_was(model: Path) -> None:
    write_card(model, card())
    assert read_card(model) == card()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), "there is no such file"),
        (lambda path: path.write_bytes(b"no zip"), r"is not a whole \.keras file"),
        (_cut, r"is not a whole \.keras file"),
        (_damage, r"the checksum of model\.weights\.h5 is wrong"),
    ],
)
def test_a_file_that_is_no_model_is_one_sentence(
    change: Callable[[Path], object], words: str, model: Path
) -> None:
    write_card(model, card())
    change(model)
    with pytest.raises(ModelError, match=words):
        read_card(model)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no card"),
        ('{"card_version": 1}', "is no card"),
        (f'{{"card_version": {CARD_VERSION + 1}}}', "install the leafbench that trained it"),
    ],
)
def test_a_card_that_cannot_be_read_is_one_sentence(text: str, words: str, model: Path) -> None:
    _member(model, text)
    with pytest.raises(ModelError, match=words):
        read_card(model)


def test_a_model_of_somebody_else_is_not_ours(model: Path) -> None:
    with pytest.raises(ModelError, match="it was saved by something else"):
        read_card(model)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a folder"):
        read_card(tmp_path)
