"""What all networks share: what disturbs their input, and what makes classes of their features."""

from __future__ import annotations

from typing import Any

import keras

from leafmodel.training.improvements import Improvement
from leafmodel.training.phases import Phase

# With Keras' 0.99 a validation stays at guessing for some hundred steps, while the statistics that
# it normalises with crawl from their zeros and ones; small studies have dozens of steps.
NORM_MOMENTUM = 0.9
CROP = 7 / 8
NOISE = 0.05  # standard deviation, as a share of the grey range


def disturbed(images: Any, phase: Phase, image_size: int) -> Any:
    """The images as this phase's network sees them while it trains; untouched by most phases.

    A crop is taken from the middle, and no noise is added, outside training.
    """
    x = images
    if phase.has(Improvement.RANDOM_CROP):
        side = round(CROP * image_size)
        x = keras.layers.RandomCrop(side, side, name="random_crop")(x)
    if phase.has(Improvement.GAUSSIAN_NOISE):
        x = keras.layers.Rescaling(1 / 255)(x)  # the layer takes no deviation above 1
        x = keras.layers.GaussianNoise(NOISE, name="noise")(x)
        x = keras.layers.Rescaling(255.0)(x)
    return x


def classifier(features: Any, phase: Phase, classes: int) -> Any:
    """(batch, n) features -> (batch, classes) probabilities, in float32 whatever the policy."""
    layers = keras.layers
    x = features
    if phase.dense_units and not phase.has(Improvement.NO_DENSE):
        activation = "mish" if phase.has(Improvement.MISH) else "relu"
        x = layers.Dense(phase.dense_units, activation=activation)(x)
    x = layers.Dropout(phase.dropout)(x)
    activation = "sigmoid" if phase.has(Improvement.SIGMOID_FOCAL) else "softmax"
    return layers.Dense(classes, activation=activation, dtype="float32", name="classes")(x)
