"""A phase's network: its head, what improvements do to it, what stays frozen."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from leafmodel.errors import ModelError
from leafmodel.models.network import BackboneChoice, Network, build
from leafmodel.training.phases import phase

BARE = BackboneChoice("efficientnet_lite0", "none")


def made(name: str, size: int = 32) -> Network:
    keras.utils.set_random_seed(0)
    return build(phase(name), size, 3, BARE)


def images(count: int = 2, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def layer_kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def test_transfer_is_the_claims_head_on_pooled_features() -> None:
    parts = made("transfer")
    assert parts.extractor.output_shape == (None, 1280)
    assert layer_kinds(parts.head) == [
        *("InputLayer", "BatchNormalization", "Dense", "Dropout", "Dense")
    ]
    assert [layer.units for layer in parts.head.layers if hasattr(layer, "units")] == [512, 3]
    assert not parts.extractor.trainable_variables
    np.testing.assert_allclose(np.asarray(parts.whole(images())).sum(axis=1), 1.0, rtol=1e-5)


def test_finetune_trains_the_last_block_and_no_normalisation_of_the_backbone() -> None:
    names = {variable.path for variable in made("finetune").extractor.trainable_variables}
    assert names
    assert all("block7" in name or "top_conv" in name for name in names)


def test_the_backbone_runs_in_inference_mode_while_it_trains() -> None:
    parts = made("finetune")
    one, other = (np.asarray(parts.extractor(images(), training=True)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(one, np.asarray(parts.extractor(images(), training=False)))


@pytest.mark.parametrize("name", ["cnn", "transfer"])
def test_improvements_change_the_head(name: str) -> None:
    mish = made(f"{name}+mish")
    dense = [m for m in (mish.head or mish.whole).layers if isinstance(m, keras.layers.Dense)]
    assert dense[0].activation is keras.activations.mish
    bare = made(f"{name}+no_dense")
    assert [type(m) for m in (bare.head or bare.whole).layers].count(keras.layers.Dense) == 1
    focal = np.asarray(made(f"{name}+sigmoid_focal").whole(images()))
    assert np.abs(focal.sum(axis=1) - 1).max() > 1e-3
    assert ((focal >= 0) & (focal <= 1)).all()


@pytest.mark.parametrize("improvement", ["random_crop", "gaussian_noise"])
def test_disturbances_act_while_training_alone(improvement: str) -> None:
    network = made(f"cnn+{improvement}", size=48)
    varied = images(1, size=48)
    seen = [through(network.front, varied) for _ in range(6)]
    assert max(np.abs(seen[0] - other).max() for other in seen[1:]) > 0
    answers = [np.asarray(network.whole(varied, training=False)) for _ in range(2)]
    np.testing.assert_array_equal(*answers)
    assert answers[0].shape == (1, 3)


def test_outside_training_a_network_that_crops_sees_the_middle() -> None:
    for name in ("cnn", "transfer"):
        network = made(f"{name}+random_crop", size=64)
        whole = images(1, size=64)
        middle = whole[:, 4:60, 4:60]
        np.testing.assert_allclose(
            np.asarray(network.whole(whole)), np.asarray(network.core(middle)), rtol=1e-5
        )
        assert through(network.front, whole).shape == middle.shape


def test_images_that_a_crop_makes_too_small_are_refused() -> None:
    with pytest.raises(ModelError, match=r"needs 32 pixels a side, found 28.*raise --image-size"):
        made("cnn+random_crop")


def through(front: tuple[keras.layers.Layer, ...], images: np.ndarray) -> np.ndarray:
    """The images behind the layers, in training."""
    for layer in front:
        images = layer(images, training=True)
    return np.asarray(images)


def test_most_phases_disturb_nothing() -> None:
    network = made("transfer+mish")
    assert network.front == ()
    assert network.core is network.whole


def test_noise_is_five_percent_of_the_grey_range() -> None:
    grey = np.full((4, 32, 32, 3), 128.0, np.float32)
    disturbed = through(made("cnn+gaussian_noise").front, grey)
    assert disturbed.std() == pytest.approx(0.05 * 255, rel=0.05)
    assert disturbed.mean() == pytest.approx(128.0, abs=1.0)


def test_mixed_precision_computes_in_bfloat16_and_answers_in_float32() -> None:
    before = keras.config.dtype_policy()
    parts = made("transfer+mixed_precision")
    assert parts.extractor.output.dtype == "bfloat16"
    assert parts.whole.output.dtype == "float32"
    assert {str(v.dtype) for v in parts.whole.trainable_variables} == {"float32"}
    assert keras.config.dtype_policy() == before


def test_weights_of_transfer_fit_finetune(tmp_path: Path) -> None:
    path = tmp_path / "transfer.weights.h5"
    start, goes_on = made("transfer"), made("finetune")
    start.head.layers[-1].bias.assign([1.0, 2.0, 3.0])
    start.whole.save_weights(path)
    goes_on.whole.load_weights(path)
    np.testing.assert_array_equal(
        np.asarray(goes_on.whole(images())), np.asarray(start.whole(images()))
    )
