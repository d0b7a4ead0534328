"""The named variants, as points on the axes of `leafmodel.pipelines.spec`. Plain data.

A variant that is not listed can be written as a listed one with axes changed:
`in_model+prefetch=8`, `cache+map_parallelism=4`; and with the model executed otherwise, which is no
pipeline and is reported apart: `in_model+precision=mixed_bfloat16`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bench.errors import ConfigError
from leafmodel.errors import ModelError, PipelineError
from leafmodel.pipelines.axes import parse_axis
from leafmodel.pipelines.python_rules import GRAIN_THREADS
from leafmodel.pipelines.spec import (
    ALL_CORES,
    AUTOTUNE,
    Augment,
    AugmentForm,
    Cache,
    Decode,
    Delivers,
    Loader,
    PipelineSpec,
    Resize,
    Workers,
)
from leafmodel.training.execution import AS_USUAL, Execution
from leafmodel.training.execution import axes as execution_axes
from leafmodel.training.execution import parse as parse_execution


@dataclass(frozen=True)
class Variant:
    """A pipeline with a name and the sentence that introduces it.

    `execution` is how its model is executed; where that is not as usual, `usual` names the variant
    with the same pipeline that is.
    """

    name: str
    pipeline: PipelineSpec
    summary: str
    execution: Execution = AS_USUAL
    usual: str = ""


_LISTED = (
    Variant(
        "default",
        PipelineSpec(loader=Loader.IMAGE_DATA_GENERATOR, resize=Resize.NEAREST),
        "the course's default: ImageDataGenerator, one worker, SciPy augmentation on the CPU",
    ),
    Variant(
        "plain",
        PipelineSpec(),
        "tf.data, one image after the other, nothing hidden; Keras augmentation in the pipeline",
    ),
    Variant(
        "parallel",
        PipelineSpec(map_parallelism=ALL_CORES),
        "plain, with decoding and augmentation on all cores",
    ),
    Variant(
        "prefetch",
        PipelineSpec(map_parallelism=ALL_CORES, prefetch=2),
        "parallel, with two batches made ahead",
    ),
    Variant(
        "cache",
        PipelineSpec(map_parallelism=ALL_CORES, cache=Cache.DECODED),
        "parallel, with decoded images kept in memory",
    ),
    Variant(
        "cache_prefetch",
        PipelineSpec(map_parallelism=ALL_CORES, cache=Cache.DECODED, prefetch=2),
        "cache and prefetch together",
    ),
    Variant(
        "in_model",
        PipelineSpec(map_parallelism=ALL_CORES, prefetch=2, augment=Augment.MODEL),
        "what the claim proposes: prefetch, and augmentation inside the model",
    ),
    Variant(
        "in_model_cache",
        PipelineSpec(
            map_parallelism=ALL_CORES, cache=Cache.DECODED, prefetch=2, augment=Augment.MODEL
        ),
        "in_model, with decoded images kept in memory",
    ),
    Variant(
        "fused_model",
        PipelineSpec(
            map_parallelism=ALL_CORES,
            prefetch=2,
            augment=Augment.MODEL,
            augment_form=AugmentForm.FUSED,
        ),
        "in_model, with the five augmentation layers fused into one that resamples once",
    ),
    Variant(
        "fused_pipeline",
        PipelineSpec(map_parallelism=ALL_CORES, prefetch=2, augment_form=AugmentForm.FUSED),
        "prefetch, with that fused layer in the pipeline, on the CPU",
    ),
    Variant(
        "fused_cache",
        PipelineSpec(
            map_parallelism=ALL_CORES,
            cache=Cache.DECODED,
            prefetch=2,
            augment=Augment.MODEL,
            augment_form=AugmentForm.FUSED,
        ),
        "in_model_cache, with that fused layer in the model",
    ),
    Variant(
        "uint8_model",
        PipelineSpec(
            map_parallelism=ALL_CORES,
            prefetch=2,
            augment=Augment.MODEL,
            delivers=Delivers.UINT8,
        ),
        "in_model, with batches of bytes that the model casts: a quarter of the transfer",
    ),
    Variant(
        "decode_to_target",
        PipelineSpec(
            map_parallelism=ALL_CORES, prefetch=2, augment=Augment.MODEL, decode=Decode.TARGET
        ),
        "in_model, with JPEGs scaled by 1/2, 1/4 or 1/8 while they are decoded",
    ),
    Variant(
        "file_cache",
        PipelineSpec(
            map_parallelism=ALL_CORES, cache=Cache.FILE, prefetch=2, augment=Augment.MODEL
        ),
        "in_model_cache, with tf.data's cache in a file of the training's own",
    ),
    Variant(
        "memory_mapped",
        PipelineSpec(
            loader=Loader.MEMORY_MAPPED,
            map_parallelism=ALL_CORES,
            prefetch=2,
            augment=Augment.MODEL,
        ),
        "in_model from a memory-mapped file of decoded images, made once; may exceed memory",
    ),
    Variant(
        "memory_mapped_fused",
        PipelineSpec(
            loader=Loader.MEMORY_MAPPED,
            map_parallelism=ALL_CORES,
            prefetch=2,
            augment=Augment.MODEL,
            augment_form=AugmentForm.FUSED,
            delivers=Delivers.UINT8,
        ),
        "memory_mapped, delivering bytes to a model that casts and augments in one layer",
    ),
    Variant(
        "service",
        PipelineSpec(
            map_parallelism=ALL_CORES, prefetch=2, augment=Augment.MODEL, service_workers=2
        ),
        "in_model, decoded by two worker processes of a tf.data service, here or elsewhere",
    ),
    Variant(
        "resident",
        PipelineSpec(loader=Loader.RESIDENT, augment=Augment.MODEL),
        "decoded images held by the device; augmentation in the model; no pipeline at all",
    ),
    Variant(
        "feature_cache",
        PipelineSpec(loader=Loader.FEATURES, augment=Augment.NONE, feature_passes=1),
        "each image once through the frozen backbone, in the first epoch; no augmentation",
    ),
    Variant(
        "keras_stock",
        PipelineSpec(
            loader=Loader.KERAS_DIRECTORY,
            map_parallelism=AUTOTUNE,
            prefetch=AUTOTUNE,
            augment=Augment.MODEL,
            autotune=True,
        ),
        "image_dataset_from_directory as Keras ships it, autotuner on; augmentation in the model",
    ),
    Variant(
        "autotuned",
        PipelineSpec(
            map_parallelism=AUTOTUNE, prefetch=AUTOTUNE, augment=Augment.MODEL, autotune=True
        ),
        "in_model as the tf.data guide has it: parallelism and prefetch left to the autotuner",
    ),
    Variant(
        "autotuned_cache",
        PipelineSpec(
            map_parallelism=AUTOTUNE,
            cache=Cache.DECODED,
            prefetch=AUTOTUNE,
            augment=Augment.MODEL,
            autotune=True,
        ),
        "autotuned, with decoded images kept in memory",
    ),
    Variant(
        "py_dataset",
        PipelineSpec(
            loader=Loader.PY_DATASET,
            map_parallelism=ALL_CORES,
            prefetch=2,
            augment=Augment.MODEL,
        ),
        "in_model with Keras' PyDataset: a thread a core; Pillow decodes",
    ),
    Variant(
        "py_dataset_processes",
        PipelineSpec(
            loader=Loader.PY_DATASET,
            map_parallelism=ALL_CORES,
            prefetch=2,
            augment=Augment.MODEL,
            workers=Workers.PROCESSES,
        ),
        "py_dataset with use_multiprocessing: a process a core, forked anew for each epoch",
    ),
    Variant(
        "grain",
        PipelineSpec(
            loader=Loader.GRAIN, map_parallelism=ALL_CORES, prefetch=2, augment=Augment.MODEL
        ),
        "in_model with Grain's MapDataset: a thread a core; Pillow decodes",
    ),
    Variant(
        "grain_processes",
        PipelineSpec(
            loader=Loader.GRAIN,
            map_parallelism=ALL_CORES,
            prefetch=2,
            augment=Augment.MODEL,
            workers=Workers.PROCESSES,
        ),
        "grain with a worker process a core",
    ),
    Variant(
        "grain_keras",
        PipelineSpec(
            loader=Loader.GRAIN_DIRECTORY,
            map_parallelism=GRAIN_THREADS,
            augment=Augment.MODEL,
        ),
        'image_dataset_from_directory(format="grain") as Keras ships it: 16 threads, Pillow',
    ),
    Variant(
        "torch_loader",
        PipelineSpec(
            loader=Loader.TORCH,
            map_parallelism=ALL_CORES,
            prefetch=2,
            augment=Augment.MODEL,
            workers=Workers.PROCESSES,
        ),
        "in_model with PyTorch's DataLoader: a worker process a core; Pillow decodes",
    ),
)

VARIANTS: Mapping[str, Variant] = MappingProxyType({variant.name: variant for variant in _LISTED})


def variant(text: str) -> Variant:
    """The variant called `text`: a listed name, or `name+axis=value+axis=value`.

    An axis is one of the pipeline's, or of how the model is executed.

    Raises:
        ConfigError: unknown name, axis or value, or a combination that cannot exist.
    """
    listed = {name: known.pipeline for name, known in VARIANTS.items()}
    name, *changes = text.strip().split("+")
    executed = {c.partition("=")[0]: c.partition("=")[2] for c in changes if _is_execution(c)}
    usual = "+".join([name, *(change for change in changes if not _is_execution(change))])
    pipeline = pipeline_of(usual, listed)
    if not changes:
        return VARIANTS[name]
    try:
        execution = parse_execution(executed)
    except ModelError as error:
        raise ConfigError(f"Variant {text!r} cannot be: {error}") from error
    return Variant(
        text.strip(),
        pipeline,
        f"{name} with {', '.join(changes)}",
        execution,
        usual if execution != AS_USUAL else "",
    )


def pipeline_variant(text: str) -> Variant:
    """The same where only a pipeline is asked for.

    Raises:
        ConfigError: as above, or the text says how the model is executed.
    """
    found = variant(text)
    if found.execution != AS_USUAL:
        raise ConfigError(
            f"Variant {text!r} says how the model is executed, which leafbench run alone measures: "
            f"give {found.usual}."
        )
    return found


def says_execution(text: str) -> bool:
    """Whether a variant's text names an axis of execution."""
    return any(map(_is_execution, text.split("+")[1:]))


def _is_execution(change: str) -> bool:
    return change.partition("=")[0] in execution_axes()


def pipeline_of(text: str, listed: Mapping[str, PipelineSpec]) -> PipelineSpec:
    """What `text` stands for where these variants are listed.

    Raises:
        ConfigError: unknown name, axis or value, or a combination that cannot exist.
    """
    name, *changes = text.strip().split("+")
    if name not in listed:
        raise ConfigError(
            f"Unknown variant {name!r}. Known: {', '.join(listed)}. "
            "Another point on the axes is written name+axis=value, as in in_model+prefetch=8."
        )
    try:
        return listed[name].evolve(**dict(map(_parse_change, changes)))
    except PipelineError as error:
        raise ConfigError(f"Variant {text!r} cannot be: {error}") from error


def _parse_change(change: str) -> tuple[str, Any]:
    axis, separator, value = change.partition("=")
    if not separator:
        raise PipelineError(f"expected axis=value after '+', found {change!r}.")
    return axis, parse_axis(axis, value)
