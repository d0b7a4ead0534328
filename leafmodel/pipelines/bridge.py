"""From batches that Python makes to a tf.data set, as Keras' adapters build it, with its length.

Keras 3.15 wraps PyTorch's and Grain's loaders in `Dataset.from_generator`
(`TorchDataLoaderAdapter`, `GrainDatasetAdapter`); this does the same. It adds what Keras does not
know of Grain, how many batches an epoch has, without which the wait for a batch could not be
metered; and it casts bytes to float32 where the spec says so, so that workers hand over a quarter
of the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from leafmodel.pipelines import tf_data
from leafmodel.pipelines.facts import WorkerFacts
from leafmodel.pipelines.front import front
from leafmodel.pipelines.pipeline import Batch, Pipeline, PipelineInput
from leafmodel.pipelines.spec import Delivers, PipelineSpec


def bridged(
    epoch: Callable[[], Iterator[Batch]],
    images: type[np.generic],
    spec: PipelineSpec,
    given: PipelineInput,
    workers: WorkerFacts,
) -> Pipeline:
    """The pipeline of a loader that iterates by itself.

    Args:
        epoch: begins an epoch: NumPy batches of images and int32 labels.
        images: the type of what it makes.
        workers: that it has.
    """
    size = given.image_size
    signature = (
        tf.TensorSpec((None, size, size, 3), tf.as_dtype(images)),
        tf.TensorSpec((None,), tf.int32),
    )
    dataset = tf.data.Dataset.from_generator(epoch, output_signature=signature)
    if spec.delivers is Delivers.FLOAT32 and images is not np.float32:
        dataset = dataset.map(_cast)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(given.steps))
    dataset = dataset.with_options(tf_data.options(spec))
    return Pipeline(
        source=dataset,
        front=front(spec, given.seed),
        drain=lambda: iter(dataset),
        dataset=dataset,
        workers=workers,
    )


def _cast(images: Any, labels: Any) -> tuple[Any, Any]:
    with tf.name_scope("convert"):
        return tf.cast(images, tf.float32), labels
