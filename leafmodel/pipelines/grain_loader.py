"""Grain's own loader: `grain.MapDataset`, with threads of this process or with worker processes.

Built as Grain's documentation does it (https://google-grain.readthedocs.io, "Dataset basics"):
shuffle, map, batch, repeat, and then as an iterator that prefetches. One iterator serves all
epochs, so that processes are started once; Grain shuffles each epoch by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from leafmodel.pipelines.bridge import bridged
from leafmodel.pipelines.facts import WorkerFacts
from leafmodel.pipelines.pipeline import Batch, Pipeline, PipelineInput
from leafmodel.pipelines.python_images import DECODES_WITH, PythonImages, python_images
from leafmodel.pipelines.spec import PipelineSpec, Workers
from leafmodel.pipelines.tf_data import worker_count


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """The given images through Grain; each worker makes whole batches."""
    images = python_images(spec, given)
    reading, processes = _options(spec)
    stream = Stream(lambda seed: _batches(images, given, seed, reading, processes), given)
    made = np.float32 if images.augments else np.uint8
    return bridged(stream.epoch, made, spec, given, _facts(reading, processes))


def _options(spec: PipelineSpec) -> tuple[Any, Any]:
    """Grain's options: of reading, and of its processes."""
    import grain
    from absl import flags

    count = worker_count(spec.map_parallelism)
    if spec.workers is Workers.THREADS:
        ahead = count * spec.prefetch
        reading = grain.ReadOptions(num_threads=count, prefetch_buffer_size=ahead)
        return reading, grain.MultiprocessingOptions(num_workers=0)
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()  # Grain reads one, and nobody runs absl's main
    own_thread = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
    return own_thread, grain.MultiprocessingOptions(
        num_workers=count, per_worker_buffer_size=spec.prefetch
    )


def _facts(reading: Any, processes: Any) -> WorkerFacts:
    count, ahead = processes.num_workers, processes.per_worker_buffer_size
    kind = Workers.PROCESSES
    if count == 0:
        count, kind = reading.num_threads, Workers.THREADS
        ahead = reading.prefetch_buffer_size // count
    return WorkerFacts(count, str(kind), f"{ahead} batches each", DECODES_WITH)


def _batches(
    images: PythonImages, given: PipelineInput, seed: int, reading: Any, processes: Any
) -> Any:
    """An endless Grain data set of batches."""
    import grain

    numbers = grain.MapDataset.range(len(images)).seed(seed).shuffle()
    batches = numbers.random_map(images.random).batch(given.batch_size).repeat()
    return batches.to_iter_dataset(reading).mp_prefetch(processes)


class Stream:
    """Epochs cut from an endless iterator.

    An epoch that was left before its end is not gone on with: the next one begins a new iterator.
    """

    def __init__(self, batches: Callable[[int], Any], given: PipelineInput) -> None:
        self._batches = batches
        self._seed = given.seed
        self._steps = given.steps
        self._iterator: Any = None
        self._left = 0

    def epoch(self) -> Iterator[Batch]:
        """The next epoch's batches."""
        if self._iterator is None or self._left:
            self._begin()
        self._left = self._steps
        while self._left:
            batch = next(self._iterator)
            self._left -= 1
            yield batch

    def _begin(self) -> None:
        if self._iterator is not None:
            self._iterator.close()
            self._seed += 1
        self._iterator = iter(self._batches(self._seed))
