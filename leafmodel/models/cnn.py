"""The claim's simple CNN."""

from __future__ import annotations

from typing import Any

import keras

from leafmodel.errors import ModelError
from leafmodel.models.head import NORM_MOMENTUM, classifier
from leafmodel.training.phases import Phase


def build(phase: Phase, side: int, classes: int) -> Any:
    """Convolution, ReLU, batch normalisation and max pooling a block; dense; softmax.

    Takes (batch, side, side, 3) in 0-255, gives (batch, classes) probabilities.

    Raises:
        ModelError: the images are too small for so many blocks.
    """
    layers = keras.layers
    _require_room(phase, side)
    inputs = keras.Input((side, side, 3), name="image")
    x = layers.Rescaling(1 / 255)(inputs)
    for filters in phase.filters:
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization(momentum=NORM_MOMENTUM)(x)
        x = layers.MaxPooling2D()(x)
    outputs = classifier(layers.Flatten()(x), phase, classes)
    return keras.Model(inputs, outputs, name="cnn")


def _require_room(phase: Phase, side: int) -> None:
    least = 2 ** len(phase.filters)  # every block halves the side
    if side < least:
        raise ModelError(
            f"{phase.name} halves its images {len(phase.filters)} times and needs {least} pixels a "
            f"side, found {side} (behind its crop, if it has one): raise --image-size."
        )
