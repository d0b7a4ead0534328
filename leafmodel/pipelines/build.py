"""From a spec to a pipeline: one builder a loader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from leafmodel.pipelines import (
    features,
    grain_directory,
    grain_loader,
    image_data_generator,
    keras_directory,
    memory_mapped,
    py_dataset,
    resident,
    service,
    tf_data,
    torch_loader,
)
from leafmodel.pipelines.extras import require_installed
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.spec import Loader, PipelineSpec

BUILDERS: Mapping[Loader, Callable[[PipelineSpec, PipelineInput], Pipeline]] = MappingProxyType(
    {
        Loader.IMAGE_DATA_GENERATOR: image_data_generator.build,
        Loader.TF_DATA: tf_data.build,
        Loader.KERAS_DIRECTORY: keras_directory.build,
        Loader.RESIDENT: resident.build,
        Loader.FEATURES: features.build,
        Loader.MEMORY_MAPPED: memory_mapped.build,
        Loader.PY_DATASET: py_dataset.build,
        Loader.GRAIN: grain_loader.build,
        Loader.GRAIN_DIRECTORY: grain_directory.build,
        Loader.TORCH: torch_loader.build,
    }
)


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """The pipeline that `spec` describes, over the given images.

    Raises:
        PipelineError: its loader is not installed, or it cannot be built over these images.
    """
    require_installed(spec)
    if spec.service_workers:
        return service.build(spec, given)
    return BUILDERS[spec.loader](spec, given)
