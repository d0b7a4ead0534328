from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from bench.variants import VARIANTS
from leafmodel.data.folder import scan
from leafmodel.pipelines.build import build
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.training.phases import PHASES
from leafmodel.training.train import Trainee, assemble, fit
from tests.installed import variants


@pytest.fixture
def given(make_folder: Callable[..., Path], tmp_path: Path) -> PipelineInput:
    folder = scan(make_folder({"ash": 6, "elm": 6}, size=32))
    return PipelineInput(folder.training, folder.class_names, 4, 32, 5, tmp_path / "work")


def _assembled(name: str, given: PipelineInput) -> tuple[Pipeline, Trainee]:
    keras.utils.set_random_seed(0)
    pipeline = build(VARIANTS[name].pipeline, given)
    return pipeline, assemble(PHASES["cnn"], pipeline, given)


@pytest.mark.parametrize(
    "name",
    variants(
        [
            *("default", "plain", "in_model", "fused_model", "resident", "keras_stock"),
            *("uint8_model", "decode_to_target", "file_cache", "memory_mapped_fused"),
            *("py_dataset", "py_dataset_processes", "grain", "grain_keras", "torch_loader"),
        ]
    ),
)
def test_every_loader_trains_the_network_that_is_evaluated(name: str, given: PipelineInput) -> None:
    pipeline, trainee = _assembled(name, given)
    before = [weights.copy() for weights in trainee.network.get_weights()]
    fit(trainee, pipeline, epochs=1)
    after = trainee.network.get_weights()
    assert any(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))


def test_the_same_seed_starts_from_the_same_weights(given: PipelineInput) -> None:
    _, one = _assembled("in_model", given)
    _, other = _assembled("plain", given)
    for a, b in zip(one.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
