from __future__ import annotations

import numpy as np
import pytest

from leafmodel.augment import stock_augmentation
from leafmodel.augment.claim import Augmentation
from leafmodel.augment.image_data_generator import generator_arguments, random_contrast

IMAGE = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)


def test_the_stock_layers_are_the_claims_five_with_its_numbers() -> None:
    flip, translation, rotation, zoom, _ = (
        layer.get_config() for layer in stock_augmentation(seed=3)
    )
    assert flip["mode"] == "horizontal_and_vertical"
    assert (translation["height_factor"], translation["width_factor"]) == (0.5, 0.5)
    assert rotation["factor"] == (-0.3, 0.3)
    assert zoom["height_factor"] == 0.3
    assert {item["fill_mode"] for item in (translation, rotation, zoom)} == {"reflect"}


def test_contrast_is_lowered_as_often_as_it_is_raised() -> None:
    contrast = stock_augmentation(seed=3)[4]
    image = np.random.default_rng(1).uniform(100, 150, (200, 8, 8, 3)).astype(np.float32)
    factors = np.asarray(contrast(image, training=True)).std(axis=(1, 2)) / image.std(axis=(1, 2))
    assert 0.7 <= factors.min() < 0.75
    assert 1.25 < factors.max() <= 1.3 + 1e-4
    assert 0.4 < (factors < 1).mean() < 0.6


def test_the_same_seed_augments_alike_and_another_differently() -> None:
    def augmented(seed: int) -> np.ndarray:
        x = IMAGE
        for layer in stock_augmentation(seed):
            x = layer(x, training=True)
        return np.asarray(x)

    np.testing.assert_array_equal(augmented(1), augmented(1))
    assert np.abs(augmented(1) - augmented(2)).mean() > 1.0


def test_the_generator_takes_rotation_in_degrees_and_the_rest_as_it_is() -> None:
    arguments = generator_arguments(0, Augmentation(rotation=0.25, zoom=0.1, translation=0.4))
    assert arguments["rotation_range"] == 90.0
    assert arguments["zoom_range"] == 0.1
    assert (arguments["width_shift_range"], arguments["height_shift_range"]) == (0.4, 0.4)
    assert arguments["horizontal_flip"] is arguments["vertical_flip"] is True
    assert arguments["fill_mode"] == "reflect"


def test_contrast_keeps_each_channels_mean_and_stays_within_its_range() -> None:
    image = np.random.default_rng(1).uniform(100, 150, (16, 16, 3)).astype(np.float32)
    vary = random_contrast(seed=2, contrast=0.3)
    for _ in range(5):
        varied = vary(image)
        np.testing.assert_allclose(varied.mean(axis=(0, 1)), image.mean(axis=(0, 1)), rtol=1e-4)
        factor = varied.std() / image.std()
        assert 0.69 < factor < 1.31


def test_contrast_clips_to_the_range_of_pixels() -> None:
    extreme = np.array([0.0, 255.0] * 24, np.float32).reshape(4, 4, 3)
    varied = [random_contrast(seed, 0.3)(extreme) for seed in range(5)]
    assert min(image.min() for image in varied) >= 0.0
    assert max(image.max() for image in varied) <= 255.0


@pytest.mark.parametrize("seed", [0, 1])
def test_contrast_varies_from_image_to_image(seed: int) -> None:
    vary = random_contrast(seed, 0.3)
    assert not np.array_equal(vary(IMAGE[0]), vary(IMAGE[0]))
