from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from leafmodel.data.folder import scan
from leafmodel.errors import ModelError
from leafmodel.saved_model import answers, load, save
from leafmodel.training.optimisers import Ranger
from tests.leafmodel.model_samples import card


@pytest.fixture(scope="module")
def network() -> Any:
    """A tiny one, compiled with an optimiser that plain Keras does not know."""
    keras.utils.set_random_seed(1)
    images = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(2, 3, strides=4, activation="mish")(
        keras.layers.Rescaling(1 / 255)(images)
    )
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x))
    model = keras.Model(images, outputs)
    model.compile(Ranger(), "sparse_categorical_crossentropy")
    return model


def _images() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)


def test_plain_keras_loads_it_without_leafmodel(network: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    save(network, card(), path)
    with zipfile.ZipFile(path) as archive:
        assert b"leafmodel" not in archive.read("config.json")
    again = keras.saving.load_model(path)
    np.testing.assert_allclose(again(_images()), network(_images()), atol=1e-6)
    assert not again.compiled


def test_model_and_card_come_back(network: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    save(network, card(), path)
    model, found = load(path)
    assert found == card()
    np.testing.assert_allclose(model(_images()), network(_images()), atol=1e-6)
    assert [item.name for item in tmp_path.iterdir()] == ["model.keras"]


def test_a_card_for_another_network_is_refused(network: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    save(network, card(class_names=("ash", "elm")), path)
    with pytest.raises(ModelError, match="do not belong together"):
        load(path)


def test_what_keras_cannot_read_is_one_sentence(network: Any, tmp_path: Path) -> None:
    path, other = tmp_path / "model.keras", tmp_path / "other.keras"
    save(network, card(versions={"keras": "9.0"}), path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w") as copy:
        for name in archive.namelist():
            data = archive.read(name)
            copy.writestr(name, data.replace(b'"Conv2D"', b'"Conv9D"'))
    with pytest.raises(ModelError, match=r"cannot read .*other\.keras, .* Keras 9\.0: ") as caught:
        load(other)
    assert "\n" not in str(caught.value)


def test_answers_are_those_for_the_images_in_their_order(
    network: Any, make_folder: Callable[..., Path]
) -> None:
    files = scan(make_folder({"ash": 2, "elm": 2}, size=32)).training
    found = answers(network, files, 32)
    alone = [answers(network, [file], 32)[0] for file in files]
    assert found.shape == (4, 3)
    np.testing.assert_allclose(found, alone, atol=1e-6)
