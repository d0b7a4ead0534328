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


def side_seen(phase: Phase, image_size: int) -> int:
    """Side, in pixels, of what the network sees of an image."""
    return round(CROP * image_size) if phase.has(Improvement.RANDOM_CROP) else image_size


def disturbance(phase: Phase, image_size: int) -> tuple[Any, ...]:
    """Layers that change the images while this phase trains, and then only; none for most phases.

    They stand before the network and not in it, since Keras' `RandomCrop` (3.15) crops nothing
    outside training.
    """
    layers = keras.layers
    found: list[Any] = []
    if phase.has(Improvement.RANDOM_CROP):
        side = side_seen(phase, image_size)
        found.append(layers.RandomCrop(side, side, name="random_crop"))
    if phase.has(Improvement.GAUSSIAN_NOISE):
        found.append(layers.Rescaling(1 / 255))  # the layer behind it takes no deviation above 1
        found.append(layers.GaussianNoise(NOISE, name="noise"))
        found.append(layers.Rescaling(255.0))
    return tuple(found)


def seen(images: Any, phase: Phase, image_size: int) -> Any:
    """The middle of the images, as large as a crop; all of them where the phase crops nothing."""
    cut = image_size - side_seen(phase, image_size)
    if not cut:
        return images
    # Not `CenterCrop`: called without `training` it makes every layer behind it train (3.15).
    before, after = cut // 2, cut - cut // 2
    return keras.layers.Cropping2D(((before, after), (before, after)))(images)


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
