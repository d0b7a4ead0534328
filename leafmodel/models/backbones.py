"""Build a backbone with its weights: what `leafmodel.models.backbone` calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np

from leafmodel.errors import ModelError, WeightsError
from leafmodel.models import efficientnet_lite, h5_weights, lite_weights
from leafmodel.models.catalogue import (
    IMAGENET,
    NO_WEIGHTS,
    BackboneFacts,
    Family,
    require_backbone,
)

_UNFETCHED = re.compile("URL fetch failure|corrupted file")
SMALLEST_SIDE = 32  # halved five times it is one
POOLINGS = ("avg", None)
_KERAS: Mapping[str, Any] = MappingProxyType(
    {
        f"efficientnet_b{number}": getattr(keras.applications, f"EfficientNetB{number}")
        for number in range(8)
    }
)
# The deviation of ImageNet's colours. Keras's published weights hold it where the variance belongs,
# and Keras mends that only in a network for which it fetches them itself
# (https://github.com/tensorflow/tensorflow/issues/49930).
_DEVIATION = (0.229, 0.224, 0.225)


def build(name: str, weights: str, pooling: str | None, input_shape: tuple[int, int, int]) -> Any:
    """See `leafmodel.models.backbone`."""
    facts = require_backbone(name, weights)
    _require_output(pooling)
    _require_input(input_shape)
    make = _lite if facts.family is Family.LITE else _efficientnet
    return make(facts, weights, pooling, input_shape)


def _lite(
    facts: BackboneFacts, weights: str, pooling: str | None, input_shape: tuple[int, int, int]
) -> Any:
    given = {} if weights == NO_WEIGHTS else lite_weights.weights_by_layer(facts, weights)
    model = efficientnet_lite.build(facts, pooling, input_shape)
    for layer, arrays in given.items():
        model.get_layer(layer).set_weights(arrays)
    return model


def _efficientnet(
    facts: BackboneFacts, weights: str, pooling: str | None, input_shape: tuple[int, int, int]
) -> Any:
    """Keras's own, which brings the images from 0-255 to its scale itself."""
    options = {"include_top": False, "pooling": pooling, "input_shape": input_shape}
    if weights == IMAGENET:
        return _fetched(facts, options)
    if weights == NO_WEIGHTS:
        return _KERAS[facts.name](weights=None, **options)
    path = Path(weights)
    h5_weights.require_fit(path, facts)
    model = _KERAS[facts.name](weights=None, **options)
    _load(model, path, facts)
    _mend_normalisation(model)
    return model


def _fetched(facts: BackboneFacts, options: Mapping[str, Any]) -> Any:
    """With the weights that Keras keeps in its cache, or fetches."""
    try:
        return _KERAS[facts.name](weights=IMAGENET, **options)
    except Exception as error:  # Keras raises the base class where it cannot fetch
        if not isinstance(error, OSError) and not _UNFETCHED.search(str(error)):
            raise
        raise WeightsError(
            f"The ImageNet weights of {facts.name} could not be fetched ({error}). Give the path "
            "of a weights file, choose efficientnet_lite0, whose weights are installed, or try "
            "again with a network."
        ) from error


def _load(model: Any, path: Path, facts: BackboneFacts) -> None:
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise WeightsError(
            f"{path} does not hold weights of {facts.name} as Keras writes them "
            f"({str(error).splitlines()[0]}). Give a file that Keras wrote of this network alone."
        ) from error


def _mend_normalisation(model: Any) -> None:
    """Square a deviation that stands where the variance belongs."""
    layer = next(x for x in model.layers if isinstance(x, keras.layers.Normalization))
    mean, variance, *count = layer.get_weights()
    if np.allclose(variance, _DEVIATION, atol=1e-6):
        layer.set_weights([mean, np.square(variance), *count])
        layer.finalize_state()


def _require_output(pooling: str | None) -> None:
    if pooling not in POOLINGS:
        raise ModelError(f"pooling must be 'avg' or None, found {pooling!r}.")


def _require_input(input_shape: tuple[int, int, int]) -> None:
    is_image = len(input_shape) == 3 and input_shape[2] == 3
    if not is_image or min(input_shape[:2]) < SMALLEST_SIDE:
        raise ModelError(
            f"A backbone takes images of (rows, columns, 3), at least {SMALLEST_SIDE} by "
            f"{SMALLEST_SIDE} pixels in RGB; found {tuple(input_shape)}."
        )
