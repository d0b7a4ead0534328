"""The P100-class profile follows from the model's own layers and the assumptions that it states."""

from __future__ import annotations

import math
from typing import Any

import keras
import pytest

from bench.device_schema import Range
from bench.devices import device
from bench.values import Given
from leafmodel.models import cnn
from leafmodel.training.phases import phase

FLOP_PER_S, BYTES_PER_S = 9.3e12, 732e9  # as published; see the profile
BEST, WORST = (0.6, 0.8), (0.2, 0.5)  # shares of both that are assumed to be reached
PROFILE = device(Given("p100_class", "--device"))


@pytest.fixture(scope="module")
def layers() -> list[Any]:
    return list(cnn.build(phase("cnn"), 256, 14).layers)


def multiply_adds(layer: Any) -> int:
    """One for each weight and place of its output, biases apart."""
    places = math.prod(layer.output.shape[1:-1]) if isinstance(layer, keras.layers.Conv2D) else 1
    return places * math.prod(layer.kernel.shape)


def training_flop(layers: list[Any]) -> int:
    weighted = [item for item in layers if hasattr(item, "kernel")]
    every = [multiply_adds(item) for item in weighted]
    return 2 * (3 * sum(every) - every[0])


def activation_bytes(layers: list[Any]) -> int:
    convolutions = [item for item in layers if isinstance(item, keras.layers.Conv2D)]
    return 4 * sum(math.prod(item.output.shape[1:]) for item in convolutions)


def close(found: Range, low: float, high: float) -> None:
    assert found.low == pytest.approx(low, rel=5e-3)
    assert found.high == pytest.approx(high, rel=5e-3)


def test_the_time_of_an_image_is_arithmetic_and_memory_traffic(layers: list[Any]) -> None:
    def seconds(shares: tuple[float, float], passes: int) -> float:
        arithmetic = training_flop(layers) / (shares[0] * FLOP_PER_S)
        return arithmetic + passes * activation_bytes(layers) / (shares[1] * BYTES_PER_S)

    (step,) = PROFILE.steps
    close(step.cost.image_s, seconds(BEST, 18), seconds(WORST, 22))


def test_the_time_of_a_step_is_the_optimiser_and_the_launches(layers: list[Any]) -> None:
    parameters = sum(math.prod(weight.shape) for item in layers for weight in item.weights)

    def seconds(share: float, launches: int, launch_s: float) -> float:
        return 7 * 4 * parameters / (share * BYTES_PER_S) + launches * launch_s

    (step,) = PROFILE.steps
    close(step.cost.step_s, seconds(0.8, 100, 5e-6), seconds(0.5, 400, 10e-6))


def test_augmentation_goes_over_the_image_a_few_times() -> None:
    image = 256 * 256 * 3 * 4
    for form, fewest, most in (("stock", 11, 20), ("fused", 5, 8)):
        found = PROFILE.augmentation[form].image_s  # type: ignore[index]
        close(found, fewest * image / (0.8 * BYTES_PER_S), most * image / (0.3 * BYTES_PER_S))
