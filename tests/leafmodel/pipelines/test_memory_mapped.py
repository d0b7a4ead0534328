"""The loader over a file of decoded images: made once, found again, never made in secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leafmodel.errors import PipelineError
from leafmodel.pipelines import tf_data
from leafmodel.pipelines.build import build
from leafmodel.pipelines.front import CastImages
from leafmodel.pipelines.memory_mapped import FOLDER
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.resident import decode_all
from leafmodel.pipelines.spec import ALL_CORES, Augment, Delivers, Loader, PipelineSpec

Given = Callable[..., PipelineInput]

SPEC = PipelineSpec(
    loader=Loader.MEMORY_MAPPED,
    map_parallelism=ALL_CORES,
    prefetch=2,
    augment=Augment.NONE,
    delivers=Delivers.UINT8,
)


def _begin(pipeline: Pipeline) -> None:
    for callback in pipeline.callbacks:
        callback.on_epoch_begin(0)


def _files(inputs: PipelineInput) -> list[Path]:
    return sorted((inputs.work / FOLDER).glob("*"))


def test_it_delivers_the_very_bytes_that_decoding_gives(given: Given) -> None:
    inputs = given()
    numbered = replace(inputs, files=tuple(replace(f, label=n) for n, f in enumerate(inputs.files)))
    expected = decode_all(inputs)
    for images, numbers in build(SPEC, numbered).drain():
        np.testing.assert_array_equal(np.asarray(images), expected[np.asarray(numbers)])


def test_nothing_is_made_before_the_first_epoch_begins(given: Given) -> None:
    inputs = given()
    pipeline = build(SPEC, inputs)
    assert not inputs.work.exists()
    assert pipeline.made_once() is None
    _begin(pipeline)
    assert len(_files(inputs)) == 1


def test_the_first_training_makes_the_file_and_the_next_one_finds_it(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = given()
    first = build(SPEC, inputs)
    _begin(first)
    made = first.made_once()
    assert made is not None
    assert not made.found
    assert made.build_ns > 0
    assert made.size_bytes == _files(inputs)[0].stat().st_size

    def decoded_again(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(tf_data, "decoded", decoded_again)
    second = build(SPEC.evolve(delivers=Delivers.FLOAT32, prefetch=0), replace(inputs, seed=9))
    assert len(list(second.drain())) == inputs.steps
    assert second.made_once() == replace(made, found=True)


def test_other_images_and_another_size_get_files_of_their_own(given: Given) -> None:
    inputs = given()
    _begin(build(SPEC, inputs))
    _begin(build(SPEC, replace(inputs, files=inputs.files[1:])))
    _begin(build(SPEC, replace(inputs, image_size=8)))
    assert len(_files(inputs)) == 3


def test_a_truncated_file_is_an_error_and_not_made_again_unasked(given: Given) -> None:
    inputs = given()
    _begin(build(SPEC, inputs))
    (path,) = _files(inputs)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PipelineError, match="was cut off"):
        _begin(build(SPEC, inputs))
    path.unlink()
    _begin(build(SPEC, inputs))
    assert len(_files(inputs)) == 1


def test_a_file_under_the_name_of_another_one_is_refused(given: Given) -> None:
    inputs = given()
    _begin(build(SPEC, inputs))
    (path,) = _files(inputs)
    others = replace(inputs, files=inputs.files[::-1])
    _begin(build(SPEC, others))
    (other,) = set(_files(inputs)) - {path}
    other.replace(path)
    with pytest.raises(PipelineError, match="holds other images"):
        build(SPEC, inputs).drain()


def test_the_model_casts_bytes_and_nothing_else(given: Given) -> None:
    assert [type(layer) for layer in build(SPEC, given()).front] == [CastImages]
    floats = build(SPEC.evolve(delivers=Delivers.FLOAT32), given())
    assert floats.front == ()
    images, _ = next(floats.drain())
    assert images.dtype.name == "float32"
