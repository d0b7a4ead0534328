"""Frozen backbone, frozen work: each image goes through the backbone once, for all epochs.

While a backbone is frozen, what it makes of an image never changes, so an epoch without
augmentation repeats the same arithmetic. Here the first epoch computes the features (its time shows
there), and every step looks them up by index on the device. With augmentation, several augmented
passes are computed and epochs take them in turn: more varied than none, less than new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from leafmodel.backend import compiles_steps
from leafmodel.pipelines import resident, tf_data
from leafmodel.pipelines.augmentation import augmentation_at
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.spec import ALL_CORES, Augment, PipelineSpec, Resize


class CachedFeatures(keras.layers.Layer):
    """Index -> features, from a variable on the device with one row an image and pass."""

    def __init__(self, images: int, passes: int, shape: tuple[int, ...]) -> None:
        super().__init__(name="cached_features", trainable=False, dtype="float32")
        self.images = images
        self.passes = passes
        self.features = self.add_weight(
            shape=(passes * images, *shape), initializer="zeros", trainable=False, name="features"
        )
        self.first_row = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="first_row"
        )

    def call(self, index: Any) -> Any:
        """(batch,) indices -> (batch, ...) float32 features of the pass of this epoch."""
        return keras.ops.take(
            self.features, keras.ops.cast(index, "int32") + self.first_row, axis=0
        )

    def take_turn(self, epoch: int) -> None:
        """Use the pass whose turn it is in an epoch, counted from 0."""
        self.first_row.assign((epoch % self.passes) * self.images)


class FeatureCache(keras.callbacks.Callback):
    """Fills a `CachedFeatures` layer in the first epoch, and turns its passes after that."""

    def __init__(self, spec: PipelineSpec, given: PipelineInput) -> None:
        super().__init__()
        self._given = given
        self._passes = spec.feature_passes
        self.augmentation = augmentation_at(Augment.MODEL, spec, given.seed)
        self._extractor: Any = None
        self.layer: CachedFeatures | None = None
        self._filled = False

    def attach(self, extractor: Any) -> CachedFeatures:
        """Make the layer for what `extractor` (images -> features) gives."""
        self._extractor = extractor
        shape = tuple(extractor.output_shape[1:])
        self.layer = CachedFeatures(len(self._given.files), self._passes, shape)
        return self.layer

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Compute the features within the first epoch, which is not 0 if a training goes on."""
        if self.layer is None:
            raise ValueError("expected a feature cache that is attached to an extractor")
        if not self._filled:
            self._fill(self.layer)
            self._filled = True
        self.layer.take_turn(epoch)

    def _fill(self, layer: CachedFeatures) -> None:
        computed = FeaturePass(self.augmentation, self._extractor)
        computed.compile(jit_compile=compiles_steps())
        rows = [
            computed.predict_on_batch(batch)
            for _ in range(self._passes)
            for batch in self._images().as_numpy_iterator()
        ]
        layer.features.assign(np.concatenate(rows))

    def _images(self) -> Any:
        """The images in their order, decoded on all cores while the backbone works."""
        resize = Resize.BILINEAR
        return (
            tf.data.Dataset.from_tensor_slices(self._given.paths)
            .map(
                lambda path: tf_data.decode_image(path, self._given.image_size, resize),
                num_parallel_calls=tf_data.parallel_calls(ALL_CORES),
            )
            .batch(self._given.batch_size)
            .prefetch(2)
            .with_options(tf_data.options(PipelineSpec()))
        )


class FeaturePass(keras.Model):
    """Images -> float32 features, augmented anew in every call."""

    def __init__(self, augmentation: Sequence[Any], extractor: Any) -> None:
        super().__init__()
        self.augmentation = list(augmentation)
        self.extractor = extractor

    def call(self, images: Any) -> Any:
        """As in training for the augmentation, as in inference for the backbone."""
        x = keras.ops.cast(images, "float32")
        for layer in self.augmentation:
            x = layer(x, training=True)
        return keras.ops.cast(self.extractor(x, training=False), "float32")


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """Indices and labels; the features come from the layer that `Pipeline.features` attaches."""
    dataset = resident.shuffled_indices(spec, given)
    cache = FeatureCache(spec, given)
    return Pipeline(
        source=dataset,
        front=(),
        drain=lambda: iter(dataset),
        callbacks=(cache,),
        dataset=dataset,
        features=cache,
    )
