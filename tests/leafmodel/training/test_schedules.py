from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafmodel.training.optimisers import optimiser_of
from leafmodel.training.phases import phase
from leafmodel.training.schedules import Cyclical, learning_rate_of, plateau


def _smith(step: int, base: float, top: float, half: int, halving: bool) -> float:
    """The code of Smith's section 3.1, with the amplitude of triangular2."""
    cycle = math.floor(1 + step / (2 * half))
    x = abs(step / half - 2 * cycle + 1)
    amplitude = (top - base) / 2 ** (cycle - 1) if halving else top - base
    return base + amplitude * max(0, 1 - x)


@settings(max_examples=60, deadline=None)
@given(
    half=st.integers(1, 500),
    cycles=st.floats(0, 6),
    top=st.floats(1e-6, 1),
    halving=st.booleans(),
)
def test_it_is_smiths_formula(half: int, cycles: float, top: float, halving: bool) -> None:
    step = round(cycles * 2 * half)
    found = float(Cyclical(top / 10, top, half, halving)(step))
    assert found == pytest.approx(_smith(step, top / 10, top, half, halving), rel=1e-5)


def test_three_whole_cycles_climb_and_fall_in_triangles() -> None:
    schedule = Cyclical(base=0.1, top=1.0, half_cycle_steps=3)
    once = [0.1, 0.4, 0.7, 1.0, 0.7, 0.4]
    found = [float(schedule(step)) for step in range(19)]
    np.testing.assert_allclose(found, [*once, *once, *once, 0.1], rtol=1e-6)


def test_triangular2_halves_the_height_above_the_base() -> None:
    schedule = Cyclical(base=0.1, top=0.9, half_cycle_steps=2, halving=True)
    peaks = [float(schedule(step)) for step in (2, 6, 10, 14)]
    np.testing.assert_allclose(peaks, [0.9, 0.5, 0.3, 0.2], rtol=1e-6)
    assert [float(schedule(step)) for step in (0, 4, 8)] == pytest.approx([0.1, 0.1, 0.1])


def test_it_keeps_its_place_in_steps_that_float32_cannot_count() -> None:
    schedule = Cyclical(base=0.1, top=1.0, half_cycle_steps=3)
    far = 6 * 50_000_000
    found = [float(schedule(far + step)) for step in range(4)]
    assert found == pytest.approx([0.1, 0.4, 0.7, 1.0])


def test_it_comes_back_from_its_config() -> None:
    schedule = Cyclical(base=0.01, top=0.1, half_cycle_steps=7, halving=True)
    described = keras.optimizers.schedules.serialize(schedule)
    again = keras.optimizers.schedules.deserialize(described)
    assert [float(again(step)) for step in range(30)] == [float(schedule(s)) for s in range(30)]
    assert described["registered_name"] == "leafmodel>Cyclical"


def test_a_cycle_takes_four_epochs_and_peaks_at_the_phases_rate() -> None:
    rate = learning_rate_of(phase("cnn+triangular+learning_rate=0.02"), steps_per_epoch=5)
    assert float(rate(0)) == pytest.approx(0.002)
    assert float(rate(10)) == pytest.approx(0.02)
    assert float(rate(20)) == pytest.approx(0.002)
    assert float(rate(30)) == pytest.approx(0.02)
    halved = learning_rate_of(phase("cnn+triangular2+learning_rate=0.02"), steps_per_epoch=5)
    assert float(halved(30)) == pytest.approx(0.011)


def test_without_cycles_it_is_a_constant() -> None:
    assert learning_rate_of(phase("transfer"), steps_per_epoch=5) == 1e-2


@pytest.mark.parametrize("name", ["cnn+triangular", "cnn+ranger+triangular"])
def test_fit_follows_it_step_by_step(name: str) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=optimiser_of(phase(name), steps_per_epoch=2), loss="mse")
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
            seen.append(float(self.model.optimizer.learning_rate))

    data = np.ones((2, 1), "float32")
    model.fit(data, data, batch_size=1, epochs=5, shuffle=False, verbose=0, callbacks=[Look()])
    expected = [_smith(step, 1e-4, 1e-3, 4, False) for step in range(10)]
    np.testing.assert_allclose(seen, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["cnn+reduce_lr", "cnn+reduce_lr+ranger"])
def test_a_fifth_of_the_rate_after_three_epochs_without_progress(name: str) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=optimiser_of(phase(name), steps_per_epoch=1), loss="mse")
    (callback,) = plateau(phase(name))
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, loss in enumerate([0.5, 0.4, 0.4, 0.45, 0.5, 0.6, 0.6, 0.6]):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        rates.append(float(model.optimizer.learning_rate))
    np.testing.assert_allclose(rates, [1e-3] * 4 + [2e-4] * 3 + [4e-5], rtol=1e-6)


def test_only_reduce_lr_watches_the_validation() -> None:
    assert plateau(phase("cnn")) == ()
    assert plateau(phase("cnn+triangular")) == ()
    assert len(plateau(phase("improved"))) == 1
