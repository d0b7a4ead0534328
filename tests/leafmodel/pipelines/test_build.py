"""Every loader: shapes, types, files, and what is at the model's front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.variants import VARIANTS
from leafmodel.augment import FusedAugmentation
from leafmodel.data.folder import scan
from leafmodel.pipelines.build import build
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.resident import ResidentImages, build_ceiling, decode_all
from leafmodel.pipelines.spec import (
    ALL_CORES,
    AUTOTUNE,
    Augment,
    AugmentForm,
    Loader,
    PipelineSpec,
    Resize,
)
from leafmodel.pipelines.tf_data import evaluation_dataset, options, parallel_calls
from tests.installed import variants

Given = Callable[..., PipelineInput]
SLOW = ("grain_processes",)  # starts Python anew for each worker


@pytest.mark.parametrize("name", variants(without=SLOW))
def test_an_epoch_delivers_every_image_once(name: str, given: Given) -> None:
    pipeline = build(VARIANTS[name].pipeline, given())
    batches = list(pipeline.drain())
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    labels = np.concatenate([np.asarray(labels) for _, labels in batches])
    assert sorted(labels.tolist()) == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("name", variants(without=("resident", "feature_cache", *SLOW)))
def test_batches_are_images_of_the_wanted_size_and_type(name: str, given: Given) -> None:
    spec = VARIANTS[name].pipeline
    images, _ = next(build(spec, given(image_size=8)).drain())
    images = np.asarray(images)
    assert images.shape == (4, 8, 8, 3)
    assert images.dtype.name == str(spec.delivers)
    assert 1.0 < images.max() <= 255.0


def test_augmentation_in_the_model_stands_at_its_front(given: Given) -> None:
    in_model = build(PipelineSpec(augment=Augment.MODEL), given())
    assert [type(layer).__name__ for layer in in_model.front] == [
        "RandomFlip",
        "RandomTranslation",
        "RandomRotation",
        "RandomZoom",
        "RandomContrast",
    ]
    assert build(PipelineSpec(augment=Augment.PIPELINE), given()).front == ()
    assert build(PipelineSpec(augment=Augment.NONE), given()).front == ()


@pytest.mark.parametrize(
    "name", ["default", "in_model", "resident", "keras_stock", "memory_mapped"]
)
def test_the_fused_form_is_one_layer_of_every_loader_that_augments_in_the_model(
    name: str, given: Given
) -> None:
    spec = VARIANTS[name].pipeline.evolve(augment=Augment.MODEL, augment_form=AugmentForm.FUSED)
    inputs = given()
    augmenting = [
        layer for layer in build(spec, inputs).front if not isinstance(layer, ResidentImages)
    ]
    assert [type(layer) for layer in augmenting] == [FusedAugmentation]
    assert augmenting[0].seed == inputs.seed


def test_a_ceiling_augments_in_the_form_of_its_spec(given: Given) -> None:
    spec = PipelineSpec(
        loader=Loader.RESIDENT, augment=Augment.MODEL, augment_form=AugmentForm.FUSED
    )
    held, augmenting = build_ceiling(spec, given()).front
    assert isinstance(held, ResidentImages)
    assert isinstance(augmenting, FusedAugmentation)


def test_the_same_seed_gives_the_same_order_and_another_one_another(given: Given) -> None:
    spec = PipelineSpec(augment=Augment.NONE)

    def first_epoch(seed: int) -> list[float]:
        pipeline = build(spec, replace(given(), seed=seed))
        return [float(value) for images, _ in pipeline.drain() for value in images[:, 0, 0, 0]]

    assert first_epoch(1) == first_epoch(1)
    assert first_epoch(1) != first_epoch(2)


def test_resident_images_are_loaded_when_the_first_epoch_begins(given: Given) -> None:
    inputs = given()
    pipeline = build(PipelineSpec(loader=Loader.RESIDENT, augment=Augment.MODEL), inputs)
    layer = pipeline.front[0]
    assert isinstance(layer, ResidentImages)
    assert not np.asarray(layer.images).any()
    for callback in pipeline.callbacks:
        callback.on_epoch_begin(0)
    np.testing.assert_array_equal(np.asarray(layer(np.array([7, 2]))), decode_all(inputs)[[7, 2]])


def test_the_ceiling_repeats_one_batch_with_the_batch_sizes_of_an_epoch(given: Given) -> None:
    pipeline = build_ceiling(PipelineSpec(loader=Loader.RESIDENT, augment=Augment.NONE), given())
    sizes = [len(labels) for _, labels in pipeline.drain()]
    first, *_ = [pipeline.front[0](index) for index, _ in pipeline.drain()]
    assert sizes == [4, 4, 2]
    np.testing.assert_array_equal(np.asarray(first), decode_all(given())[:4])


def test_an_explicit_pipeline_switches_off_what_tf_data_adds() -> None:
    chosen = options(PipelineSpec())
    assert chosen.autotune.enabled is False
    assert chosen.experimental_optimization.inject_prefetch is False
    assert chosen.experimental_optimization.apply_default_optimizations is False
    left_alone = options(PipelineSpec(prefetch=AUTOTUNE, autotune=True))
    assert left_alone.experimental_optimization.inject_prefetch is None


@pytest.mark.parametrize(("axis", "calls"), [(1, None), (3, 3), (AUTOTUNE, -1)])
def test_parallel_calls(axis: int, calls: int | None) -> None:
    assert parallel_calls(axis) == calls


def test_all_cores_is_never_sequential() -> None:
    calls = parallel_calls(ALL_CORES)
    assert calls is not None
    assert calls >= 2


def test_validation_images_come_in_order_and_unaugmented(given: Given) -> None:
    inputs = given()
    batches = list(evaluation_dataset(inputs))
    np.testing.assert_array_equal(
        np.concatenate([np.asarray(images) for images, _ in batches]), decode_all(inputs)
    )
    assert [int(v) for _, labels in batches for v in labels] == inputs.labels


@pytest.mark.parametrize("resize", list(Resize))
def test_another_size_is_resampled(resize: Resize, given: Given) -> None:
    spec = PipelineSpec(augment=Augment.NONE, resize=resize)
    images, _ = next(build(spec, given(image_size=8, file_size=16)).drain())
    assert images.shape == (4, 8, 8, 3)


@pytest.mark.parametrize(
    "name", ["default", "in_model", "resident", "keras_stock", "file_cache", "memory_mapped"]
)
def test_names_with_spaces_and_other_letters_are_no_obstacle(
    name: str, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = scan(make_folder({"Äpfel grün": 3, "葉 2": 3}, name="Blätter & mehr"))
    inputs = PipelineInput(folder.training, folder.class_names, 4, 16, 5, tmp_path / "wörk")
    labels = [
        label for _, batch in build(VARIANTS[name].pipeline, inputs).drain() for label in batch
    ]
    assert sorted(int(label) for label in labels) == [0, 0, 0, 1, 1, 1]
