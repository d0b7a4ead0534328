"""What loaders can be whose workers are Python's: Keras' PyDataset, Grain, PyTorch's DataLoader."""

from __future__ import annotations

from leafmodel.errors import PipelineError
from leafmodel.pipelines.axis_values import (
    Augment,
    AugmentForm,
    Axes,
    Cache,
    Decode,
    Loader,
    Resize,
    Workers,
)
from leafmodel.pipelines.requirement import OTHERS_OWN_DECODING, require

GRAIN_THREADS = 16  # what `grain.ReadOptions` has unless told otherwise (Grain 0.2.18)


def check(spec: Axes) -> None:
    """Refuse what a Python loader cannot be.

    Raises:
        PipelineError: names the axis to change.
    """
    if spec.loader is Loader.GRAIN_DIRECTORY:
        _check_grain_directory(spec)
        return
    _check_workers(spec)
    if spec.loader is Loader.TORCH:
        require(spec, "PyTorch's DataLoader has processes", workers=(Workers.PROCESSES,))
    if spec.loader is Loader.PY_DATASET and spec.map_parallelism == 1:
        raise PipelineError(
            f"loader={spec.loader} cannot have map_parallelism=sequential: for a single worker "
            "Keras starts none and puts an autotuned prefetch in its place; set "
            "map_parallelism=cores, or a count of 2 or more."
        )


def _check_workers(spec: Axes) -> None:
    require(
        spec,
        "its workers read, decode and batch in Python, without tf.data's stages",
        cache=(Cache.NONE,),
        autotune=(False,),
        resize=(Resize.BILINEAR,),
        decode=(Decode.FULL,),
    )
    if spec.augment is Augment.PIPELINE:
        require(
            spec,
            "its workers augment with SciPy, which resamples once already",
            augment_form=(AugmentForm.STOCK,),
        )
    if spec.prefetch == 0:
        raise PipelineError(
            f"loader={spec.loader} cannot have prefetch=0: a worker that makes nothing ahead is of "
            "no use; set prefetch=1 or more."
        )


def _check_grain_directory(spec: Axes) -> None:
    require(
        spec,
        "Keras builds that pipeline itself, with as many threads and images ahead as Grain chooses",
        map_parallelism=(GRAIN_THREADS,),
        cache=(Cache.NONE,),
        prefetch=(0,),
        autotune=(False,),
        augment=(Augment.MODEL, Augment.NONE),
        workers=(Workers.THREADS,),
        **OTHERS_OWN_DECODING,
    )
