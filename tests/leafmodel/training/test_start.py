"""A head trained on cached features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from leafmodel.data.folder import scan
from leafmodel.errors import PipelineError, WeightsError
from leafmodel.models.network import BackboneChoice, build
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.training.phases import phase
from leafmodel.training.start import train_start
from leafmodel.training.train import continue_from

BARE = BackboneChoice("efficientnet_lite0", "none")


@pytest.fixture
def given(make_folder: Callable[..., Path], tmp_path: Path) -> PipelineInput:
    folder = scan(make_folder({"ash": 4, "elm": 4}, size=32))
    return PipelineInput(folder.training, folder.class_names, 4, 32, 5, tmp_path / "work")


def test_a_start_trains_the_head_and_not_the_backbone(given: PipelineInput) -> None:
    keras.utils.set_random_seed(0)
    told: list[int] = []
    network = train_start("transfer", given, BARE, 3, told.append)
    assert told == [1, 2, 3]
    assert network.output_shape == (None, 2)
    keras.utils.set_random_seed(0)
    fresh = build(phase("transfer"), 32, 2, BARE)
    for part, moves in (("efficientnet_lite0", False), ("head", True)):
        before, after = fresh.whole.get_layer(part), network.get_layer(part)
        same = all(
            np.array_equal(a, b)
            for a, b in zip(before.get_weights(), after.get_weights(), strict=True)
        )
        assert same is not moves


def test_a_phase_that_trains_its_backbone_is_no_start(given: PipelineInput) -> None:
    with pytest.raises(PipelineError, match="need a frozen backbone"):
        train_start("finetune", given, BARE, 1, lambda _epoch: None)


def test_weights_of_other_classes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "transfer.weights.h5"
    build(phase("transfer"), 32, 3, BARE).whole.save_weights(path)
    with pytest.raises(WeightsError, match=r"does not fit this network .* other classes"):
        continue_from(build(phase("finetune"), 32, 2, BARE).whole, path)
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="does not fit this network"):
        continue_from(build(phase("finetune"), 32, 2, BARE).whole, path)
    with pytest.raises(WeightsError, match="found no file: train the phase before"):
        continue_from(build(phase("finetune"), 32, 2, BARE).whole, tmp_path / "none")
