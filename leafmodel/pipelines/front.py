"""What the model has before its network: a cast, where batches are bytes, and augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from leafmodel.pipelines.augmentation import augmentation_at
from leafmodel.pipelines.spec import Augment, Delivers, PipelineSpec


class CastImages(keras.layers.Layer):
    """uint8 -> float32 where the model runs, so that a quarter of the bytes is transferred."""

    def __init__(self) -> None:
        super().__init__(name="cast_images", trainable=False, dtype="float32")

    def call(self, images: Any) -> Any:
        """The images as float32, values unchanged."""
        return keras.ops.cast(images, "float32")


def front(spec: PipelineSpec, seed: int) -> Sequence[Any]:
    """The Keras layers that a pipeline's images go through in the model."""
    cast = (CastImages(),) if spec.delivers is Delivers.UINT8 else ()
    return (*cast, *augmentation_at(Augment.MODEL, spec, seed))
