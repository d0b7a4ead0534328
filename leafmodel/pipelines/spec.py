"""What an input pipeline is: a point on named axes, as plain data.

A spec that cannot exist (a resident data set with a map, a cache behind a random augmentation) is
refused when it is made, with the axis to change. Whether a built pipeline *is* what its spec says
is another question: `leafmodel.pipelines.proof` answers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from leafmodel.errors import PipelineError

AUTOTUNE = -1
ALL_CORES = 0


class Loader(StrEnum):
    """Who reads the files."""

    IMAGE_DATA_GENERATOR = "image_data_generator"
    TF_DATA = "tf_data"
    KERAS_DIRECTORY = "keras_directory"
    RESIDENT = "resident"
    FEATURES = "features"
    MEMORY_MAPPED = "memory_mapped"
    PY_DATASET = "py_dataset"
    GRAIN = "grain"
    GRAIN_DIRECTORY = "grain_directory"
    TORCH = "torch"

    @property
    def is_python(self) -> bool:
        """Whether workers of Python's read, decode and batch, outside tf.data."""
        return self in _PYTHON


class Workers(StrEnum):
    """What works in parallel: threads of one process, or processes."""

    THREADS = "threads"
    PROCESSES = "processes"


class Cache(StrEnum):
    """What is kept between epochs, before shuffle and augmentation: decoded images.

    `decoded` keeps them in memory, `file` in a file of the training's own. The shuffle behind a
    file holds them all in memory nevertheless; what is larger needs the loader `memory_mapped`.
    """

    NONE = "none"
    DECODED = "decoded"
    FILE = "file"


class Augment(StrEnum):
    """Where the claim's augmentation runs: nowhere, per image in the pipeline, in the model."""

    NONE = "none"
    PIPELINE = "pipeline"
    MODEL = "model"


class AugmentForm(StrEnum):
    """What augments: the claim's five Keras layers, or the one that resamples once for them."""

    STOCK = "stock"
    FUSED = "fused"


class Resize(StrEnum):
    """How an image of another size becomes `image_size` pixels."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


class Decode(StrEnum):
    """How large a JPEG is decoded: whole, or scaled by 1/2, 1/4 or 1/8 on the way.

    `target` takes the smallest of these that is not smaller than `image_size`; libjpeg then leaves
    out most of the inverse transform. Other formats are decoded whole.
    """

    FULL = "full"
    TARGET = "target"


class Delivers(StrEnum):
    """The type of the images in a batch; `uint8` is cast where the model runs."""

    FLOAT32 = "float32"
    UINT8 = "uint8"


@dataclass(frozen=True)
class PipelineSpec:
    """One input pipeline.

    Attributes:
        loader: who reads the files.
        map_parallelism: calls of each `map` in flight; 1 is sequential, `ALL_CORES` (0) as many as
            there are cores, `AUTOTUNE` (-1) whatever tf.data decides. Of a Python loader: workers.
        cache: what is kept between epochs.
        prefetch: batches made ahead of the model; 0 is none, `AUTOTUNE` (-1) tf.data's choice. Of a
            Python loader: batches that each worker makes ahead.
        augment: where the augmentation runs.
        augment_form: which Keras layers augment; `stock` where none do.
        autotune: whether tf.data may tune and rewrite the pipeline by itself.
        resize: interpolation used when an image has another size.
        feature_passes: for the loader `features`, how many passes of the images through the frozen
            backbone are kept; epochs take them in turn. Without augmentation all would be equal, so
            there is one; with it there are two or more, since a single one would freeze it.
        decode: how large a JPEG is decoded before it is resized.
        delivers: the type of the images that a batch hands to the model.
        workers: what works in parallel.
        service_workers: worker processes of a tf.data service that decode; 0 decodes in the process
            that trains.

    Raises:
        PipelineError: the combination cannot exist; the message names the axis to change.
    """

    loader: Loader = Loader.TF_DATA
    map_parallelism: int = 1
    cache: Cache = Cache.NONE
    prefetch: int = 0
    augment: Augment = Augment.PIPELINE
    augment_form: AugmentForm = AugmentForm.STOCK
    autotune: bool = False
    resize: Resize = Resize.BILINEAR
    feature_passes: int = 0
    decode: Decode = Decode.FULL
    delivers: Delivers = Delivers.FLOAT32
    workers: Workers = Workers.THREADS
    service_workers: int = 0

    def __post_init__(self) -> None:
        self._check_ranges()
        if self.loader.is_python:
            from leafmodel.pipelines.python_rules import check  # it needs this module

            check(self)
        else:
            _check_loader(self)
        _check_feature_passes(self)
        _check_augment_form(self)
        _check_delivers(self)
        _check_service(self)
        if not self.autotune and AUTOTUNE in (self.map_parallelism, self.prefetch):
            raise PipelineError(
                "map_parallelism or prefetch is 'autotune' while autotune is off: "
                "give a number, or set autotune=true."
            )

    def _check_ranges(self) -> None:
        for axis in ("map_parallelism", "prefetch", "feature_passes", "service_workers"):
            value, named = getattr(self, axis), axis in NAMED_COUNTS
            if value < (AUTOTUNE if named else 0):
                choice = ", or 'autotune'" if named else ""
                raise PipelineError(f"{axis} must be a count of 0 or more{choice}; found {value}.")

    def evolve(self, **axes: Any) -> PipelineSpec:
        """The same pipeline with some axes changed; checked like any other."""
        return replace(self, **axes)

    def without_augmentation(self) -> PipelineSpec:
        """The same pipeline, augmenting nowhere."""
        return self.evolve(
            augment=Augment.NONE,
            augment_form=AugmentForm.STOCK,
            feature_passes=min(1, self.feature_passes),
        )

    @property
    def needs_frozen_backbone(self) -> bool:
        """Whether it only works while an image's features never change."""
        return self.loader is Loader.FEATURES

    @property
    def is_on_device(self) -> bool:
        """Whether the device holds what the steps use, so that no pipeline runs."""
        return self.loader in (Loader.RESIDENT, Loader.FEATURES)


def require(spec: PipelineSpec, why: str, **expected: tuple[object, ...]) -> None:
    """Refuse a pipeline whose loader cannot have a value of an axis.

    Raises:
        PipelineError: says why, and what the axis can be.
    """
    for axis, allowed in expected.items():
        found = getattr(spec, axis)
        if found not in allowed:
            choices = " or ".join(axis_text(axis, value) for value in allowed)
            raise PipelineError(
                f"loader={spec.loader} cannot have {axis}={axis_text(axis, found)}: {why}; "
                f"set {axis}={choices}, or choose another loader."
            )


def _check_loader(spec: PipelineSpec) -> None:
    require(spec, "it works with threads", workers=(Workers.THREADS,))
    check = _LOADER_CHECKS.get(spec.loader)
    if check is not None:
        check(spec)


def _check_image_data_generator(spec: PipelineSpec) -> None:
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


def _check_keras_directory(spec: PipelineSpec) -> None:
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


def _check_on_device(spec: PipelineSpec) -> None:
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


def _check_memory_mapped(spec: PipelineSpec) -> None:
    require(
        spec,
        "its file holds the decoded images already, and whole batches are read from it",
        cache=(Cache.NONE,),
        augment=(Augment.MODEL, Augment.NONE),
    )


# Loaders that decode by code of their own and hand over what Keras or the device makes of it.
OTHERS_OWN_DECODING: Mapping[str, tuple[object, ...]] = {
    "decode": (Decode.FULL,),
    "delivers": (Delivers.FLOAT32,),
}


def _check_feature_passes(spec: PipelineSpec) -> None:
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


def _check_augment_form(spec: PipelineSpec) -> None:
    if spec.augment is Augment.NONE and spec.augment_form is not AugmentForm.STOCK:
        raise PipelineError(
            f"augment_form={spec.augment_form} says how to augment, and augment=none that nothing "
            f"does: set augment_form={AugmentForm.STOCK}, or augment={Augment.MODEL}."
        )


def _check_delivers(spec: PipelineSpec) -> None:
    if spec.delivers is Delivers.UINT8 and spec.augment is Augment.PIPELINE:
        raise PipelineError(
            f"augment={Augment.PIPELINE} makes float32 images, so they cannot be delivered as "
            f"{Delivers.UINT8}: set delivers={Delivers.FLOAT32}, or augment={Augment.MODEL}."
        )


def _check_service(spec: PipelineSpec) -> None:
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


_PYTHON = (Loader.PY_DATASET, Loader.GRAIN, Loader.GRAIN_DIRECTORY, Loader.TORCH)
_LOADER_CHECKS = {
    Loader.IMAGE_DATA_GENERATOR: _check_image_data_generator,
    Loader.KERAS_DIRECTORY: _check_keras_directory,
    Loader.RESIDENT: _check_on_device,
    Loader.FEATURES: _check_on_device,
    Loader.MEMORY_MAPPED: _check_memory_mapped,
}

NAMED_COUNTS = {
    "map_parallelism": {"autotune": AUTOTUNE, "cores": ALL_CORES, "sequential": 1},
    "prefetch": {"autotune": AUTOTUNE},
}


def axis_text(axis: str, value: object) -> str:
    """The value of an axis as a person writes it (`cores`, `autotune`, `2`, `true`)."""
    if isinstance(value, bool):
        return str(value).lower()
    for name, count in NAMED_COUNTS.get(axis, {}).items():
        if value == count:
            return name
    return str(value)
