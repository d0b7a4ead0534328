"""The five layers of the claim as Keras ships them; in a model or in a tf.data `map`."""

from __future__ import annotations

from typing import Any

import keras

from leafmodel.augment.claim import CLAIM, Augmentation
from leafmodel.backend import compiles_steps


def stock_augmentation(seed: int = 0, strength: Augmentation = CLAIM) -> tuple[Any, ...]:
    """Flip, translation, rotation, zoom, contrast: Keras layers on (..., height, width, 3), 0-255.

    Each layer draws from a seed of its own, derived from `seed`. Keras marks those that resample as
    not compilable, since XLA has no kernel for TensorFlow's resampling; on JAX it has one, and the
    mark would make Keras run the whole model operation by operation there, so it is taken off.
    """
    layers = keras.layers
    # A single number would mean 1.0 to 1.3 (Keras 3.15 clips its lower bound at 0): give both.
    contrast = (strength.contrast, strength.contrast)
    fill = {"fill_mode": "reflect"}
    found = (
        layers.RandomFlip("horizontal_and_vertical", seed=seed),
        layers.RandomTranslation(strength.translation, strength.translation, seed=seed + 1, **fill),
        layers.RandomRotation(strength.rotation, seed=seed + 2, **fill),
        layers.RandomZoom(strength.zoom, seed=seed + 3, **fill),
        layers.RandomContrast(contrast, seed=seed + 4),
    )
    if compiles_steps():
        for layer in found:
            layer.supports_jit = True
    return found
