"""The claim's augmentation: Keras' five layers, one by one and fused; and the default's SciPy form.

SciPy resamples once for translation, rotation and zoom together, so that each of them alone costs
nearly as much as all. The stock layers resample once each, the fused layer once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from leafmodel.augment import FusedAugmentation, stock_augmentation
from leafmodel.augment.image_data_generator import generator_arguments
from leafmodel.pipelines import tf_data
from leafmodel.pipelines.augmentation import augmentation_at
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.resident import decode_all
from leafmodel.pipelines.spec import Augment, AugmentForm, PipelineSpec

STOCK = {
    type(layer).__name__.removeprefix("Random").lower(): layer for layer in stock_augmentation(0)
}
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
    augment = tf.function(_through(layers))
    measure("augment: Keras layers", lambda: augment(batch), len(images))


def test_fused(measure, images: np.ndarray) -> None:
    batch = tf.constant(images)
    augment = tf.function(_through((FusedAugmentation(seed=0),)))
    measure("augment: Keras layers", lambda: augment(batch), len(images))


@pytest.mark.parametrize("form", [str(form) for form in AugmentForm])
def test_in_a_map(measure, images: np.ndarray, form: str) -> None:
    spec = PipelineSpec(augment_form=AugmentForm(form))
    layers = augmentation_at(Augment.PIPELINE, spec, seed=0)
    mapped = tf.data.Dataset.from_tensor_slices(images).map(_through(layers))
    dataset = mapped.with_options(tf_data.options(spec))

    def drain() -> None:
        for _image in dataset:
            pass

    measure("augment: Keras layers, image by image", drain, len(images))


def _through(layers: Sequence[Any]) -> Callable[[Any], Any]:
    """Images -> images as these layers leave them in training."""

    def augment(images: Any) -> Any:
        for layer in layers:
            images = layer(images, training=True)
        return images

    return augment


@pytest.mark.parametrize("name", list(SCIPY))
def test_scipy(measure, images: np.ndarray, name: str) -> None:
    arguments = generator_arguments(0)
    generator = ImageDataGenerator(**{key: arguments[key] for key in SCIPY[name]})
    few = images[:SCIPY_IMAGES]

    def augment() -> None:
        for number, image in enumerate(few):  # the same draws in every round
            generator.standardize(generator.random_transform(image, seed=number))

    measure("augment: SciPy", augment, len(few))
