"""What every loader's builder takes and returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, Protocol

from leafmodel.data.folder import ImageFile
from leafmodel.pipelines.facts import MadeOnce, WorkerFacts

Batch = tuple[Any, Any]


class FeatureStore(Protocol):
    """A pipeline's front that stands in for a frozen backbone.

    Attributes:
        augmentation: Keras layers that images go through before the backbone.
    """

    augmentation: Sequence[Any]

    def attach(self, extractor: Any) -> Any:
        """The layer that turns an index into what `extractor` makes of that image."""


@dataclass(frozen=True)
class PipelineInput:
    """What goes into a pipeline, whatever its spec.

    Attributes:
        files: images and labels, in the order of the split.
        class_names: label -> name; needed by loaders that infer labels from folders.
        batch_size: images a batch; the last batch of an epoch may be smaller.
        image_size: side of the square that comes out, in pixels.
        seed: of order and augmentation.
        work: a folder for files that a loader needs beside the images (links, for example).
        service: the address of a tf.data service that runs already; empty for one of the process'
            own, where a spec has one.
    """

    files: Sequence[ImageFile]
    class_names: Sequence[str]
    batch_size: int
    image_size: int
    seed: int
    work: Path
    service: str = ""

    @property
    def paths(self) -> list[str]:
        """The files' paths as text."""
        return [str(file.path) for file in self.files]

    @property
    def labels(self) -> list[int]:
        """The files' labels."""
        return [file.label for file in self.files]

    @property
    def class_counts(self) -> list[int]:
        """Files of each class."""
        counts = Counter(self.labels)
        return [counts[label] for label in range(len(self.class_names))]

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return ceil(len(self.files) / self.batch_size)


@dataclass(frozen=True)
class Pipeline:
    """A built input pipeline.

    Attributes:
        source: what `fit` takes: a `tf.data.Dataset` or a Keras `PyDataset`.
        front: Keras layers that the training model has before the network: augmentation, resident
            images.
        drain: one epoch of batches, without a model.
        callbacks: what the pipeline must do while it trains, as Keras callbacks.
        dataset: the tf.data graph to inspect; None where the loader has none.
        remote: the graph before it that a tf.data service runs; None without one.
        features: for a pipeline that delivers a frozen backbone's output instead of images.
        made_once: what it shares with other trainings; known once the first epoch has begun.
        workers: of a loader whose workers are Python's; None for any other.
    """

    source: Any
    front: Sequence[Any]
    drain: Callable[[], Iterator[Batch]]
    callbacks: Sequence[Any] = field(default=())
    dataset: Any = None
    remote: Any = None
    features: FeatureStore | None = None
    made_once: Callable[[], MadeOnce | None] = lambda: None
    workers: WorkerFacts | None = None
