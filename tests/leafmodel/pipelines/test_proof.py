"""The proof on real pipelines: every variant passes, and planted lies are caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bench.variants import VARIANTS, variant
from leafmodel.augment import stock_augmentation
from leafmodel.data.folder import ImageFile
from leafmodel.pipelines import build as builders
from leafmodel.pipelines import proof, tf_data
from leafmodel.pipelines.facts import ProofStatus
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.proof import Proof, prove
from leafmodel.pipelines.spec import (
    Augment,
    AugmentForm,
    Cache,
    Decode,
    Delivers,
    PipelineSpec,
)
from tests.installed import variants

Given = Callable[..., PipelineInput]
Plant = Callable[[PipelineSpec, PipelineInput], Pipeline]


def _status(found: Proof, check: str) -> ProofStatus:
    return next(item.status for item in found.checks if item.check == check)


def _failed(found: Proof) -> set[str]:
    return {item.check for item in found.checks if item.status is ProofStatus.FAILED}


@pytest.mark.parametrize("name", variants())
def test_every_listed_variant_is_what_it_says(name: str, given: Given) -> None:
    found = prove(VARIANTS[name].pipeline, given())
    assert _failed(found) == set()
    assert found.images_checked == 10


def test_the_default_has_a_prefetch_that_keras_hides(given: Given) -> None:
    assert _status(prove(VARIANTS["default"].pipeline, given()), "hidden prefetch") is (
        ProofStatus.DIFFERS
    )


def test_the_default_augments_in_a_form_of_its_own(given: Given) -> None:
    default = VARIANTS["default"].pipeline
    assert _status(prove(default, given()), "augmentation form") is ProofStatus.DIFFERS
    bare = prove(default.evolve(augment=Augment.NONE), given())
    assert "augmentation form" not in {check.check for check in bare.checks}


@pytest.mark.parametrize("name", ["fused_model", "fused_pipeline"])
def test_the_fused_form_differs_on_purpose(name: str, given: Given) -> None:
    found = prove(VARIANTS[name].pipeline, given())
    assert _status(found, "augmentation form") is ProofStatus.DIFFERS
    assert _status(found, "resamplings by augmentation") is ProofStatus.OK


def test_nearest_resampling_differs_on_purpose(given: Given) -> None:
    found = prove(VARIANTS["default"].pipeline, given(file_size=40))
    assert _failed(found) == set()


@pytest.mark.parametrize("name", ["decode_to_target", "memory_mapped+decode=target"])
def test_decoding_to_the_target_differs_on_purpose(name: str, given: Given) -> None:
    check = "pixels of decoding to the target"
    scaled = prove(variant(name).pipeline, given(image_size=16, file_size=40))
    assert _failed(scaled) == set()
    assert _status(scaled, check) is ProofStatus.DIFFERS
    same = prove(variant(name).pipeline, given(image_size=16, file_size=16))
    assert _status(same, check) is ProofStatus.OK


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[Plant], None]:
    """Lets `prove` build a pipeline that is not what its spec says."""

    def with_builder(builder: Plant) -> None:
        monkeypatch.setattr(proof, "build", builder)

    return with_builder


def _rebuilt(dataset: Any, front: Any = ()) -> Pipeline:
    return Pipeline(source=dataset, front=front, drain=lambda: iter(dataset), dataset=dataset)


def test_a_frozen_order_is_caught(given: Given, plant: Callable[[Plant], None]) -> None:
    def frozen(spec: PipelineSpec, inputs: PipelineInput) -> Pipeline:
        honest = builders.build(spec, inputs)
        return _rebuilt(honest.dataset.cache().with_options(tf_data.options(spec)))

    plant(frozen)
    failed = _failed(prove(PipelineSpec(), given()))
    assert {"another order in the next epoch", "nothing random before the cache"} <= failed
    assert "augmentation differs between epochs" in failed


@pytest.mark.parametrize("place", [Augment.PIPELINE, Augment.MODEL])
@pytest.mark.parametrize("form", list(AugmentForm))
def test_the_other_form_of_augmentation_is_caught(
    place: Augment, form: AugmentForm, given: Given, plant: Callable[[Plant], None]
) -> None:
    said = PipelineSpec(augment=place, augment_form=form)
    (other,) = set(AugmentForm) - {form}

    def mistaken(spec: PipelineSpec, inputs: PipelineInput) -> Pipeline:
        same = spec.augment is Augment.NONE
        return builders.build(spec if same else spec.evolve(augment_form=other), inputs)

    plant(mistaken)
    assert _failed(prove(said, given())) == {"resamplings by augmentation"}


def test_augmentation_in_both_places_is_caught(
    given: Given, plant: Callable[[Plant], None]
) -> None:
    def twice(spec: PipelineSpec, inputs: PipelineInput) -> Pipeline:
        honest = builders.build(spec, inputs)
        return replace(honest, front=stock_augmentation(inputs.seed))

    plant(twice)
    assert "resamplings by augmentation" in _failed(prove(PipelineSpec(), given()))


def test_a_dropped_file_is_caught(given: Given, plant: Callable[[Plant], None]) -> None:
    def lossy(spec: PipelineSpec, inputs: PipelineInput) -> Pipeline:
        return builders.build(spec, replace(inputs, files=tuple(inputs.files)[:-1]))

    plant(lossy)
    failed = _failed(prove(PipelineSpec(), given()))
    assert {"every file once an epoch", "labels per epoch", "pixels before augmentation"} <= failed


def test_swapped_labels_are_caught(given: Given, plant: Callable[[Plant], None]) -> None:
    def swapped(spec: PipelineSpec, inputs: PipelineInput) -> Pipeline:
        files = tuple(ImageFile(file.path, 0) for file in inputs.files)
        return builders.build(spec, replace(inputs, files=files))

    plant(swapped)
    assert "labels per epoch" in _failed(prove(PipelineSpec(), given()))


def test_other_pixels_are_caught(given: Given, plant: Callable[[Plant], None]) -> None:
    def scaled(spec: PipelineSpec, inputs: PipelineInput) -> Pipeline:
        honest = builders.build(spec, inputs)

        def drain() -> Iterator[tuple[Any, Any]]:
            return ((images / 255.0, labels) for images, labels in honest.drain())

        return replace(honest, drain=drain)

    plant(scaled)
    assert "pixels before augmentation" in _failed(prove(PipelineSpec(), given()))


@pytest.mark.parametrize("said", list(Delivers))
def test_another_type_of_images_is_caught(
    said: Delivers, given: Given, plant: Callable[[Plant], None]
) -> None:
    (other,) = set(Delivers) - {said}

    def mistaken(spec: PipelineSpec, inputs: PipelineInput) -> Pipeline:
        return builders.build(spec.evolve(delivers=other), inputs)

    plant(mistaken)
    spec = PipelineSpec(augment=Augment.MODEL, delivers=said)
    assert _failed(prove(spec, given())) == {"type of delivered images"}


def test_a_cache_in_memory_that_was_to_be_a_file_is_caught(
    given: Given, plant: Callable[[Plant], None]
) -> None:
    def mistaken(spec: PipelineSpec, inputs: PipelineInput) -> Pipeline:
        return builders.build(spec.evolve(cache=Cache.DECODED), inputs)

    plant(mistaken)
    assert _failed(prove(PipelineSpec(cache=Cache.FILE), given())) == {"cache"}


def test_another_image_of_the_same_brightness_is_caught(
    given: Given, plant: Callable[[Plant], None]
) -> None:
    def mirrored(spec: PipelineSpec, inputs: PipelineInput) -> Pipeline:
        honest = builders.build(spec, inputs)

        def drain() -> Iterator[tuple[Any, Any]]:
            return ((tf.reverse(images, [-1]), labels) for images, labels in honest.drain())

        return replace(honest, drain=drain)

    plant(mirrored)
    failed = _failed(prove(PipelineSpec(decode=Decode.TARGET), given()))
    assert failed == {"pixels of decoding to the target"}


def test_an_autotuner_that_was_to_be_off_is_caught(
    given: Given, plant: Callable[[Plant], None]
) -> None:
    def tuned(spec: PipelineSpec, inputs: PipelineInput) -> Pipeline:
        options = tf.data.Options()
        options.autotune.enabled = True
        return _rebuilt(builders.build(spec, inputs).dataset.with_options(options))

    plant(tuned)
    assert "autotuner" in _failed(prove(PipelineSpec(augment=Augment.NONE), given()))


def test_a_proof_looks_at_a_sample_of_a_large_set(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "MOST_FILES", 6)
    found = prove(PipelineSpec(), given())
    assert found.images_checked == 6
    assert "shuffle(buffer 10)" in found.stages  # the graph is that of the whole set


def test_the_sample_of_files_has_means_that_tell_them_apart(given: Given) -> None:
    inputs = given()
    means = [round(float(np.mean(image)), 1) for image in proof.decode_all(inputs)]
    assert len(set(means)) > 5
