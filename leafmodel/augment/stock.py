"""The five layers of the claim as Keras ships them; in a model or in a tf.data `map`."""

from __future__ import annotations

from typing import Any

import keras

from leafmodel.augment.claim import CLAIM, Augmentation


def stock_augmentation(seed: int = 0, strength: Augmentation = CLAIM) -> tuple[Any, ...]:
    """Flip, translation, rotation, zoom, contrast: Keras layers on (..., height, width, 3), 0-255.

    Each layer draws from a seed of its own, derived from `seed`.
    """
    layers = keras.layers
    # A single number would mean 1.0 to 1.3 (Keras 3.15 clips its lower bound at 0): give both.
    contrast = (strength.contrast, strength.contrast)
    fill = {"fill_mode": "reflect"}
    return (
        layers.RandomFlip("horizontal_and_vertical", seed=seed),
        layers.RandomTranslation(strength.translation, strength.translation, seed=seed + 1, **fill),
        layers.RandomRotation(strength.rotation, seed=seed + 2, **fill),
        layers.RandomZoom(strength.zoom, seed=seed + 3, **fill),
        layers.RandomContrast(contrast, seed=seed + 4),
    )
