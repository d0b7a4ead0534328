"""The course's default: Keras' `ImageDataGenerator`, one worker, Pillow and SciPy on the CPU.

Not quite without a pipeline: Keras itself wraps any such generator in a tf.data `prefetch` (Keras
3.15, `PyDatasetAdapter.get_tf_dataset`), so that one Python thread works ahead while the model
trains. The proof reports it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pandas as pd
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from leafmodel.augment.image_data_generator import augmenting_generator
from leafmodel.pipelines.augmentation import augmentation_at
from leafmodel.pipelines.pipeline import Batch, Pipeline, PipelineInput
from leafmodel.pipelines.spec import Augment, PipelineSpec


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """The generator over exactly the given files; float32 batches in 0-255, labels as given."""
    augments = spec.augment is Augment.PIPELINE
    generator = augmenting_generator(given.seed) if augments else ImageDataGenerator()
    table = pd.DataFrame({"filename": given.paths, "class": given.labels})
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a count that looks like ours
        batches = generator.flow_from_dataframe(
            table,
            class_mode="raw",
            target_size=(given.image_size, given.image_size),
            interpolation=str(spec.resize),
            batch_size=given.batch_size,
            shuffle=True,
            seed=given.seed,
            validate_filenames=False,
        )

    def drain() -> Iterator[Batch]:
        for index in range(len(batches)):
            yield batches[index]
        batches.on_epoch_end()

    front = augmentation_at(Augment.MODEL, spec, given.seed)
    return Pipeline(source=batches, front=front, drain=drain)
