"""`image_dataset_from_directory` as Keras ships it: parallel, prefetched and autotuned, unasked.

It reads folders, so the split's files are laid out as links in a folder of their own.
"""

from __future__ import annotations

import keras

from leafmodel.data.prepare import link_farm
from leafmodel.pipelines.augmentation import augmentation_at
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.spec import Augment, PipelineSpec


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """The stock data set over exactly the given files, options untouched."""
    folder = link_farm(given.files, given.class_names, given.work / "directory")
    dataset = keras.utils.image_dataset_from_directory(
        str(folder),
        class_names=list(given.class_names),
        image_size=(given.image_size, given.image_size),
        interpolation=str(spec.resize),
        batch_size=given.batch_size,
        shuffle=True,
        seed=given.seed,
        verbose=False,
    )
    front = augmentation_at(Augment.MODEL, spec, given.seed)
    return Pipeline(source=dataset, front=front, drain=lambda: iter(dataset), dataset=dataset)
