"""The port's proof: the same features as a reference implementation with the same weights."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from leafmodel.models import backbone
from leafmodel.models.catalogue import BACKBONES, Family
from leafmodel.models.scaling import blocks
from tests.leafmodel.models.make_lite_golden import CASES, GOLDEN, image, reference_features

MOST_DIFFERENCE = 1e-3
LITES = [name for name, facts in BACKBONES.items() if facts.family is Family.LITE]


@cache
def golden() -> dict[str, list[float]]:
    features: dict[str, list[float]] = json.loads(GOLDEN.read_text(encoding="utf-8"))["features"]
    return features


def port_features(name: str, side: int) -> np.ndarray[Any, Any]:
    model = backbone(name, input_shape=(side, side, 3))
    images = np.array([image(side)], dtype="float32")
    return np.asarray(model(images, training=False))[0]


@pytest.mark.parametrize(("name", "side"), CASES)
def test_the_port_gives_the_references_features(name: str, side: int) -> None:
    expected = golden()[f"{name}@{side}"]
    found = port_features(name, side)
    assert found.shape == (1280,)
    assert np.max(expected) > 1  # nothing would be proved by features that are all nought
    np.testing.assert_allclose(found, expected, rtol=0, atol=MOST_DIFFERENCE)


@pytest.mark.parametrize(("name", "side"), CASES)
def test_the_golden_features_are_still_the_references(name: str, side: int) -> None:
    for module in ("torch", "efficientnet_lite_pytorch"):
        pytest.importorskip(module, reason="the extra `reference` is not installed")
    expected = reference_features(name, side)
    np.testing.assert_allclose(golden()[f"{name}@{side}"], expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(port_features(name, side), expected, rtol=0, atol=MOST_DIFFERENCE)


def test_the_proof_would_notice_another_input_scale() -> None:
    model = backbone("efficientnet_lite0")
    wrong = np.array([image(224)], dtype="float32") + 1  # as a mean of 126 would do
    found = np.asarray(model(wrong, training=False))[0]
    assert np.abs(found - golden()["efficientnet_lite0@224"]).max() > MOST_DIFFERENCE


@pytest.mark.parametrize(
    ("name", "repeats", "last"),
    [
        ("efficientnet_lite0", [1, 2, 2, 3, 3, 4, 1], 320),
        ("efficientnet_lite1", [1, 3, 3, 4, 4, 5, 1], 320),
        ("efficientnet_lite2", [1, 3, 3, 4, 4, 5, 1], 352),
    ],
)
def test_a_larger_lite_keeps_its_ends(name: str, repeats: list[int], last: int) -> None:
    body = blocks(BACKBONES[name])
    stages = [block.name[5] for block in body]
    assert [stages.count(str(number)) for number in range(1, 8)] == repeats
    assert body[0].filters_in == 32
    assert body[-1].filters_out == last
    model = backbone(name, weights="none", input_shape=(32, 32, 3))
    assert model.get_layer("top_conv").filters == 1280


def test_layers_are_named_as_kerass_efficientnet_names_them() -> None:
    lite = backbone("efficientnet_lite0", weights="none", input_shape=(32, 32, 3))
    full = backbone("efficientnet_b0", weights="none", input_shape=(32, 32, 3))
    trained = {layer.name for layer in full.layers if layer.trainable_weights}
    squeezing = {name for name in trained if "_se_" in name}
    assert {layer.name for layer in lite.layers if layer.weights} == trained - squeezing


@pytest.mark.parametrize("name", LITES)
def test_every_weight_comes_from_the_file(name: str) -> None:
    shape = (32, 32, 3)
    given = backbone(name, input_shape=shape)
    random = backbone(name, weights="none", input_shape=shape)
    for one, other in zip(given.weights, random.weights, strict=True):
        assert not np.array_equal(np.asarray(one), np.asarray(other)), one.path
