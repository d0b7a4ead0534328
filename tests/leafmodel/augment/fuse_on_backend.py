"""Augments on the Keras backend of its process: `python fuse_on_backend.py FILE`.

FILE becomes an .npz: the smooth image under given draws, compiled where the backend is JAX; and
the layer's own draws in a tf.data map, where it must use TensorFlow whatever the backend is.
"""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np

from leafmodel.augment import FusedAugmentation
from leafmodel.augment.fused import Draw
from tests.leafmodel.augment.waves import image

DRAWS = Draw(
    flip=[1.0, -1.0],
    shift_x=[0.3, -0.45],
    shift_y=[-0.2, 0.5],
    angle=[0.4, -1.8],
    zoom=[0.75, 1.25],
    contrast=[1.25, 0.8],
)


def moved() -> np.ndarray:
    """Two images, each under its draw, with what lies beyond the borders."""
    layer = FusedAugmentation(seed=1)
    images = np.repeat(image(), 2, axis=0)
    draw = Draw(*(keras.ops.convert_to_tensor(part, "float32") for part in DRAWS))
    augment = layer.augment
    if keras.backend.backend() == "jax":
        import jax

        augment = jax.jit(augment)
    return keras.ops.convert_to_numpy(augment(keras.ops.convert_to_tensor(images), draw))


def mapped() -> np.ndarray:
    """One uint8 image thrice through a tf.data map."""
    import tensorflow as tf

    layer = FusedAugmentation(seed=1)
    images = tf.data.Dataset.from_tensors(image()[0].astype(np.uint8)).repeat(3)
    found: Any = images.map(lambda one: layer(one, training=True)).as_numpy_iterator()
    return np.stack(list(found))


def called() -> np.ndarray:
    """A uint8 batch through the layer itself, as a model would."""
    batch = np.repeat(image(), 2, axis=0).astype(np.uint8)
    return keras.ops.convert_to_numpy(FusedAugmentation(seed=1)(batch, training=True))


if __name__ == "__main__":
    np.savez(sys.argv[1], moved=moved(), mapped=mapped(), called=called())
