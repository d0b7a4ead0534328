from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from leafmodel.errors import ModelError, WeightsError
from leafmodel.models import backbone, backbones, h5_weights
from leafmodel.models.catalogue import BACKBONES

B0 = "efficientnet_b0"
SHAPE = (32, 32, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, *SHAPE), dtype=np.uint8)
DEVIATION = np.array([0.229, 0.224, 0.225], "float32")
MEAN = np.array([0.485, 0.456, 0.406], "float32")


def features(model: Any) -> np.ndarray[Any, Any]:
    return keras.ops.convert_to_numpy(model(IMAGES, training=False))


def test_features_are_the_mean_of_the_map() -> None:
    name, shape = "efficientnet_lite0", (64, 32, 3)
    pooled = backbone(name, input_shape=shape)
    unpooled = backbone(name, input_shape=shape, pooling=None)
    images = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype("float32")
    found = keras.ops.convert_to_numpy(unpooled(images))
    assert found.shape == (2, 2, 1, BACKBONES[name].features)
    np.testing.assert_allclose(pooled(images), found.mean((1, 2)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("pooling", "shape"), [("avg", (None, 1280)), (None, (None, 1, 1, 1280))])
def test_the_same_call_answers_for_an_efficientnet(pooling: str | None, shape: Any) -> None:
    model = backbone(B0, weights="none", pooling=pooling, input_shape=SHAPE)
    assert model.output_shape == shape


def test_whole_numbers_and_fractions_are_the_same_pixels() -> None:
    model = backbone("efficientnet_lite0", input_shape=SHAPE)
    np.testing.assert_array_equal(model(IMAGES), model(IMAGES.astype("float32")))


@pytest.mark.parametrize("shape", [(31, 32, 3), (32, 31, 3), (32, 32, 1), (32, 32)])
def test_an_impossible_image_is_refused(shape: Any) -> None:
    with pytest.raises(ModelError, match=r"at least 32 by 32 pixels in RGB; found \(3"):
        backbone("efficientnet_lite0", input_shape=shape)


def test_another_pooling_is_refused() -> None:
    with pytest.raises(ModelError, match="pooling must be 'avg' or None, found 'max'"):
        backbone("efficientnet_lite0", pooling="max", input_shape=SHAPE)


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(ModelError, match="Did you mean efficientnet_b"):
        backbone("efficientnet_b", input_shape=SHAPE)


@pytest.fixture(scope="module")
def trained() -> Any:
    """A B0 with random weights, as if trained on whitened images."""
    keras.utils.set_random_seed(1)
    model = backbone(B0, weights="none", input_shape=SHAPE)
    normalisation = model.layers[2]
    normalisation.set_weights([MEAN, DEVIATION**2, np.array(0)])
    normalisation.finalize_state()
    return model


@pytest.fixture(scope="module")
def files(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The trained B0 in the layouts that there are."""
    folder = tmp_path_factory.mktemp("weights")
    new, whole, old = folder / "b0.weights.h5", folder / "b0_model.h5", folder / "b0_notop.h5"
    trained.save_weights(new)
    trained.save(whole)
    with h5py.File(whole) as source, h5py.File(old, "w") as target:
        for name, value in source["model_weights"].attrs.items():
            target.attrs[name] = value
        for name in source["model_weights"]:
            source.copy(f"model_weights/{name}", target)
    return {"new": new, "whole": whole, "old": old}


@pytest.mark.parametrize("layout", ["new", "whole", "old"])
def test_weights_are_loaded_from_a_file(layout: str, trained: Any, files: dict[str, Path]) -> None:
    loaded = backbone(B0, weights=str(files[layout]), input_shape=SHAPE)
    for found, expected in zip(loaded.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(loaded.layers[2].variance, trained.layers[2].variance)


def test_a_published_file_is_normalised_as_where_keras_fetches_it(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = tmp_path / "published.weights.h5"
    whitened = trained.layers[2].get_weights()
    trained.layers[2].set_weights([MEAN, DEVIATION, np.array(0)])  # what Keras's own files hold
    trained.save_weights(published)
    trained.layers[2].set_weights(whitened)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(published))
    fetched = backbone(B0, weights="imagenet", input_shape=SHAPE)
    given = backbone(B0, weights=str(published), input_shape=SHAPE)
    np.testing.assert_allclose(features(given), features(fetched), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(given.layers[2].variance, trained.layers[2].variance, rtol=1e-6)


@pytest.mark.parametrize(
    "error",
    [
        Exception("URL fetch failure on https://example.org: None -- no such host"),
        ValueError("Incomplete or corrupted file detected."),
        PermissionError("~/.keras"),
    ],
)
def test_weights_that_cannot_be_fetched_are_answered_with_what_to_do(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_file(*_: Any, **__: Any) -> str:
        raise error

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", get_file)
    with pytest.raises(WeightsError) as refused:
        backbone(B0, input_shape=SHAPE)
    assert "could not be fetched" in str(refused.value)
    assert "efficientnet_lite0, whose weights are installed" in str(refused.value)


def test_a_mistake_of_ours_is_not_taken_for_a_missing_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def get_file(*_: Any, **__: Any) -> str:
        raise ValueError("another thing")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", get_file)
    with pytest.raises(ValueError, match="another thing"):
        backbone(B0, input_shape=SHAPE)


@pytest.mark.parametrize("number", [0, 2])
def test_the_expected_arrays_are_those_of_kerass_network(number: int) -> None:
    name = f"efficientnet_b{number}"
    model = backbone(name, weights="none", input_shape=SHAPE)
    shapes = [weight.shape for layer in model.layers[3:] for weight in layer.weights]
    assert Counter(shapes) == Counter(h5_weights._expected(BACKBONES[name]))


def with_arrays(path: Path, name: str, **more: tuple[int, ...]) -> Path:
    """A file with the arrays of a network, all nought, and with more."""
    with h5py.File(path, "w") as file:
        for number, shape in enumerate(h5_weights._expected(BACKBONES[name])):
            file.create_dataset(f"layers/{number}", shape, "f4")
        for key, shape in more.items():
            file.create_dataset(key, shape, "f4")
    return path


@pytest.fixture
def nothing_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*_: Any, **__: Any) -> None:
        raise AssertionError("A network was built.")

    monkeypatch.setattr(backbones, "_KERAS", dict.fromkeys(BACKBONES, build))


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as refused:
        backbone(B0, weights=str(path), input_shape=SHAPE)
    assert str(path) in str(refused.value)
    return str(refused.value)


@pytest.mark.usefixtures("nothing_built")
@pytest.mark.parametrize(
    ("other", "found"),
    [
        ("efficientnet_b1", "found 115 convolution kernels in 437 arrays. Give"),
        ("efficientnet_b4", "found 160 convolution kernels in 608 arrays, none of shape"),
    ],
)
def test_weights_of_another_network_are_refused_before_one_is_built(
    other: str, found: str, tmp_path: Path
) -> None:
    message = refusal(with_arrays(tmp_path / "other.h5", other))
    assert (
        f"does not hold weights of {B0}: expected 81 convolution kernels in 309 arrays" in message
    )
    assert found in message


@pytest.mark.usefixtures("nothing_built")
def test_weights_with_a_classifier_are_refused_with_its_classes(tmp_path: Path) -> None:
    path = with_arrays(tmp_path / "top.h5", B0, predictions=(1280, 14))
    assert "holds a classifier of 14 classes" in refusal(path)


@pytest.mark.usefixtures("nothing_built")
def test_a_file_cut_short_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    for name in ("new", "old"):
        path = tmp_path / files[name].name
        content = files[name].read_bytes()
        path.write_bytes(content[: len(content) // 2])
        assert "cut short or of another kind" in refusal(path)


@pytest.mark.usefixtures("nothing_built")
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>Not found</html>"])
def test_a_foreign_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign.weights.h5"
    path.write_bytes(content)
    assert "cut short or of another kind" in refusal(path)


@pytest.mark.usefixtures("nothing_built")
def test_a_file_of_another_format_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "b0.pth"
    path.touch()
    assert "called *.weights.h5 or *.h5" in refusal(path)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize("name", ["strange.h5", "strange.weights.h5"])
def test_the_right_shapes_in_a_strange_layout_are_refused(name: str, tmp_path: Path) -> None:
    message = refusal(with_arrays(tmp_path / name, B0))
    assert f"does not hold weights of {B0} as Keras writes them" in message


@pytest.mark.usefixtures("nothing_built")
def test_missing_statistics_are_noticed(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "less.weights.h5"
    path.write_bytes(files["new"].read_bytes())
    with h5py.File(path, "a") as file:
        del file["layers/batch_normalization/vars/2"]
    assert "none of shape (32,)" in refusal(path)


def test_an_optimisers_state_is_no_weights(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "compiled.weights.h5"
    path.write_bytes(files["new"].read_bytes())
    with h5py.File(path, "a") as file:
        file.create_dataset("optimizer/vars/7", (3, 3, 3, 32))
    h5_weights.require_fit(path, BACKBONES[B0])
