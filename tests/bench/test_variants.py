from __future__ import annotations

import pytest

from bench.errors import ConfigError
from bench.variants import VARIANTS, variant
from leafmodel.pipelines.spec import (
    ALL_CORES,
    Augment,
    AugmentForm,
    Cache,
    Decode,
    Delivers,
    Loader,
    Resize,
    Workers,
)


def test_the_listed_variants() -> None:
    assert list(VARIANTS) == [
        *("default", "plain", "parallel", "prefetch", "cache", "cache_prefetch"),
        *("in_model", "in_model_cache", "fused_model", "fused_pipeline", "fused_cache"),
        *("uint8_model", "decode_to_target", "file_cache", "memory_mapped", "memory_mapped_fused"),
        *("service", "resident", "feature_cache", "keras_stock", "autotuned", "autotuned_cache"),
        *("py_dataset", "py_dataset_processes", "grain", "grain_processes", "grain_keras"),
        "torch_loader",
    ]


@pytest.mark.parametrize(
    ("one", "other", "axes"),
    [
        ("plain", "parallel", {"map_parallelism": ALL_CORES}),
        ("parallel", "prefetch", {"prefetch": 2}),
        ("parallel", "cache", {"cache": Cache.DECODED}),
        ("prefetch", "cache_prefetch", {"cache": Cache.DECODED}),
        ("prefetch", "in_model", {"augment": Augment.MODEL}),
        ("in_model", "in_model_cache", {"cache": Cache.DECODED}),
        ("in_model", "fused_model", {"augment_form": AugmentForm.FUSED}),
        ("prefetch", "fused_pipeline", {"augment_form": AugmentForm.FUSED}),
        ("in_model_cache", "fused_cache", {"augment_form": AugmentForm.FUSED}),
        ("py_dataset", "py_dataset_processes", {"workers": Workers.PROCESSES}),
        ("in_model", "py_dataset", {"loader": Loader.PY_DATASET}),
        ("in_model", "grain", {"loader": Loader.GRAIN}),
        ("grain", "grain_processes", {"workers": Workers.PROCESSES}),
        ("grain_processes", "torch_loader", {"loader": Loader.TORCH}),
        ("autotuned", "autotuned_cache", {"cache": Cache.DECODED}),
        ("in_model", "uint8_model", {"delivers": Delivers.UINT8}),
        ("in_model", "decode_to_target", {"decode": Decode.TARGET}),
        ("in_model_cache", "file_cache", {"cache": Cache.FILE}),
        ("in_model", "memory_mapped", {"loader": Loader.MEMORY_MAPPED}),
        ("in_model", "service", {"service_workers": 2}),
    ],
)
def test_neighbours_differ_on_one_axis(one: str, other: str, axes: dict[str, object]) -> None:
    assert VARIANTS[one].pipeline.evolve(**axes) == VARIANTS[other].pipeline


def test_only_the_default_resamples_with_nearest() -> None:
    nearest = [v.name for v in VARIANTS.values() if v.pipeline.resize is Resize.NEAREST]
    assert nearest == ["default"]
    assert VARIANTS["default"].pipeline.loader is Loader.IMAGE_DATA_GENERATOR


def test_only_the_stock_data_set_is_autotuned() -> None:
    assert [v.name for v in VARIANTS.values() if v.pipeline.autotune] == [
        *("keras_stock", "autotuned", "autotuned_cache")
    ]


def test_a_variant_by_its_axes() -> None:
    wider = variant("in_model+prefetch=8+map_parallelism=4")
    assert wider.name == "in_model+prefetch=8+map_parallelism=4"
    assert wider.pipeline == VARIANTS["in_model"].pipeline.evolve(prefetch=8, map_parallelism=4)
    assert wider.summary == "in_model with prefetch=8, map_parallelism=4"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("in_modell", "Unknown variant 'in_modell'. Known: default, plain"),
        ("in_model+prefetch", "expected axis=value after '\\+', found 'prefetch'"),
        ("in_model+speed=7", "There is no axis 'speed'"),
        ("in_model+cache=ram", "cache must be one of none, decoded, file"),
        ("plain+delivers=uint8", "augment=pipeline makes float32.*set delivers=float32"),
        ("default+augment_form=fused", "SciPy, which resamples once already.*augment_form=stock"),
        ("cache+service_workers=2", "service_workers=2 cannot have cache=decoded.*set cache=none"),
        ("prefetch+service_workers=2", "cannot have augment=pipeline.*set augment=model or none"),
        ("default+service_workers=2", "cannot have loader=image_data.*or service_workers=0"),
        ("resident+cache=decoded", "cannot have cache=decoded.*set cache=none"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        variant(text)
