"""The CPU form of the claim's augmentation: arguments for Keras' `ImageDataGenerator`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from numpy.typing import NDArray

from leafmodel.augment.claim import CLAIM, Augmentation

FULL_TURN_DEGREES = 360.0
_DRAWING = threading.Lock()


def generator_arguments(seed: int, strength: Augmentation = CLAIM) -> dict[str, Any]:
    """The augmentation as keyword arguments of `ImageDataGenerator`.

    It differs from the Keras layers on purpose, since it is what the course's default does: zoom is
    drawn apart for height and width, and one SciPy resampling does all three moves.
    """
    return {
        "horizontal_flip": True,
        "vertical_flip": True,
        "width_shift_range": strength.translation,
        "height_shift_range": strength.translation,
        "rotation_range": strength.rotation * FULL_TURN_DEGREES,
        "zoom_range": strength.zoom,
        "fill_mode": "reflect",
        "preprocessing_function": random_contrast(seed, strength.contrast),
    }


def random_contrast(
    seed: int, contrast: float
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """A function that varies the contrast of one (height, width, 3) image, 0-255.

    `ImageDataGenerator` has no contrast of its own; this draws and clips as `RandomContrast` does.
    """
    random = np.random.default_rng(seed)

    def vary(image: NDArray[np.float32]) -> NDArray[np.float32]:
        factor = random.uniform(1.0 - contrast, 1.0 + contrast)
        mean = image.mean(axis=(0, 1), keepdims=True)
        varied: NDArray[np.float32] = np.clip((image - mean) * factor + mean, 0.0, 255.0)
        return varied.astype(np.float32)

    return vary


def augmented(image: NDArray[np.uint8], draw: int) -> NDArray[np.float32]:
    """One image, augmented as `augmenting_generator` does: the same draw, the same result.

    Threads may call it together.
    """
    generator = ImageDataGenerator(**generator_arguments(draw))
    with _DRAWING:  # Keras draws from NumPy's one global generator
        moves = generator.get_random_transform(image.shape, seed=draw)
    moved = generator.apply_transform(image.astype(np.float32), moves)
    standardized: NDArray[np.float32] = generator.standardize(moved)
    return standardized


def augmenting_generator(seed: int) -> ImageDataGenerator:
    """A generator that augments, and whose augmentation a profiler sees as a stage of its own.

    Without a running profiler that costs a look at a flag.
    """
    return _TracedGenerator(**generator_arguments(seed))


class _TracedGenerator(ImageDataGenerator):
    """Draws and applies as its base class does, inside an event called `augment`."""

    def apply_transform(self, x: Any, transform_parameters: dict[str, Any]) -> Any:
        """Flip and resample one image."""
        with tf.profiler.experimental.Trace("augment"):
            return super().apply_transform(x, transform_parameters)

    def standardize(self, x: Any) -> Any:
        """Vary the contrast of one image, among what else the generator was told."""
        with tf.profiler.experimental.Trace("augment"):
            return super().standardize(x)
