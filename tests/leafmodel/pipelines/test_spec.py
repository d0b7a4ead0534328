from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafmodel.errors import PipelineError
from leafmodel.pipelines.axes import axes, parse_axis
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
    Workers,
    axis_text,
)

MINE = {
    "loader": Loader.PY_DATASET,
    "map_parallelism": ALL_CORES,
    "prefetch": 2,
    "augment": Augment.MODEL,
}


@pytest.mark.parametrize(
    ("axes", "axis", "mend"),
    [
        ({"loader": Loader.IMAGE_DATA_GENERATOR, "prefetch": 2}, "prefetch=2", "prefetch=0"),
        (
            {"loader": Loader.IMAGE_DATA_GENERATOR, "map_parallelism": ALL_CORES},
            "map_parallelism=cores",
            "map_parallelism=sequential",
        ),
        (
            {"loader": Loader.RESIDENT, "augment": Augment.MODEL, "cache": Cache.DECODED},
            "cache=decoded",
            "cache=none",
        ),
        ({"workers": Workers.PROCESSES}, "workers=processes: it works with threads", "threads"),
        ({**MINE, "cache": Cache.DECODED}, "cache=decoded", "set cache=none"),
        ({**MINE, "decode": Decode.TARGET}, "decode=target", "set decode=full"),
        ({**MINE, "prefetch": 0}, "prefetch=0", "set prefetch=1 or more"),
        ({**MINE, "map_parallelism": AUTOTUNE}, "autotune is off", "give a number"),
        ({**MINE, "map_parallelism": 1}, "a single worker", "map_parallelism=cores, or a count"),
        (
            {**MINE, "augment": Augment.PIPELINE, "augment_form": AugmentForm.FUSED},
            "augment_form=fused: its workers augment with SciPy",
            "set augment_form=stock",
        ),
        ({**MINE, "loader": Loader.TORCH}, "workers=threads", "set workers=processes"),
        ({**MINE, "loader": Loader.GRAIN_DIRECTORY}, "map_parallelism=cores", "=16"),
        ({"loader": Loader.RESIDENT}, "augment=pipeline", "augment=model or none"),
        ({"loader": Loader.KERAS_DIRECTORY}, "map_parallelism=sequential", "autotune"),
        (
            {"loader": Loader.IMAGE_DATA_GENERATOR, "augment_form": AugmentForm.FUSED},
            "augment_form=fused: it augments with SciPy, which resamples once already",
            "set augment_form=stock",
        ),
        (
            {"augment": Augment.NONE, "augment_form": AugmentForm.FUSED},
            "augment_form=fused says how to augment",
            "set augment_form=stock, or augment=model",
        ),
        (
            {"delivers": Delivers.UINT8},
            "augment=pipeline makes float32 images",
            "set delivers=float32, or augment=model",
        ),
        (
            {"loader": Loader.MEMORY_MAPPED, "augment": Augment.MODEL, "cache": Cache.FILE},
            "cache=file: its file holds the decoded images already",
            "set cache=none",
        ),
        ({"loader": Loader.MEMORY_MAPPED}, "augment=pipeline", "augment=model or none"),
        (
            {"loader": Loader.IMAGE_DATA_GENERATOR, "decode": Decode.TARGET},
            "decode=target",
            "set decode=full",
        ),
        (
            {"loader": Loader.RESIDENT, "augment": Augment.MODEL, "delivers": Delivers.UINT8},
            "delivers=uint8",
            "set delivers=float32",
        ),
    ],
)
def test_an_impossible_combination_names_the_axis_and_the_mend(
    axes: dict[str, object], axis: str, mend: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        PipelineSpec(**axes)  # type: ignore[arg-type]
    assert axis in str(caught.value)
    assert mend in str(caught.value)


def test_autotuned_counts_need_the_autotuner() -> None:
    with pytest.raises(PipelineError, match="autotune is off"):
        PipelineSpec(prefetch=AUTOTUNE)
    assert PipelineSpec(prefetch=AUTOTUNE, autotune=True).prefetch == AUTOTUNE


@pytest.mark.parametrize("axis", ["map_parallelism", "prefetch"])
def test_counts_below_autotune_are_refused(axis: str) -> None:
    with pytest.raises(PipelineError, match=f"{axis} must be a count of 0 or more"):
        PipelineSpec(**{axis: -2})  # type: ignore[arg-type]


def test_evolve_checks_like_any_other_spec() -> None:
    resident = PipelineSpec(loader=Loader.RESIDENT, augment=Augment.MODEL)
    with pytest.raises(PipelineError, match="resident cannot have prefetch=2"):
        resident.evolve(prefetch=2)


@pytest.mark.parametrize(
    ("axis", "text", "value"),
    [
        ("loader", "tf_data", Loader.TF_DATA),
        ("augment_form", "fused", AugmentForm.FUSED),
        ("cache", "decoded", Cache.DECODED),
        ("cache", "file", Cache.FILE),
        ("decode", "target", Decode.TARGET),
        ("delivers", "uint8", Delivers.UINT8),
        ("workers", "processes", Workers.PROCESSES),
        ("autotune", "true", True),
        ("map_parallelism", "cores", ALL_CORES),
        ("map_parallelism", "sequential", 1),
        ("prefetch", "autotune", AUTOTUNE),
        ("prefetch", "8", 8),
    ],
)
def test_parse_axis(axis: str, text: str, value: object) -> None:
    assert parse_axis(axis, text) == value


@pytest.mark.parametrize(
    ("axis", "text", "says"),
    [
        ("cache", "disk", "cache must be one of none, decoded, file; found 'disk'"),
        ("prefetch", "-1", "prefetch must be a count or one of autotune; found '-1'"),
        ("autotune", "yes", "autotune must be one of true, false"),
        ("speed", "7x", "There is no axis 'speed'; expected one of: loader, map_parallelism"),
    ],
)
def test_parse_axis_says_what_there_is(axis: str, text: str, says: str) -> None:
    with pytest.raises(PipelineError, match=says.replace("(", r"\(")):
        parse_axis(axis, text)


@given(st.sampled_from(["map_parallelism", "prefetch"]), st.integers(-1, 10_000))
def test_text_of_a_count_parses_back(axis: str, count: int) -> None:
    assert parse_axis(axis, axis_text(axis, count)) == count


@given(st.sampled_from(list(Augment)))
def test_text_of_a_choice_parses_back(value: Augment) -> None:
    assert parse_axis("augment", axis_text("augment", value)) is value


def test_the_form_is_stock_unless_said_otherwise() -> None:
    assert PipelineSpec().augment_form is AugmentForm.STOCK
    generator = PipelineSpec(loader=Loader.IMAGE_DATA_GENERATOR, augment=Augment.MODEL)
    assert generator.evolve(augment_form=AugmentForm.FUSED).augment is Augment.MODEL


def test_without_augmentation_no_form_is_left() -> None:
    fused = PipelineSpec(augment=Augment.MODEL, augment_form=AugmentForm.FUSED)
    assert fused.without_augmentation() == PipelineSpec(augment=Augment.NONE)


def test_bytes_may_be_delivered_where_nothing_is_augmented() -> None:
    bytes_ = PipelineSpec(augment=Augment.MODEL, delivers=Delivers.UINT8)
    assert bytes_.without_augmentation().delivers is Delivers.UINT8


def test_axes_lists_every_axis_with_what_it_takes() -> None:
    listed = axes()
    assert list(listed) == [field.name for field in fields(PipelineSpec)]
    assert listed["cache"] == "none, decoded, file"
    assert listed["decode"] == "full, target"
    assert listed["prefetch"] == "a count, autotune"
    assert listed["map_parallelism"] == "a count, autotune, cores, sequential"
