"""Images that the device holds already: no pipeline, or (for the ceiling) not even another batch.

The data set that `fit` iterates carries indices and labels alone; a layer at the model's front
turns an index into its image where the model runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from leafmodel.pipelines import tf_data
from leafmodel.pipelines.augmentation import augmentation_at
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.spec import ALL_CORES, Augment, PipelineSpec


class ResidentImages(keras.layers.Layer):
    """Index -> image, from a variable on the device. `load` fills it.

    `gather=False` returns the first images whatever the index says: the same batch again and again,
    with nothing fetched at all.
    """

    def __init__(self, count: int, image_size: int, *, gather: bool = True) -> None:
        super().__init__(name="resident_images", trainable=False, dtype="uint8")
        self.gather = gather
        self.images = self.add_weight(
            shape=(count, image_size, image_size, 3),
            dtype="uint8",
            initializer="zeros",
            trainable=False,
            name="images",
        )

    def call(self, index: Any) -> Any:
        """(batch,) indices -> (batch, size, size, 3) float32 in 0-255."""
        if self.gather:
            batch = keras.ops.take(self.images, index, axis=0)
        else:
            batch = self.images[: keras.ops.shape(index)[0]]
        return keras.ops.cast(batch, "float32")

    def load(self, images: np.ndarray) -> None:
        """Fill the variable with (count, size, size, 3) uint8 images."""
        self.images.assign(images)


class LoadImages(keras.callbacks.Callback):
    """Decodes the images onto the device within the first epoch, so that its time shows there."""

    def __init__(self, layer: ResidentImages, given: PipelineInput) -> None:
        super().__init__()
        self._layer = layer
        self._given = given
        self._loaded = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Load before the first step; a training that goes on does not begin with epoch 0."""
        if not self._loaded:
            self._layer.load(decode_all(self._given))
            self._loaded = True


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """All images of the split on the device; order drawn anew each epoch."""
    layer = ResidentImages(len(given.files), given.image_size)
    dataset = shuffled_indices(spec, given)
    return Pipeline(
        source=dataset,
        front=_front(layer, spec, given),
        drain=lambda: iter(dataset),
        callbacks=(LoadImages(layer, given),),
        dataset=dataset,
    )


def shuffled_indices(spec: PipelineSpec, given: PipelineInput) -> Any:
    """Batches of (index, label), in a new order each epoch."""
    labels = tf.constant(given.labels, tf.int32)
    indices = tf.range(len(given.files), dtype=tf.int32)
    return (
        tf.data.Dataset.from_tensor_slices((indices, labels))
        .shuffle(len(given.files), seed=given.seed, reshuffle_each_iteration=True)
        .batch(given.batch_size)
        .with_options(tf_data.options(spec))
    )


def build_ceiling(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """One batch on the device, used in every step: what the model needs if input costs nothing.

    The steps of an epoch have the same batch sizes as with the real files.
    """
    first = PipelineInput(
        files=given.files[: given.batch_size],
        class_names=given.class_names,
        batch_size=given.batch_size,
        image_size=given.image_size,
        seed=given.seed,
        work=given.work,
    )
    layer = ResidentImages(len(first.files), given.image_size, gather=False)
    layer.load(decode_all(first))
    indices = tf.range(len(given.files), dtype=tf.int32) % len(first.files)
    labels = tf.gather(tf.constant(first.labels, tf.int32), indices)
    batches = list(tf.data.Dataset.from_tensor_slices((indices, labels)).batch(given.batch_size))
    dataset = tf.data.Dataset.from_tensors(batches[0]).repeat(given.steps - 1)
    dataset = dataset.concatenate(tf.data.Dataset.from_tensors(batches[-1]))
    dataset = dataset.with_options(tf_data.options(spec))
    return Pipeline(
        source=dataset,
        front=_front(layer, spec, given),
        drain=lambda: iter(dataset),
        dataset=dataset,
    )


def _front(layer: ResidentImages, spec: PipelineSpec, given: PipelineInput) -> Sequence[Any]:
    return (layer, *augmentation_at(Augment.MODEL, spec, given.seed))


def decode_all(given: PipelineInput) -> np.ndarray:
    """Every image, decoded on all cores, as uint8 (count, size, size, 3) in the files' order."""
    images = np.empty((len(given.files), given.image_size, given.image_size, 3), np.uint8)
    resize = PipelineSpec().resize
    dataset = (
        tf.data.Dataset.from_tensor_slices(given.paths)
        .map(
            lambda path: tf_data.decode_image(path, given.image_size, resize),
            num_parallel_calls=tf_data.parallel_calls(ALL_CORES),
        )
        .with_options(tf_data.options(PipelineSpec()))
    )
    for position, image in enumerate(dataset.as_numpy_iterator()):
        images[position] = image
    return images
