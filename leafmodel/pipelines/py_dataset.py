"""Keras' own way to read images with several workers: `keras.utils.PyDataset`.

`fit` starts the workers anew for every epoch (Keras 3.15, `OrderedEnqueuer._run`). Processes are
forked and send their batches through a pipe, pickled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from leafmodel.pipelines.facts import WorkerFacts
from leafmodel.pipelines.front import front
from leafmodel.pipelines.pipeline import Batch, Pipeline, PipelineInput
from leafmodel.pipelines.python_images import DECODES_WITH, Epochs, PythonImages, python_images
from leafmodel.pipelines.spec import PipelineSpec, Workers
from leafmodel.pipelines.tf_data import worker_count


class ImageBatches(keras.utils.PyDataset):
    """Batches by their number, in an order that is drawn anew at the end of each epoch."""

    def __init__(
        self, images: PythonImages, given: PipelineInput, dtype: str, **workers: Any
    ) -> None:
        super().__init__(**workers)
        self._images = images
        self._batch_size = given.batch_size
        self._steps = given.steps
        self._dtype = dtype
        self._epochs = Epochs(len(images), given.seed)
        self._order = self._epochs.order()

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Batch:
        begin = index * self._batch_size
        images, labels = self._images.batch(self._order[begin : begin + self._batch_size])
        return images.astype(self._dtype, copy=False), labels

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self._order = self._epochs.order()


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """The given images; batches in the spec's type, int32 labels."""
    count = worker_count(spec.map_parallelism)
    batches = ImageBatches(
        python_images(spec, given),
        given,
        str(spec.delivers),
        workers=count,
        use_multiprocessing=spec.workers is Workers.PROCESSES,
        max_queue_size=count * spec.prefetch,
    )
    return Pipeline(
        source=batches,
        front=front(spec, given.seed),
        drain=_Drain(batches).epoch,
        workers=WorkerFacts(
            count=batches.workers,
            kind=str(Workers.PROCESSES if batches.use_multiprocessing else Workers.THREADS),
            ahead=f"{batches.max_queue_size // batches.workers} batches each",
            decodes_with=DECODES_WITH,
        ),
    )


class _Drain:
    """Epochs without a model, fetched as `fit` does it.

    `fit` also shuffles the numbers of the batches, which costs nothing.
    """

    def __init__(self, batches: ImageBatches) -> None:
        self._batches = batches
        self._adapter: Any = None

    def epoch(self) -> Iterator[Batch]:
        """Workers are started and ended as by `fit`."""
        if self._adapter is None:
            self._adapter = PyDatasetAdapter(self._batches)
        self._adapter.on_epoch_begin()
        try:
            yield from self._fetched()
        finally:
            self._adapter.on_epoch_end()

    def _fetched(self) -> Iterator[Batch]:
        on_tensorflow = keras.backend.backend() == "tensorflow"
        fetch = self._adapter.get_tf_dataset if on_tensorflow else self._adapter.get_numpy_iterator
        for images, labels in fetch():
            yield images, np.asarray(labels)
