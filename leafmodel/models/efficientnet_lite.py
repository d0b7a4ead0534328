"""EfficientNet-Lite: EfficientNet without squeeze-excitation, with ReLU6, for small devices.

Source: the authors' code and its README, whose settings this network has (image mean 127 and
deviation 128, batch normalisation epsilon 0.001 and momentum 0.99, stem and head not scaled):
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
and https://blog.tensorflow.org/2020/03/higher-accuracy-on-vision-models-with-efficientnet-lite.html

Layers are named as in `keras.applications.EfficientNetB0`. There is no stochastic depth: it acts
only while training, and here a backbone always runs in inference mode.
"""

from __future__ import annotations

from typing import Any

import keras

from leafmodel.models.catalogue import BackboneFacts
from leafmodel.models.scaling import HEAD_FILTERS, Block, blocks, stem_filters

IMAGE_MEAN = 127
IMAGE_DEVIATION = 128
_EPSILON = 1e-3
_MOMENTUM = 0.99
_KERNELS = keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")


def build(facts: BackboneFacts, pooling: str | None, input_shape: tuple[int, int, int]) -> Any:
    """(batch, *input_shape) RGB in 0-255 -> features, with random weights."""
    images = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(
        1 / IMAGE_DEVIATION, offset=-IMAGE_MEAN / IMAGE_DEVIATION, name="rescaling"
    )(images)
    x = _convolved(x, stem_filters(facts), "stem_", kernel=3, stride=2)
    for block in blocks(facts):
        x = _block(x, block)
    x = _convolved(x, HEAD_FILTERS, "top_")
    if pooling == "avg":
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(images, x, name=facts.name)


def _block(x: Any, block: Block) -> Any:
    """Widen, look around in each channel, narrow; the input is added where the shapes allow it."""
    layers, name, before = keras.layers, block.name, x
    if block.expand > 1:
        x = _convolved(x, block.filters, f"{name}_expand_")
    x = layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_KERNELS,
        name=f"{name}_dwconv",
    )(x)
    x = layers.ReLU(6, name=f"{name}_activation")(_normalised(x, f"{name}_bn"))
    x = _normalised(
        _convolution(block.filters_out, f"{name}_project_conv")(x), f"{name}_project_bn"
    )
    return layers.Add(name=f"{name}_add")([x, before]) if block.has_shortcut else x


def _convolved(x: Any, filters: int, prefix: str, *, kernel: int = 1, stride: int = 1) -> Any:
    x = _convolution(filters, f"{prefix}conv", kernel=kernel, stride=stride)(x)
    return keras.layers.ReLU(6, name=f"{prefix}activation")(_normalised(x, f"{prefix}bn"))


def _convolution(filters: int, name: str, *, kernel: int = 1, stride: int = 1) -> Any:
    return keras.layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=_KERNELS,
        name=name,
    )


def _normalised(x: Any, name: str) -> Any:
    layer = keras.layers.BatchNormalization(epsilon=_EPSILON, momentum=_MOMENTUM, name=name)
    return layer(x)
