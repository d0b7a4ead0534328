"""Decoded images in a file that is mapped into memory: decoded once, larger than memory if need be.

The first training over the same images makes the file within its first epoch, and those after it
find it in the same folder. What is shuffled are numbers, so that no image waits in memory; a whole
batch is then read in one call.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from leafmodel.pipelines import tf_data
from leafmodel.pipelines.decoded_file import DecodedFile, contents, write
from leafmodel.pipelines.facts import MadeOnce
from leafmodel.pipelines.front import front
from leafmodel.pipelines.pipeline import Batch, Pipeline, PipelineInput
from leafmodel.pipelines.resident import shuffled_indices
from leafmodel.pipelines.spec import Delivers, PipelineSpec

FOLDER = "memory_mapped"


class DecodedImages(keras.callbacks.Callback):
    """Finds or makes the file when the first epoch begins, so that its time shows there."""

    def __init__(self, spec: PipelineSpec, given: PipelineInput) -> None:
        super().__init__()
        self._spec = spec
        self._given = given
        self._lock = threading.Lock()
        self._file: DecodedFile | None = None
        self._made_once: MadeOnce | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Open the file before the first step."""
        self.open()

    def open(self) -> DecodedFile:
        """The file of these images, made if it is not there.

        Raises:
            PipelineError: it cannot be written, or what is there is not whole.
            DataError: an image cannot be read.
        """
        with self._lock:  # a pipeline reads from several threads
            if self._file is None:
                self._file = self._opened()
            return self._file

    def rows(self, indices: NDArray[np.int32]) -> NDArray[np.uint8]:
        """The images with these numbers."""
        return self.open().rows(indices)

    def made_once(self) -> MadeOnce | None:
        """What the file took to be made, and whether it was there already."""
        return self._made_once

    def _opened(self) -> DecodedFile:
        wanted = contents(self._spec, self._given)
        path = wanted.path(self._given.work / FOLDER)
        found = path.exists()
        if not found:
            write(path, wanted, self._decoded())
        file = DecodedFile(path, wanted)
        self._made_once = MadeOnce(file.build_ns, found=found, size_bytes=wanted.file_bytes)
        return file

    def _decoded(self) -> Iterator[NDArray[np.uint8]]:
        """The images in the files' order, a batch at a time."""
        images = tf_data.decoded(self._spec, self._given, self._given.batch_size)
        return images.as_numpy_iterator()  # type: ignore[no-any-return]


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """Batches read from the file, as uint8 or cast to float32 in 0-255, and int32 labels."""
    images = DecodedImages(spec, given)

    def read(indices: Any, labels: Any) -> tuple[Any, Any]:
        with tf.name_scope("read"):
            batch = tf.numpy_function(images.rows, [indices], tf.uint8, stateful=False)
        batch.set_shape((None, given.image_size, given.image_size, 3))
        if spec.delivers is Delivers.FLOAT32:
            with tf.name_scope("convert"):
                batch = tf.cast(batch, tf.float32)
        return batch, labels

    calls = tf_data.parallel_calls(spec.map_parallelism)
    dataset = shuffled_indices(spec, given).map(read, num_parallel_calls=calls)
    if spec.prefetch:
        dataset = dataset.prefetch(spec.prefetch)

    def drain() -> Iterator[Batch]:
        images.open()
        return iter(dataset)

    return Pipeline(
        source=dataset,
        front=front(spec, given.seed),
        drain=drain,
        callbacks=(images,),
        dataset=dataset,
        made_once=images.made_once,
    )
