from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import optax
import pytest

from leafmodel.errors import ModelError
from leafmodel.training.optimisers import Ranger, optimiser_of
from leafmodel.training.phases import phase
from leafmodel.training.schedules import Cyclical
from tests.leafmodel.training import train_on_backend

SHAPES = ((), (5,), (3, 4), (2, 3, 2), (1, 1, 2, 3))
RATE = 0.05


def _problem(seed: int) -> tuple[list[Any], Callable[[int, list[Any]], list[Any]]]:
    """Where to start, and the gradients of a bent, noisy bowl at a step and point."""
    random = np.random.default_rng(seed)
    start = [random.normal(size=shape) for shape in SHAPES]
    bends = [random.uniform(0.1, 5, size=shape) for shape in SHAPES]

    def gradients(step: int, point: list[Any]) -> list[Any]:
        noise = np.random.default_rng((seed, step))
        return [
            bend * np.asarray(x) + 0.5 * noise.normal(size=x.shape)
            for bend, x in zip(bends, point, strict=True)
        ]

    return start, gradients


def _optax(seed: int, steps: int, inner: Any, period: int, share: float) -> Iterator[Any]:
    """The fast weights after each step, in float64."""
    start, gradients = _problem(seed)
    with jax.enable_x64(True):
        rule = optax.lookahead(inner, sync_period=period, slow_step_size=share)
        weights = optax.LookaheadParams.init_synced([jax.numpy.asarray(x) for x in start])
        state, update = rule.init(weights), jax.jit(rule.update)
        for step in range(steps):
            found = [jax.numpy.asarray(x) for x in gradients(step, weights.fast)]
            updates, state = update(found, state, weights)
            weights = optax.apply_updates(weights, updates)
            yield [np.asarray(x) for x in weights.fast]


def _ours(seed: int, steps: int, optimiser: Any) -> Iterator[Any]:
    start, gradients = _problem(seed)
    variables = [keras.Variable(x, dtype="float32") for x in start]
    for step in range(steps):
        _apply(optimiser, gradients(step, [v.numpy() for v in variables]), variables)
        yield [v.numpy() for v in variables]


def _apply(optimiser: Any, gradients: list[Any], variables: list[Any]) -> None:
    optimiser.apply([keras.ops.convert_to_tensor(g, "float32") for g in gradients], variables)


def _assert_equal_after_each_step(ours: Iterator[Any], theirs: Iterator[Any]) -> None:
    for step, (found, expected) in enumerate(zip(ours, theirs, strict=True), start=1):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5, err_msg=f"after step {step}")


@pytest.mark.parametrize(
    ("seed", "period", "share"), [(0, 6, 0.5), (1, 6, 0.5), (0, 4, 0.8), (0, 1, 0.3), (0, 1, 1.0)]
)
def test_every_step_is_that_of_optax(seed: int, period: int, share: float) -> None:
    """40 steps: the four unrectified ones, and rounds; optax waits for rho 5 unless told 4."""
    theirs = _optax(seed, 40, optax.radam(RATE, threshold=4.0), period, share)
    ours = _ours(seed, 40, Ranger(RATE, sync_period=period, slow_step=share))
    _assert_equal_after_each_step(ours, theirs)


def test_its_defaults_are_rounds_of_six_that_go_half_the_way() -> None:
    theirs = _optax(2, 20, optax.radam(RATE, threshold=4.0), 6, 0.5)
    _assert_equal_after_each_step(_ours(2, 20, Ranger(RATE)), theirs)


def test_the_slow_weights_feel_weight_decay_as_a_part_of_the_step() -> None:
    inner = optax.chain(
        optax.scale_by_radam(threshold=4.0),
        optax.add_decayed_weights(0.3),
        optax.scale_by_learning_rate(RATE),
    )
    ours = _ours(3, 20, Ranger(RATE, weight_decay=0.3))
    _assert_equal_after_each_step(ours, _optax(3, 20, inner, 6, 0.5))


@pytest.mark.parametrize(
    ("argument", "clip"),
    [("global_clipnorm", optax.clip_by_global_norm), ("clipvalue", optax.clip)],
)
def test_clipped_gradients_are_what_it_sees(argument: str, clip: Callable[..., Any]) -> None:
    inner = optax.chain(clip(0.7), optax.radam(RATE, threshold=4.0))
    ours = _ours(4, 20, Ranger(RATE, **{argument: 0.7}))
    _assert_equal_after_each_step(ours, _optax(4, 20, inner, 6, 0.5))


def test_under_a_steady_gradient_it_moves_by_the_papers_rectification() -> None:
    """The moments of a constant gradient of 1, corrected, are 1: a step is the rate times r."""
    optimiser, weight = Ranger(0.01, sync_period=1, slow_step=1.0), keras.Variable(0.0)
    at = [0.0]
    for _ in range(60):
        _apply(optimiser, [1.0], [weight])
        at.append(float(weight.numpy()))
    longest = 2 / (1 - 0.999) - 1
    expected = []
    for t in range(1, 61):
        rho = longest - 2 * t * 0.999**t / (1 - 0.999**t)
        top, bottom = (rho - 4) * (rho - 2) * longest, (longest - 4) * (longest - 2) * rho
        expected.append(0.01 * (np.sqrt(top / bottom) if rho > 4 else 1))
    assert expected[3] == 0.01  # the fourth step is the last without rectification
    assert expected[4] < 0.0002
    np.testing.assert_allclose(-np.diff(at), expected, rtol=2e-3, atol=2e-8)


def test_it_is_adam_in_the_end() -> None:
    """After ten million steps r is 1, and nothing overflowed on the way there."""
    optimiser, weight = Ranger(0.01, sync_period=1, slow_step=1.0), keras.Variable(0.0)
    optimiser.build([weight])
    by_name = {v.name.rsplit("_", 1)[-1]: v for v in optimiser.variables}
    optimiser.iterations.assign(10**7)
    by_name["momentum"].assign(3.0)
    by_name["velocity"].assign(9.0)
    _apply(optimiser, [3.0], [weight])
    assert float(weight.numpy()) == pytest.approx(-0.01, rel=1e-5)


def test_weights_loaded_after_it_was_built_are_those_it_looks_back_to() -> None:
    optimiser, weight = Ranger(RATE), keras.Variable([100.0, 100.0])
    optimiser.build([weight])
    weight.assign([1.0, -1.0])
    fresh, other = Ranger(RATE), keras.Variable([1.0, -1.0])
    for _ in range(8):
        _apply(optimiser, [[0.5, 0.2]], [weight])
        _apply(fresh, [[0.5, 0.2]], [other])
    np.testing.assert_array_equal(weight.numpy(), other.numpy())


def test_gradients_gathered_over_batches_make_the_same_rounds() -> None:
    gathering, weight = Ranger(RATE, gradient_accumulation_steps=3), keras.Variable([1.0, -2.0])
    plain, other = Ranger(RATE), keras.Variable([1.0, -2.0])
    for step in range(14):
        gradient = np.array([0.5 + step, -0.2 * step], "float32")
        for part in (0.5, 1.0, 1.5):
            _apply(gathering, [part * gradient], [weight])
        _apply(plain, [gradient], [other])
        np.testing.assert_allclose(weight.numpy(), other.numpy(), rtol=1e-6)


def _model(seed: int = 0) -> Any:
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((4,)), keras.layers.Dense(6, "relu"), keras.layers.Dense(3, "softmax")]
    return keras.Sequential(layers)


def _data(seed: int = 0, images: int = 36) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, images)
    return np.eye(4, dtype="float32")[labels] + random.normal(0, 0.2, (images, 4)), labels


def _fit(model: Any, *, batches: int) -> Any:
    x, y = _data(images=4 * batches)
    fitted = model.fit(x, y, batch_size=4, epochs=1, shuffle=False, verbose=0)
    return fitted.history["loss"][-1]


def _compiled(model: Any, optimiser: Any, **how: Any) -> Any:
    model.compile(optimizer=optimiser, loss="sparse_categorical_crossentropy", **how)
    return model


def test_a_compiled_fit_does_what_an_eager_one_does() -> None:
    compiled = _compiled(_model(), Ranger(RATE))
    eager = _compiled(_model(), Ranger(RATE), run_eagerly=True)
    for model in (compiled, eager):
        _fit(model, batches=9)
    for a, b in zip(compiled.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_saved_training_goes_on_in_the_middle_of_a_round(tmp_path: Path) -> None:
    whole = _compiled(_model(), Ranger(RATE))
    for _ in range(3):
        _fit(whole, batches=4)
    cut = _compiled(_model(), Ranger(RATE))
    _fit(cut, batches=4)
    cut.save(tmp_path / "cut.keras")
    resumed = keras.models.load_model(tmp_path / "cut.keras")
    assert isinstance(resumed.optimizer, Ranger)
    for _ in range(2):
        _fit(resumed, batches=4)
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    state = zip(resumed.optimizer.variables, whole.optimizer.variables, strict=True)
    for a, b in state:
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_it_comes_back_from_its_config() -> None:
    schedule = Cyclical(base=0.01, top=0.1, half_cycle_steps=3)
    made = Ranger(schedule, sync_period=4, slow_step=0.8, weight_decay=0.1, clipnorm=2.0)
    described = keras.optimizers.serialize(made)
    again = keras.optimizers.deserialize(described)
    assert again.get_config() == made.get_config()
    assert described["registered_name"] == "leafmodel>Ranger"
    *_, one = _ours(5, 9, made)
    *_, other = _ours(5, 9, again)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_constraints_belong_to_the_steps_of_a_round() -> None:
    """One weight is held at 0 all along; half the way there and not half the way beyond it."""
    weight = keras.Variable([0.05, 1.0])
    weight.constraint = keras.constraints.NonNeg()
    optimiser = Ranger(0.1)
    for _ in range(6):
        _apply(optimiser, [[1.0, 0.1]], [weight])
    assert weight.numpy()[0] == pytest.approx(0.025)
    assert 0.9 < weight.numpy()[1] < 1


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_bfloat16_trains(policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = _compiled(_model(), Ranger(RATE))
        losses = [_fit(model, batches=9) for _ in range(10)]
    finally:
        keras.config.set_dtype_policy(before)
    kept = "float32" if policy == "mixed_bfloat16" else "bfloat16"
    assert {v.dtype for v in model.optimizer.variables[2:]} == {kept}
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    "wrong", [{"sync_period": 0}, {"slow_step": 0.0}, {"slow_step": 1.1}], ids=str
)
def test_rounds_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="sync_period of at least 1 and slow_step above 0"):
        Ranger(**wrong)


def test_a_phase_chooses_its_optimiser_and_rate() -> None:
    adam = optimiser_of(phase("finetune"), steps_per_epoch=3)
    assert type(adam) is keras.optimizers.Adam
    assert float(adam.learning_rate) == pytest.approx(1e-4)
    ranger = optimiser_of(phase("improved"), steps_per_epoch=3)
    assert type(ranger) is Ranger
    assert float(ranger.learning_rate) == pytest.approx(1e-4)
    cyclical = optimiser_of(phase("cnn+ranger+triangular"), steps_per_epoch=3)
    assert float(cyclical.learning_rate) == pytest.approx(1e-4)  # a tenth, where a cycle begins


def test_tensorflow_and_jax_train_to_the_same_weights(tmp_path: Path) -> None:
    """And where images of numbers around 10,000 make probabilities of 0 and 1, JAX stays finite.

    (The weights differ there: only on TensorFlow does Keras go back from probabilities to logits.)
    """
    script = Path(train_on_backend.__file__)
    subprocess.run(
        [sys.executable, str(script), str(tmp_path / "jax.npz")],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": str(script.parents[3]),
        },
        check=True,
    )
    found = np.load(tmp_path / "jax.npz")
    assert len(found.files) == 4 * len(train_on_backend.NAMES)
    assert all(np.all(np.isfinite(found[name])) for name in found.files)
    for phase_name in train_on_backend.NAMES:
        for name, expected in train_on_backend.trained(phase_name).items():
            np.testing.assert_allclose(found[name], expected, atol=1e-5, err_msg=name)
