"""From a phase to its network: from zero, or a head on a pretrained backbone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from leafmodel.models import backbone, cnn
from leafmodel.models.freezing import unfreeze
from leafmodel.models.head import NORM_MOMENTUM, classifier, disturbance, seen, side_seen
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
    """A network and the parts that it is made of; all share their weights.

    Attributes:
        whole: (batch, size, size, 3) in 0-255 -> (batch, classes) probabilities.
        front: layers that disturb the images before `core` while the phase trains.
        core: what `front` gives -> probabilities; trained in its place. It is `whole` itself unless
            the phase crops its images.
        extractor: the images of `whole` -> features; None where it is trained from zero.
        head: features -> probabilities; None likewise.
    """

    whole: Any
    front: tuple[Any, ...]
    core: Any
    extractor: Any = None
    head: Any = None


def build(phase: Phase, image_size: int, classes: int, choice: BackboneChoice) -> Network:
    """The phase's network with pretrained weights; `choice` is for phases with a backbone.

    Raises:
        ModelError: there is no such backbone, or its weights do not fit.
    """
    side = side_seen(phase, image_size)
    images = keras.Input((image_size, image_size, 3), name="image")
    middle = seen(images, phase, image_size)
    with _precision(phase):
        front = disturbance(phase, image_size)
        if not phase.has_backbone:
            core = cnn.build(phase, side, classes)
            return Network(_behind(images, middle, core), front, core)
        pretrained = _pretrained(phase, side, choice)
        head = _head(phase, pretrained.output_shape[1:], classes)
        inputs = keras.Input((side, side, 3), name="image")
        core = keras.Model(inputs, head(pretrained(inputs, training=False)), name="network")
        extractor = keras.Model(images, pretrained(middle, training=False), name="extractor")
        return Network(_behind(images, middle, core), front, core, extractor, head)


def _behind(images: Any, middle: Any, core: Any) -> Any:
    """The network on whole images: `core` itself where nothing is cropped."""
    return core if middle is images else keras.Model(images, core(middle), name="cropped")


def _pretrained(phase: Phase, side: int, choice: BackboneChoice) -> Any:
    """The backbone with what trains of it; it is always called in inference mode.

    So batch normalisation keeps the statistics that it was pretrained with, also where the last
    blocks train.
    """
    found = backbone(
        choice.name, weights=choice.weights, pooling="avg", input_shape=(side, side, 3)
    )
    unfreeze(found, phase.unfreeze)
    return found


def _head(phase: Phase, shape: tuple[int, ...], classes: int) -> Any:
    features = keras.Input(shape, name="features")
    x = keras.layers.BatchNormalization(momentum=NORM_MOMENTUM, name="feature_norm")(features)
    return keras.Model(features, classifier(x, phase, classes), name="head")


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
