"""From a phase to its network: from zero, or a head on a pretrained backbone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from leafmodel.models import backbone, cnn
from leafmodel.models.freezing import unfreeze
from leafmodel.models.head import NORM_MOMENTUM, classifier, disturbed
from leafmodel.training.improvements import Improvement
from leafmodel.training.phases import Phase


@dataclass(frozen=True)
class BackboneChoice:
    """Which pretrained network, and its weights: `imagenet`, `none`, or the path of a file."""

    name: str = "efficientnet_lite0"
    weights: str = "imagenet"


DEFAULT_BACKBONE = BackboneChoice()


@dataclass(frozen=True)
class Network:
    """A network and the two parts that it is made of; all three share their weights.

    Attributes:
        whole: (batch, size, size, 3) in 0-255 -> (batch, classes) probabilities.
        extractor: the same images -> features; None where the network is trained from zero.
        head: features -> probabilities; None likewise.
    """

    whole: Any
    extractor: Any = None
    head: Any = None


def build(phase: Phase, image_size: int, classes: int, choice: BackboneChoice) -> Network:
    """The phase's network with pretrained weights; `choice` is for phases with a backbone.

    Raises:
        ModelError: there is no such backbone, or its weights do not fit.
    """
    with _precision(phase):
        if not phase.has_backbone:
            return Network(cnn.build(phase, image_size, classes))
        extractor = _extractor(phase, image_size, choice)
        features = keras.Input(extractor.output_shape[1:], name="features")
        x = keras.layers.BatchNormalization(momentum=NORM_MOMENTUM, name="feature_norm")(features)
        head = keras.Model(features, classifier(x, phase, classes), name="head")
        images = keras.Input((image_size, image_size, 3), name="image")
        whole = keras.Model(images, head(extractor(images)), name="network")
        return Network(whole, extractor, head)


def _extractor(phase: Phase, image_size: int, choice: BackboneChoice) -> Any:
    """The backbone behind what disturbs its input.

    It always runs in inference mode, so that batch normalisation keeps the statistics that it was
    pretrained with, also where its last blocks train.
    """
    images = keras.Input((image_size, image_size, 3), name="image")
    x = disturbed(images, phase, image_size)
    pretrained = backbone(
        choice.name, weights=choice.weights, pooling="avg", input_shape=tuple(x.shape[1:])
    )
    unfreeze(pretrained, phase.unfreeze)
    return keras.Model(images, pretrained(x, training=False), name="extractor")


@contextmanager
def _precision(phase: Phase) -> Iterator[None]:
    """bfloat16 arithmetic where the phase wants it: unlike float16 it needs no loss scaling."""
    before = keras.config.dtype_policy()
    if phase.has(Improvement.MIXED_PRECISION):
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
