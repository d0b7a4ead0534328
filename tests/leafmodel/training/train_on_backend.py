"""Trains small networks on the Keras backend of its process: `python train_on_backend.py FILE`.

FILE becomes an .npz of the weights that each phase ended with.
"""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np

from leafmodel.training.losses import loss_of
from leafmodel.training.optimisers import optimiser_of
from leafmodel.training.phases import phase

NAMES = (
    "cnn+ranger+triangular2+learning_rate=0.1+label_smoothing+class_weights",
    "cnn+ranger+sigmoid_focal",
)


def trained(name: str, *, scale: float = 1.0) -> dict[str, Any]:
    """Name -> weights after 14 compiled steps on images of numbers around `scale`."""
    random = np.random.default_rng(0)
    images = scale * random.normal(size=(28, 4)).astype("float32")
    labels = random.integers(0, 3, 28).astype("int32")
    last = "sigmoid" if "sigmoid" in name else "softmax"
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation=last)])
    model.set_weights([random.normal(size=(4, 3)), np.zeros(3)])
    model.compile(optimizer=optimiser_of(phase(name), 7), loss=loss_of(phase(name), [4, 9, 15]))
    model.fit(images, labels, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return {f"{name}@{scale:g}/{part}": found for part, found in enumerate(model.get_weights())}


if __name__ == "__main__":
    kept: dict[str, Any] = {}
    for written in NAMES:
        kept |= trained(written) | trained(written, scale=1e4)
    np.savez(sys.argv[1], **kept)
