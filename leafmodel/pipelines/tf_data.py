"""tf.data with every stage explicit: nothing is added, fused or tuned unless the spec says so.

Order of stages: shuffle the paths, read and decode, finish (cast, augment), batch, prefetch. With a
cache: read and decode, cache, shuffle, finish, batch, prefetch, so that neither order nor
augmentation is frozen. Augmentation comes before `batch`: a parallel map over batches gains
nothing.

tf.data completes a cache when an epoch is read to its end, as every epoch of `fit` is: its shuffle
reads everything before the first batch. A file that was begun and not completed stays locked, so
each training has a folder of its own for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from leafmodel.errors import PipelineError
from leafmodel.pipelines.augmentation import augmentation_at
from leafmodel.pipelines.front import front
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.scratch import own_folder, require_room
from leafmodel.pipelines.spec import (
    ALL_CORES,
    Augment,
    Cache,
    Decode,
    Delivers,
    PipelineSpec,
    Resize,
)

_JPEG_RATIOS = (1, 2, 4, 8)


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """The pipeline of `spec`, yielding (batch, size, size, 3) in 0-255 and int32 labels.

    Raises:
        PipelineError: the data set does not know its own length; Keras would then fetch batches in
            another way, and the input wait could not be measured. Or the disk has no room for the
            file of its cache.
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
        front=front(spec, given.seed),
        drain=lambda: iter(dataset),
        dataset=dataset,
    )


def _stages(spec: PipelineSpec, given: PipelineInput, augmentation: Sequence[Any]) -> Any:
    calls = parallel_calls(spec.map_parallelism)

    def decode(path: Any, label: Any) -> tuple[Any, Any]:
        return decode_image(path, given.image_size, spec.resize, spec.decode), label

    def finish(image: Any, label: Any) -> tuple[Any, Any]:
        if spec.delivers is Delivers.FLOAT32:
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
        dataset = dataset.map(decode, num_parallel_calls=calls)
        dataset = shuffled(dataset.cache(_cache_file(spec, given)))
    if augmentation or spec.delivers is Delivers.FLOAT32:
        dataset = dataset.map(finish, num_parallel_calls=calls)
    dataset = dataset.batch(given.batch_size)
    return dataset.prefetch(spec.prefetch) if spec.prefetch else dataset


def _cache_file(spec: PipelineSpec, given: PipelineInput) -> str:
    """The file of a cache, new for every training; empty for one in memory."""
    if spec.cache is not Cache.FILE:
        return ""
    folder = own_folder(given.work, "cache")
    require_room(folder, len(given.files) * given.image_size**2 * 3, "A cache of decoded images")
    return str(folder / "decoded")


def decoded(spec: PipelineSpec, given: PipelineInput, batch_size: int) -> Any:
    """Every image once, decoded as `spec` says, uint8 in the files' order: batches of images."""
    return (
        tf.data.Dataset.from_tensor_slices(given.paths)
        .map(
            lambda path: decode_image(path, given.image_size, spec.resize, spec.decode),
            num_parallel_calls=parallel_calls(spec.map_parallelism),
        )
        .batch(batch_size)
        .with_options(options(spec))
    )


def parallel_calls(map_parallelism: int) -> int | None:
    """tf.data's `num_parallel_calls` for an axis value; None is its sequential map."""
    if map_parallelism == 1:
        return None
    if map_parallelism == ALL_CORES:
        return max(2, len(os.sched_getaffinity(0)))
    return map_parallelism


def worker_count(map_parallelism: int) -> int:
    """The workers of a loader that has its own: as many as tf.data would have calls in flight."""
    return parallel_calls(map_parallelism) or 1


def options(spec: PipelineSpec) -> Any:
    """Options that keep tf.data from adding prefetches, fusing maps or tuning, unless asked to."""
    chosen = tf.data.Options()
    chosen.autotune.enabled = spec.autotune
    if not spec.autotune:
        chosen.experimental_optimization.apply_default_optimizations = False
        chosen.experimental_optimization.inject_prefetch = False
    return chosen


def decode_image(path: Any, image_size: int, resize: Resize, decode: Decode = Decode.FULL) -> Any:
    """The image file as uint8 (size, size, 3); resampled only where its size is another one."""
    with tf.name_scope("read"):
        encoded = tf.io.read_file(path)
    with tf.name_scope("decode"):
        image = _decoded(encoded, image_size, decode)
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


def _decoded(encoded: Any, image_size: int, decode: Decode) -> Any:
    def whole() -> Any:
        return tf.io.decode_image(encoded, channels=3, expand_animations=False)

    if decode is Decode.FULL:
        return whole()
    return tf.cond(tf.io.is_jpeg(encoded), lambda: _scaled_jpeg(encoded, image_size), whole)


def _scaled_jpeg(encoded: Any, image_size: int) -> Any:
    """The JPEG at the smallest of libjpeg's scales that is not smaller than `image_size`.

    Of a side it makes side / ratio, rounded up.
    """
    sides = tf.image.extract_jpeg_shape(encoded)[:2]
    smaller = tf.constant(_JPEG_RATIOS[1:])[:, tf.newaxis]
    fits = tf.reduce_all((sides + smaller - 1) // smaller >= image_size, axis=1)
    scale = tf.reduce_sum(tf.cast(fits, tf.int32))  # what fits at a ratio fits at those before it
    branches = [
        partial(tf.io.decode_jpeg, encoded, channels=3, ratio=ratio) for ratio in _JPEG_RATIOS
    ]
    return tf.switch_case(scale, branches)


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
