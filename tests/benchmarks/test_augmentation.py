"""The claim's augmentation, layer by layer: as Keras ships it, and in the default's SciPy form.

SciPy resamples once for translation, rotation and zoom together, so that each of them alone costs
nearly as much as all. The stock layers resample once each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from leafmodel.augment.image_data_generator import generator_arguments
from leafmodel.augment.stock import stock_layers
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.resident import decode_all

STOCK = {type(layer).__name__.removeprefix("Random").lower(): layer for layer in stock_layers(0)}
SCIPY = {
    "flip": ("horizontal_flip", "vertical_flip"),
    "translation": ("width_shift_range", "height_shift_range", "fill_mode"),
    "rotation": ("rotation_range", "fill_mode"),
    "zoom": ("zoom_range", "fill_mode"),
    "contrast": ("preprocessing_function",),
    "all": tuple(generator_arguments(0)),
}
SCIPY_IMAGES = 8


@pytest.fixture(scope="module")
def images(given: PipelineInput) -> np.ndarray:
    """A batch of decoded images, float32 in 0-255."""
    return decode_all(given)[: given.batch_size].astype(np.float32)


@pytest.mark.parametrize("name", [*STOCK, "all"])
def test_stock(measure, images: np.ndarray, name: str) -> None:
    layers = tuple(STOCK.values()) if name == "all" else (STOCK[name],)
    batch = tf.constant(images)

    @tf.function
    def augment(batch: Any) -> Any:
        for layer in layers:
            batch = layer(batch, training=True)
        return batch

    measure("augment: stock layers", lambda: augment(batch), len(images))


@pytest.mark.parametrize("name", list(SCIPY))
def test_scipy(measure, images: np.ndarray, name: str) -> None:
    arguments = generator_arguments(0)
    generator = ImageDataGenerator(**{key: arguments[key] for key in SCIPY[name]})
    few = images[:SCIPY_IMAGES]

    def augment() -> None:
        for number, image in enumerate(few):  # the same draws in every round
            generator.standardize(generator.random_transform(image, seed=number))

    measure("augment: SciPy", augment, len(few))
