"""tf.data with every stage explicit: nothing is added, fused or tuned unless the spec says so.

Order of stages: shuffle the paths, read and decode, finish (cast, augment), batch, prefetch. With a
cache: read and decode, cache, shuffle, finish, batch, prefetch, so that neither order nor
augmentation is frozen. Augmentation comes before `batch`: a parallel map over batches gains
nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from leafmodel.errors import PipelineError
from leafmodel.pipelines.augmentation import augmentation_at
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.spec import ALL_CORES, Augment, Cache, PipelineSpec, Resize


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """The pipeline of `spec`, yielding float32 (batch, size, size, 3) in 0-255 and int32 labels.

    Raises:
        PipelineError: the data set does not know its own length; Keras would then fetch batches in
            another way, and the input wait could not be measured.
    """
    in_pipeline = augmentation_at(Augment.PIPELINE, spec, given.seed)
    dataset = _stages(spec, given, in_pipeline).with_options(options(spec))
    cardinality = int(dataset.cardinality())
    if cardinality != given.steps:
        raise PipelineError(
            f"expected a data set of {given.steps} batches, found cardinality {cardinality}: add "
            "tf.data.experimental.assert_cardinality behind the stage that loses it."
        )
    return Pipeline(
        source=dataset,
        front=augmentation_at(Augment.MODEL, spec, given.seed),
        drain=lambda: iter(dataset),
        dataset=dataset,
    )


def _stages(spec: PipelineSpec, given: PipelineInput, augmentation: Sequence[Any]) -> Any:
    calls = parallel_calls(spec.map_parallelism)

    def decode(path: Any, label: Any) -> tuple[Any, Any]:
        return decode_image(path, given.image_size, spec.resize), label

    def finish(image: Any, label: Any) -> tuple[Any, Any]:
        with tf.name_scope("convert"):
            image = tf.cast(image, tf.float32)
        with tf.name_scope("augment"):
            for layer in augmentation:
                image = layer(image, training=True)
        return image, label

    def shuffled(dataset: Any) -> Any:
        return dataset.shuffle(len(given.files), seed=given.seed, reshuffle_each_iteration=True)

    labels = tf.constant(given.labels, tf.int32)
    dataset = tf.data.Dataset.from_tensor_slices((given.paths, labels))
    if spec.cache is Cache.NONE:
        dataset = shuffled(dataset).map(decode, num_parallel_calls=calls)
    else:
        dataset = shuffled(dataset.map(decode, num_parallel_calls=calls).cache())
    dataset = dataset.map(finish, num_parallel_calls=calls).batch(given.batch_size)
    return dataset.prefetch(spec.prefetch) if spec.prefetch else dataset


def parallel_calls(map_parallelism: int) -> int | None:
    """tf.data's `num_parallel_calls` for an axis value; None is its sequential map."""
    if map_parallelism == 1:
        return None
    if map_parallelism == ALL_CORES:
        return max(2, len(os.sched_getaffinity(0)))
    return map_parallelism


def options(spec: PipelineSpec) -> Any:
    """Options that keep tf.data from adding prefetches, fusing maps or tuning, unless asked to."""
    chosen = tf.data.Options()
    chosen.autotune.enabled = spec.autotune
    if not spec.autotune:
        chosen.experimental_optimization.apply_default_optimizations = False
        chosen.experimental_optimization.inject_prefetch = False
    return chosen


def decode_image(path: Any, image_size: int, resize: Resize) -> Any:
    """The image file as uint8 (size, size, 3); resampled only where its size is another one."""
    with tf.name_scope("read"):
        encoded = tf.io.read_file(path)
    with tf.name_scope("decode"):
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    image.set_shape((None, None, 3))
    wanted = tf.constant((image_size, image_size))

    def resized() -> Any:
        scaled = tf.image.resize(image, wanted, method=str(resize))
        return tf.cast(tf.round(tf.cast(scaled, tf.float32)), tf.uint8)

    with tf.name_scope("resize"):
        same = tf.reduce_all(tf.equal(tf.shape(image)[:2], wanted))
        image = tf.cond(same, lambda: image, resized)
    image.set_shape((image_size, image_size, 3))
    return image


def evaluation_dataset(given: PipelineInput) -> Any:
    """The images in their order, decoded on all cores, without augmentation: for validation."""
    spec = PipelineSpec(map_parallelism=ALL_CORES, augment=Augment.NONE)
    labels = tf.constant(given.labels, tf.int32)
    dataset = tf.data.Dataset.from_tensor_slices((given.paths, labels))
    return (
        dataset.map(
            lambda path, label: (
                tf.cast(decode_image(path, given.image_size, spec.resize), tf.float32),
                label,
            ),
            num_parallel_calls=parallel_calls(spec.map_parallelism),
        )
        .batch(given.batch_size)
        .with_options(options(spec))
    )
