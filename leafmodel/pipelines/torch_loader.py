"""PyTorch's `DataLoader` fed to Keras: worker processes that live as long as the training.

Its workers hand over bytes in shared memory. Nothing is pinned, since no GPU of PyTorch's takes
part. PyTorch itself sets one thread for its operations in each worker.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from leafmodel.pipelines.bridge import bridged
from leafmodel.pipelines.facts import WorkerFacts
from leafmodel.pipelines.pipeline import Batch, Pipeline, PipelineInput
from leafmodel.pipelines.python_images import DECODES_WITH, Draw, Epochs, python_images
from leafmodel.pipelines.spec import PipelineSpec, Workers
from leafmodel.pipelines.tf_data import worker_count


class ShuffledDraws:
    """A sampler for a `DataLoader`: a new order, and new draws, whenever it is iterated."""

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs

    def __len__(self) -> int:
        return len(self._epochs)

    def __iter__(self) -> Iterator[Draw]:
        return iter(self._epochs.order())


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """The given images through a `DataLoader`."""
    from torch.utils.data import DataLoader

    images = python_images(spec, given)
    loader = DataLoader(
        images,
        batch_size=given.batch_size,
        sampler=ShuffledDraws(Epochs(len(images), given.seed)),
        num_workers=worker_count(spec.map_parallelism),
        prefetch_factor=spec.prefetch,
        persistent_workers=True,
        pin_memory=False,
    )

    def epoch() -> Iterator[Batch]:
        for batch, labels in loader:
            yield batch.numpy(), labels.numpy().astype(np.int32, copy=False)

    workers = WorkerFacts(
        count=loader.num_workers,
        kind=str(Workers.PROCESSES),
        ahead=f"{loader.prefetch_factor} batches each",
        decodes_with=DECODES_WITH,
    )
    return bridged(epoch, np.float32 if images.augments else np.uint8, spec, given, workers)
