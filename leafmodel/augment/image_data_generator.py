"""The CPU form of the claim's augmentation: arguments for Keras' `ImageDataGenerator`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leafmodel.augment.claim import CLAIM, Augmentation

FULL_TURN_DEGREES = 360.0


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
