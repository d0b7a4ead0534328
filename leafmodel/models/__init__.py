"""The networks. Each takes raw 0-255 RGB and ends in a softmax over the classes.

Importing this package loads no TensorFlow; building a network does.
"""

from __future__ import annotations

from typing import Any

from leafmodel.models.catalogue import IMAGENET


def backbone(
    name: str,
    *,
    weights: str = IMAGENET,
    pooling: str | None = "avg",
    input_shape: tuple[int, int, int] = (224, 224, 3),
) -> Any:
    """A pretrained network without its classifier, as a Keras model.

    Takes (batch, *input_shape) RGB in 0-255, as integers or floats, and gives (batch, n) features,
    or with `pooling=None` the (batch, rows, columns, n) map that they are the mean of.

    Args:
        name: one of `leafmodel.models.catalogue.BACKBONES`.
        weights: `imagenet`, `none` (random), or the path of a weights file: for an EfficientNet
            Keras's HDF5 without classifier, for a Lite a PyTorch state file in the old format.
        pooling: "avg", or None.
        input_shape: (rows, columns, 3) in pixels, at least 32 by 32.

    Raises:
        ModelError: an unknown backbone or pooling, or an impossible input shape.
        WeightsError: weights that are not there, broken, hostile, or of another network.
    """
    from leafmodel.models import backbones

    return backbones.build(name, weights, pooling, input_shape)
