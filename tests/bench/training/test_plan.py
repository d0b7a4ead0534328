from __future__ import annotations

import pytest

from bench.errors import ConfigError
from bench.training.plan import (
    Places,
    request,
    require_possible,
    training_phases,
    training_seed,
)
from leafmodel.errors import ModelError
from tests.bench.training.samples import config, data

PLACES = Places("files.json", "work", "folder", "tensorboard", "start.keras")


@pytest.mark.parametrize(
    ("wanted", "plan"),
    [
        (("cnn",), ("cnn",)),
        (("finetune",), ("transfer", "finetune")),
        (("finetune", "transfer"), ("transfer", "finetune")),
        (("finetune", "finetune+ranger"), ("transfer", "finetune", "finetune+ranger")),
        (("cnn", "improved"), ("cnn", "transfer+mish", "improved")),
        (("finetune", "improved"), ("transfer", "finetune", "transfer+mish", "improved")),
    ],
)
def test_what_a_phase_continues_is_trained_before_it_once(
    wanted: tuple[str, ...], plan: tuple[str, ...]
) -> None:
    assert training_phases(wanted) == plan


def test_a_request_says_what_would_make_another_training() -> None:
    asked = request(config(seed=3), "improved", data(), {"keras": "3.15.1"}, PLACES)
    assert asked.identity["seed"] == "3"
    assert asked.identity["images"] == "f00d"
    assert asked.identity["backbone"] == "efficientnet_lite0"
    assert asked.identity["keras"] == "3.15.1"
    assert asked.identity["tensorflow"] == "none"
    assert (asked.backbone, asked.start, asked.image_size) == (
        "efficientnet_lite0",
        "start.keras",
        224,
    )


def test_a_phase_has_its_own_image_size_and_no_backbone_where_it_needs_none() -> None:
    assert request(config(), "finetune+input_380", data(), {}, PLACES).image_size == 380
    assert request(config(), "cnn", data(), {}, PLACES).backbone == ""


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"phases": ("transform",)}, ModelError, "Unknown phase 'transform'"),
        ({"variant": "fast"}, ConfigError, "Unknown variant 'fast'"),
        ({"variant": "feature_cache"}, ConfigError, "and cnn has none"),
        ({"backbone": "efficientnet_b9"}, ModelError, "Unknown backbone 'efficientnet_b9'"),
        ({"weights": "noisy.h5"}, ModelError, "found no such file"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(
    changes: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        require_possible(config(**changes))


def test_a_training_without_backbone_asks_for_none() -> None:
    require_possible(config(phases=("cnn",), backbone="no such thing"))
    require_possible(config(phases=("transfer",), variant="feature_cache"))


def test_a_continuing_phase_does_not_see_the_same_augmented_images_again() -> None:
    assert training_seed(0, "transfer") != training_seed(0, "finetune")
    assert training_seed(0, "cnn") == training_seed(0, "transfer")
    assert training_seed(1, "finetune") != training_seed(0, "finetune")
    assert request(config(seed=3), "finetune", data(), {}, PLACES).split_seed == 3
