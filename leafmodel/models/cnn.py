"""The claim's simple CNN."""

from __future__ import annotations

from typing import Any

import keras

from leafmodel.training.phases import Phase


def build(phase: Phase, image_size: int, classes: int) -> Any:
    """Convolution, ReLU, batch normalisation and max pooling a block; dense; softmax.

    Takes (batch, image_size, image_size, 3) in 0-255, gives (batch, classes) probabilities.
    """
    layers = keras.layers
    inputs = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Rescaling(1 / 255)(inputs)
    for filters in phase.filters:
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(phase.dense_units, activation="relu")(x)
    x = layers.Dropout(phase.dropout)(x)
    outputs = layers.Dense(classes, activation="softmax")(x)
    return keras.Model(inputs, outputs, name=phase.name)
