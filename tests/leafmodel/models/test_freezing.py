from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from leafmodel.errors import ModelError
from leafmodel.models import backbone
from leafmodel.models.freezing import unfreeze

SHAPE = (32, 32, 3)


def trained_parts(model: Any) -> set[str]:
    """block7, top, ... of all weights that would train."""
    return {weight.path.split("_")[0].rstrip("abcdefg") for weight in model.trainable_weights}


@pytest.fixture(scope="module", params=["efficientnet_lite0", "efficientnet_b0"])
def model(request: pytest.FixtureRequest) -> Any:
    return backbone(request.param, weights="none", input_shape=SHAPE)


@pytest.mark.parametrize("blocks", range(8))
def test_the_last_blocks_and_the_top_train(model: Any, blocks: int) -> None:
    unfreeze(model, blocks)
    expected = {f"block{number}" for number in range(8 - blocks, 8)} | {"top"}
    assert trained_parts(model) == (expected if blocks else set())
    assert model.trainable == bool(blocks)


def test_in_an_unfrozen_block_everything_but_normalisation_trains(model: Any) -> None:
    unfreeze(model, 1)
    trained = {weight.path for weight in model.trainable_weights}
    block = {
        weight.path
        for layer in model.layers
        if layer.name.startswith(("block7", "top"))
        for weight in layer.weights
    }
    assert block - trained == {path for path in block if "bn/" in path}
    assert {"block7a_expand_conv/kernel", "block7a_project_conv/kernel"} <= trained


def test_what_was_unfrozen_can_be_frozen_again(model: Any) -> None:
    unfreeze(model, 7)
    unfreeze(model, 0)
    assert model.trainable_weights == []


@pytest.mark.parametrize("blocks", [-1, 8])
def test_blocks_that_are_not_there_are_refused(model: Any, blocks: int) -> None:
    with pytest.raises(ModelError, match=f"Cannot unfreeze {blocks} blocks .* expected 0 to 7"):
        unfreeze(model, blocks)


def test_a_network_without_blocks_cannot_be_unfrozen() -> None:
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ModelError, match="expected 0 to 0"):
        unfreeze(plain, 1)


def values(model: Any) -> dict[str, np.ndarray[Any, Any]]:
    return {weight.path: keras.ops.convert_to_numpy(weight).copy() for weight in model.weights}


def changed(before: dict[str, np.ndarray[Any, Any]], model: Any) -> set[str]:
    after = values(model)
    return {path for path, value in before.items() if not np.array_equal(value, after[path])}


IMAGES = np.random.default_rng(0).uniform(0, 255, (4, *SHAPE)).astype("float32")


def test_normalisation_infers_even_where_it_is_called_to_train(model: Any) -> None:
    unfreeze(model, 7)
    before = values(model)
    norms = [layer for layer in model.layers if layer.name.endswith("bn")]
    assert len(norms) > 40
    for layer in norms:
        layer(np.ones((2, 1, 1, layer.moving_mean.shape[0]), "float32"), training=True)
    assert changed(before, model) == set()


def test_training_moves_what_is_unfrozen_and_nothing_else() -> None:
    model = backbone("efficientnet_lite0", weights="none", input_shape=SHAPE)
    unfreeze(model, 1)
    images = keras.Input(SHAPE)
    whole = keras.Model(images, keras.layers.Dense(2)(model(images)))
    before = values(model)
    whole.compile("adam", "mse", run_eagerly=True)  # no time for tracing
    whole.fit(IMAGES, np.full((4, 2), 9.0, "float32"), batch_size=4, verbose=0)
    assert changed(before, model) == {
        *("block7a_expand_conv/kernel", "block7a_dwconv/kernel", "block7a_project_conv/kernel"),
        "top_conv/kernel",
    }
