"""What stands between a decoded image and a model: batching, and reading a cache."""

from __future__ import annotations

import tensorflow as tf

from leafmodel.pipelines.build import build
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.resident import decode_all
from leafmodel.pipelines.spec import Augment, Cache, PipelineSpec
from leafmodel.pipelines.tf_data import options


def test_batch(measure, given: PipelineInput) -> None:
    images = tf.cast(decode_all(given), tf.float32)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(given.batch_size)
    dataset = dataset.with_options(options(PipelineSpec()))
    measure("batch", lambda: _drain(dataset), len(given.files))


def test_cache_read(measure, given: PipelineInput) -> None:
    """An epoch from a cache that is full: read, shuffle, convert and batch, nothing decoded."""
    spec = PipelineSpec(cache=Cache.DECODED, augment=Augment.NONE)
    dataset = build(spec, given).dataset
    _drain(dataset)
    measure("cache", lambda: _drain(dataset), len(given.files))


def _drain(dataset) -> None:
    for _ in dataset:
        pass
