"""The fused layer as a layer: what it draws, takes, gives and saves, on TensorFlow and on JAX."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from leafmodel.augment import Augmentation, FusedAugmentation, stock_augmentation
from leafmodel.augment.fused import Draw
from tests.leafmodel.augment import fuse_on_backend

NOISE = np.random.default_rng(0).integers(0, 256, (3, 9, 14, 3)).astype(np.uint8)
Matrix = NDArray[np.float64]

DRAWN = 20_000


@pytest.fixture(scope="module")
def drawn() -> tuple[dict[str, Matrix], dict[str, Matrix]]:
    """Many draws of the fused layer and of the stock layers, by name."""
    ours = FusedAugmentation(seed=11).draw(DRAWN)._asdict()
    images = np.zeros((DRAWN, 2, 5, 1), np.float32)
    flip, translation, rotation, zoom, contrast = (
        layer.get_random_transformation(images) for layer in stock_augmentation(seed=12)
    )
    theirs = {
        "flip": np.where(flip["flips"], -1.0, 1.0),
        "shift_x": np.asarray(translation["translations"])[:, 0] / 5,
        "shift_y": np.asarray(translation["translations"])[:, 1] / 2,
        "angle": np.deg2rad(rotation["angle"]),
        "zoom": zoom["width_zoom"],
        "contrast": contrast["contrast_factor"],
    }
    np.testing.assert_array_equal(zoom["width_zoom"], zoom["height_zoom"])
    return (
        {name: np.asarray(value, float) for name, value in ours.items()},
        {name: np.ravel(value).astype(float) for name, value in theirs.items()},
    )


@pytest.mark.parametrize("name", Draw._fields)
def test_every_number_is_distributed_as_in_the_stock_layers(
    name: str, drawn: tuple[dict[str, Matrix], dict[str, Matrix]]
) -> None:
    ours, theirs = drawn[0][name], drawn[1][name]
    error = theirs.std() * np.sqrt(2 / DRAWN)  # of the difference of two means
    assert abs(ours.mean() - theirs.mean()) < 4 * error
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
    assert (ours.min(), ours.max()) == pytest.approx((theirs.min(), theirs.max()), abs=2e-3)
    assert ks_2samp(ours, theirs).pvalue > 0.001


def test_the_numbers_of_an_image_are_drawn_apart(
    drawn: tuple[dict[str, Matrix], dict[str, Matrix]],
) -> None:
    together = np.corrcoef(list(drawn[0].values())) - np.eye(len(Draw._fields))
    assert np.abs(together).max() < 4 / np.sqrt(DRAWN)


def test_a_strength_of_its_own_is_drawn() -> None:
    layer = FusedAugmentation(translation=0.1, rotation=0.0, zoom=0.2, contrast=0.4, seed=3)
    found = {name: np.asarray(value) for name, value in layer.draw(5000)._asdict().items()}
    reach = {name: (value.min(), value.max()) for name, value in found.items()}
    assert reach["shift_x"] == pytest.approx((-0.1, 0.1), abs=1e-3)
    assert reach["angle"] == (0, 0)
    assert reach["zoom"] == pytest.approx((0.8, 1.2), abs=1e-3)
    assert reach["contrast"] == pytest.approx((0.6, 1.4), abs=1e-3)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"translation": 1.5}, "translation must be a share from 0 to 1; received 1.5"),
        ({"contrast": -0.1}, "contrast must be a share from 0 to 1; received -0.1"),
        ({"zoom": 1.0}, "zoom must be a share from 0 up to, but not including, 1; received 1.0"),
        ({"rotation": float("nan")}, "rotation must be a share from 0 to 1; received nan"),
    ],
)
def test_a_strength_that_is_no_share_is_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        FusedAugmentation(**wrong)
    with pytest.raises(ValueError, match=says):
        Augmentation(**wrong)


def test_the_same_seed_augments_alike_and_another_differently() -> None:
    def augmented(seed: int) -> NDArray[np.float32]:
        return np.asarray(FusedAugmentation(seed=seed)(NOISE, training=True))

    np.testing.assert_array_equal(augmented(1), augmented(1))
    assert np.abs(augmented(1) - augmented(2)).mean() > 1.0


def test_every_image_of_a_batch_and_every_call_has_a_draw_of_its_own() -> None:
    layer = FusedAugmentation(seed=1)
    first, second = (np.asarray(layer(np.repeat(NOISE[:1], 2, 0), training=True)) for _ in "ab")
    assert np.abs(first[0] - first[1]).mean() > 1.0
    assert np.abs(first - second).mean() > 1.0


@pytest.mark.parametrize("kind", ["uint8", "int32", "float16", "float64"])
@pytest.mark.parametrize("training", [True, False])
def test_any_number_type_becomes_float32_in_0_to_255(kind: str, training: bool) -> None:
    found = np.asarray(FusedAugmentation(seed=1)(NOISE.astype(kind), training=training))
    assert found.dtype == np.float32
    assert found.shape == NOISE.shape
    assert 0 <= found.min() < found.max() <= 255
    expected = np.asarray(FusedAugmentation(seed=1)(NOISE.astype("float32"), training=training))
    np.testing.assert_array_equal(found, expected)


def test_half_precision_elsewhere_does_not_reach_it() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = FusedAugmentation(seed=1)(NOISE, training=False)
    finally:
        keras.config.set_dtype_policy(before)
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(np.asarray(found), NOISE)


def test_outside_training_it_is_the_identity() -> None:
    np.testing.assert_array_equal(np.asarray(FusedAugmentation()(NOISE, training=False)), NOISE)
    assert np.abs(np.asarray(FusedAugmentation(seed=1)(NOISE)) - NOISE).mean() > 1.0


def test_a_single_image_is_one_of_a_batch() -> None:
    one = np.asarray(FusedAugmentation(seed=4)(NOISE[0], training=True))
    np.testing.assert_array_equal(one, FusedAugmentation(seed=4)(NOISE[:1], training=True)[0])


def test_in_a_map_the_size_of_an_image_may_be_unknown() -> None:
    layer = FusedAugmentation(seed=4)

    def unknown(one: Any) -> Any:
        return layer(tf.ensure_shape(tf.io.decode_png(tf.io.encode_png(one)), (None, None, 3)))

    (found,) = tf.data.Dataset.from_tensors(NOISE[0]).map(unknown).as_numpy_iterator()
    expected = FusedAugmentation(seed=4)(NOISE[0], training=True)
    np.testing.assert_allclose(found, np.asarray(expected), atol=1e-2)


def test_its_config_makes_the_same_layer_again() -> None:
    layer = FusedAugmentation(translation=0.1, rotation=0.2, zoom=0.25, contrast=0.4, seed=9)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert again.strength == Augmentation(0.1, 0.2, 0.25, 0.4)
    np.testing.assert_array_equal(again(NOISE, training=True), layer(NOISE, training=True))


def test_a_saved_model_has_it_and_draws_from_its_seed_again(tmp_path: Path) -> None:
    """No random layer of Keras 3.15 goes on where it was: a file holds no random state."""
    images = keras.Input(NOISE.shape[1:], dtype="uint8")
    augmented = FusedAugmentation(seed=9)(images)
    model = keras.Model(images, keras.layers.GlobalAveragePooling2D()(augmented))
    assert augmented.dtype == "float32"
    first = np.asarray(model(NOISE, training=True))
    model.save(tmp_path / "augmented.keras")
    loaded = keras.saving.load_model(tmp_path / "augmented.keras")
    np.testing.assert_array_equal(np.asarray(loaded(NOISE, training=True)), first)
    assert np.abs(np.asarray(loaded(NOISE, training=True)) - first).max() > 1e-3
    expected = NOISE.mean(axis=(1, 2))
    np.testing.assert_allclose(loaded.predict(NOISE, verbose=0), expected, rtol=1e-5)


def test_tensorflow_is_not_asked_to_compile_it() -> None:
    assert FusedAugmentation().supports_jit is False


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray[np.float32]]:
    """What `fuse_on_backend` finds in a process whose Keras runs on JAX."""
    found = tmp_path_factory.mktemp("jax") / "found.npz"
    script = Path(fuse_on_backend.__file__)
    chosen = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(script.parents[3])}
    command = [sys.executable, str(script), str(found)]
    subprocess.run(command, check=True, env=os.environ | chosen)
    with np.load(found) as arrays:
        return dict(arrays)


def test_jax_compiles_it_to_the_same_images_with_their_borders(
    on_jax: dict[str, NDArray[np.float32]],
) -> None:
    np.testing.assert_allclose(on_jax["moved"], fuse_on_backend.moved(), atol=0.05)


def test_in_a_map_it_runs_on_tensorflow_whatever_the_backend(
    on_jax: dict[str, NDArray[np.float32]],
) -> None:
    np.testing.assert_allclose(on_jax["mapped"], fuse_on_backend.mapped(), atol=1e-3)
    assert np.abs(on_jax["mapped"][0] - on_jax["mapped"][1]).mean() > 1.0


def test_on_jax_a_batch_becomes_float32_in_0_to_255(
    on_jax: dict[str, NDArray[np.float32]],
) -> None:
    found = on_jax["called"]
    assert (found.dtype, found.shape) == (np.float32, fuse_on_backend.called().shape)
    assert 0 <= found.min() < found.max() <= 255
    assert np.abs(found[0] - found[1]).mean() > 1.0
