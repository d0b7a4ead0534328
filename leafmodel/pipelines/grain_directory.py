"""`image_dataset_from_directory(format="grain")` as Keras ships it, with Grain's own threads.

Keras shuffles once: such a data set has the same order in every epoch. Here it is made anew for
each epoch with another seed, which reads the folder again. Keras decodes with Pillow and resizes
each image with an operation of its backend's.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import keras
import numpy as np

from leafmodel.data.prepare import link_farm
from leafmodel.pipelines.bridge import bridged
from leafmodel.pipelines.facts import WorkerFacts
from leafmodel.pipelines.pipeline import Batch, Pipeline, PipelineInput
from leafmodel.pipelines.spec import PipelineSpec, Workers


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """The stock data set over exactly the given files, options untouched."""
    import grain

    folder = link_farm(given.files, given.class_names, given.work / "directory")
    seeds = count(given.seed)

    def epoch() -> Iterator[Batch]:
        for images, labels in _dataset(spec, given, folder, next(seeds)):
            yield (
                keras.ops.convert_to_numpy(images),
                keras.ops.convert_to_numpy(labels).astype(np.int32),
            )

    options = grain.ReadOptions()
    workers = WorkerFacts(
        count=int(options.num_threads),
        kind=str(Workers.THREADS),
        ahead=f"{int(options.prefetch_buffer_size)} images in all",
        decodes_with="Pillow, then an operation of Keras' backend a image",
    )
    return bridged(epoch, np.float32, spec, given, workers)


def _dataset(spec: PipelineSpec, given: PipelineInput, folder: Path, seed: int) -> Any:
    return keras.utils.image_dataset_from_directory(
        str(folder),
        class_names=list(given.class_names),
        image_size=(given.image_size, given.image_size),
        interpolation=str(spec.resize),
        batch_size=given.batch_size,
        shuffle=True,
        seed=seed,
        format="grain",
        verbose=False,
    )
