"""An epoch of each loader, without a model and without augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import pytest
import tensorflow as tf

from bench.variants import variant
from leafmodel.pipelines.build import BUILDERS, build
from leafmodel.pipelines.extras import lacking
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.spec import ALL_CORES, AUTOTUNE, Augment, Loader, PipelineSpec, Resize

SPECS = {
    Loader.IMAGE_DATA_GENERATOR: PipelineSpec(
        loader=Loader.IMAGE_DATA_GENERATOR, resize=Resize.NEAREST, augment=Augment.NONE
    ),
    Loader.TF_DATA: PipelineSpec(map_parallelism=ALL_CORES, prefetch=2, augment=Augment.NONE),
    Loader.KERAS_DIRECTORY: PipelineSpec(
        loader=Loader.KERAS_DIRECTORY,
        map_parallelism=AUTOTUNE,
        prefetch=AUTOTUNE,
        augment=Augment.NONE,
        autotune=True,
    ),
    Loader.RESIDENT: PipelineSpec(loader=Loader.RESIDENT, augment=Augment.NONE),
    Loader.FEATURES: PipelineSpec(loader=Loader.FEATURES, augment=Augment.NONE, feature_passes=1),
    Loader.MEMORY_MAPPED: PipelineSpec(
        loader=Loader.MEMORY_MAPPED, map_parallelism=ALL_CORES, prefetch=2, augment=Augment.NONE
    ),
    **{
        variant(name).pipeline.loader: variant(name).pipeline.without_augmentation()
        for name in ("py_dataset", "grain", "grain_keras", "torch_loader")
    },
}


@pytest.mark.parametrize("loader", [str(loader) for loader in BUILDERS])
def test_loader(measure, given: PipelineInput, loader: str) -> None:
    if why := lacking(SPECS[Loader(loader)]):
        pytest.skip(f"{loader} {why}")
    pipeline = build(SPECS[Loader(loader)], given)
    measure("loader", _epoch(Loader(loader), pipeline, given.steps), len(given.files))


def _epoch(loader: Loader, pipeline: Pipeline, steps: int) -> Callable[[], None]:
    """One epoch of the loader, as a function that can be called again and again."""
    if loader is Loader.KERAS_DIRECTORY:
        return _endless_epoch(pipeline, steps)
    lookup = _lookup(loader, pipeline)

    def epoch() -> None:
        for images, _labels in pipeline.drain():
            lookup(images)

    return epoch


def _endless_epoch(pipeline: Pipeline, steps: int) -> Callable[[], None]:
    """So many batches of an iterator that never ends.

    tf.data's autotuner, which this loader keeps on, can stall for seconds when an iterator is
    destroyed. That is measured by the suites as the boundary gap; here it would be most of it.
    """
    batches: Iterator[Any] = iter(pipeline.dataset.repeat())

    def epoch() -> None:
        for _ in range(steps):
            next(batches)

    return epoch


def _lookup(loader: Loader, pipeline: Pipeline) -> Callable[[Any], Any]:
    """What the model's front does with a batch where the device holds images or features."""
    if loader is Loader.FEATURES:
        assert pipeline.features is not None
        front = [pipeline.features.attach(_small_backbone())]
    else:
        front = list(pipeline.front)
    for callback in pipeline.callbacks:
        callback.on_epoch_begin(0)
    if not front:
        return lambda images: images

    @tf.function(reduce_retracing=True)
    def through(batch: Any) -> Any:
        for layer in front:
            batch = layer(batch)
        return batch

    return through


def _small_backbone() -> Any:
    """Stands in for a frozen backbone: what is timed is the look-up, not what filled it."""
    return keras.Sequential([keras.Input((256, 256, 3)), keras.layers.AveragePooling2D(32)])
