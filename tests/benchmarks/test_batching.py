"""What stands between a decoded image and a model: batching, and reading a cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from leafmodel.pipelines.build import build
from leafmodel.pipelines.decoded_file import DecodedFile, contents, write
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.resident import decode_all
from leafmodel.pipelines.spec import Augment, Cache, Loader, PipelineSpec
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


def test_memory_mapped_read(measure, given: PipelineInput, tmp_path: Path) -> None:
    """A batch of rows in random order from a file that lies in the system's cache."""
    spec = PipelineSpec(loader=Loader.MEMORY_MAPPED, augment=Augment.NONE)
    wanted = contents(spec, given)
    write(wanted.path(tmp_path), wanted, [decode_all(given)])
    file = DecodedFile(wanted.path(tmp_path), wanted)
    rows = np.random.default_rng(0).permutation(len(given.files))[: given.batch_size]
    measure("memory-mapped file", lambda: file.rows(rows), len(rows))


def _drain(dataset) -> None:
    for _ in dataset:
        pass
