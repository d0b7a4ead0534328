"""Which values go together on the axes of a pipeline; a refusal names the axis to change."""

from __future__ import annotations

from collections.abc import Mapping

from leafmodel.errors import PipelineError
from leafmodel.pipelines import python_rules
from leafmodel.pipelines.axis_values import (
    AUTOTUNE,
    NAMED_COUNTS,
    Augment,
    AugmentForm,
    Axes,
    Cache,
    Delivers,
    Loader,
    Resize,
    Workers,
    axis_text,
)
from leafmodel.pipelines.requirement import OTHERS_OWN_DECODING, require


def check(spec: Axes) -> None:
    """Refuse values that do not go together.

    Raises:
        PipelineError: names the axis to change.
    """
    _check_ranges(spec)
    if spec.loader.is_python:
        python_rules.check(spec)
    else:
        _check_loader(spec)
    _check_feature_passes(spec)
    _check_augment_form(spec)
    _check_delivers(spec)
    _check_service(spec)
    if not spec.autotune and AUTOTUNE in (spec.map_parallelism, spec.prefetch):
        raise PipelineError(
            "map_parallelism or prefetch is 'autotune' while autotune is off: "
            "give a number, or set autotune=true."
        )


def _check_ranges(spec: Axes) -> None:
    for axis in ("map_parallelism", "prefetch", "feature_passes", "service_workers"):
        value, named = getattr(spec, axis), axis in NAMED_COUNTS
        if value < (AUTOTUNE if named else 0):
            choice = ", or 'autotune'" if named else ""
            raise PipelineError(f"{axis} must be a count of 0 or more{choice}; found {value}.")


def _check_loader(spec: Axes) -> None:
    require(spec, "it works with threads", workers=(Workers.THREADS,))
    check = _LOADER_CHECKS.get(spec.loader)
    if check is not None:
        check(spec)


def _check_image_data_generator(spec: Axes) -> None:
    require(
        spec,
        "Keras runs ImageDataGenerator in one Python worker, without tf.data's stages",
        map_parallelism=(1,),
        cache=(Cache.NONE,),
        prefetch=(0,),
        autotune=(False,),
        **OTHERS_OWN_DECODING,
    )
    if spec.augment is Augment.PIPELINE:
        require(
            spec,
            "it augments with SciPy, which resamples once already",
            augment_form=(AugmentForm.STOCK,),
        )


def _check_keras_directory(spec: Axes) -> None:
    require(
        spec,
        "Keras builds that pipeline itself, with tf.data's autotuner on",
        map_parallelism=(AUTOTUNE,),
        cache=(Cache.NONE,),
        prefetch=(AUTOTUNE,),
        autotune=(True,),
        augment=(Augment.MODEL, Augment.NONE),
        **OTHERS_OWN_DECODING,
    )


def _check_on_device(spec: Axes) -> None:
    require(
        spec,
        "the device holds what the steps use, and no pipeline runs",
        map_parallelism=(1,),
        cache=(Cache.NONE,),
        prefetch=(0,),
        autotune=(False,),
        augment=(Augment.MODEL, Augment.NONE),
        resize=(Resize.BILINEAR,),
        **OTHERS_OWN_DECODING,
    )


def _check_memory_mapped(spec: Axes) -> None:
    require(
        spec,
        "its file holds the decoded images already, and whole batches are read from it",
        cache=(Cache.NONE,),
        augment=(Augment.MODEL, Augment.NONE),
    )


def _check_feature_passes(spec: Axes) -> None:
    passes = spec.feature_passes
    if spec.loader is not Loader.FEATURES:
        if passes:
            raise PipelineError(
                f"feature_passes={passes} needs loader={Loader.FEATURES}, found "
                f"loader={spec.loader}: leave feature_passes out, or start from feature_cache."
            )
    elif spec.augment is Augment.NONE and passes != 1:
        raise PipelineError(
            f"Without augmentation every pass is the same: set feature_passes=1, found {passes}; "
            f"or set augment={Augment.MODEL}."
        )
    elif spec.augment is Augment.MODEL and passes < 2:
        raise PipelineError(
            f"{passes} augmented pass would be the same in every epoch, which freezes the "
            "augmentation: set feature_passes=2 or more, or augment=none."
        )


def _check_augment_form(spec: Axes) -> None:
    if spec.augment is Augment.NONE and spec.augment_form is not AugmentForm.STOCK:
        raise PipelineError(
            f"augment_form={spec.augment_form} says how to augment, and augment=none that nothing "
            f"does: set augment_form={AugmentForm.STOCK}, or augment={Augment.MODEL}."
        )


def _check_delivers(spec: Axes) -> None:
    if spec.delivers is Delivers.UINT8 and spec.augment is Augment.PIPELINE:
        raise PipelineError(
            f"augment={Augment.PIPELINE} makes float32 images, so they cannot be delivered as "
            f"{Delivers.UINT8}: set delivers={Delivers.FLOAT32}, or augment={Augment.MODEL}."
        )


def _check_service(spec: Axes) -> None:
    """A graph that goes to another process takes no layers along; a cache there ends with it."""
    possible: Mapping[str, tuple[object, ...]] = {
        "loader": (Loader.TF_DATA,),
        "cache": (Cache.NONE,),
        "augment": (Augment.MODEL, Augment.NONE),
        "autotune": (False,),
    }
    for axis, allowed in possible.items():
        found = getattr(spec, axis)
        if spec.service_workers and found not in allowed:
            choices = " or ".join(axis_text(axis, value) for value in allowed)
            raise PipelineError(
                f"service_workers={spec.service_workers} cannot have "
                f"{axis}={axis_text(axis, found)}: the service's processes read and decode, image "
                f"by image, and nothing else; set {axis}={choices}, or service_workers=0."
            )


_LOADER_CHECKS = {
    Loader.IMAGE_DATA_GENERATOR: _check_image_data_generator,
    Loader.KERAS_DIRECTORY: _check_keras_directory,
    Loader.RESIDENT: _check_on_device,
    Loader.FEATURES: _check_on_device,
    Loader.MEMORY_MAPPED: _check_memory_mapped,
}
