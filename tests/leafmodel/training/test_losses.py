from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from leafmodel.errors import DataError
from leafmodel.training.losses import class_weights, loss_of
from leafmodel.training.phases import phase

COUNTS = (10, 40, 25)
NAMES = (
    "cnn",
    "cnn+label_smoothing",
    "cnn+sigmoid_focal",
    "cnn+label_smoothing+sigmoid_focal",
)
WEIGHED = tuple(f"{name}+class_weights" for name in NAMES)


def _papers(name: str, labels: Any, p: Any) -> Any:
    """(batch,) losses by the papers' formulas, in float64."""
    classes = p.shape[1]
    target = np.eye(classes)[labels]
    if "sigmoid_focal" not in name:
        if "label_smoothing" in name:
            target = 0.9 * target + 0.1 / classes
        return -(target * np.log(p)).sum(axis=1)
    if "label_smoothing" not in name:
        p_t = np.where(target == 1, p, 1 - p)
        alpha_t = np.where(target == 1, 0.25, 0.75)
        return (-alpha_t * (1 - p_t) ** 2 * np.log(p_t)).sum(axis=1)
    target = 0.9 * target + 0.05
    alpha_t = target * 0.25 + (1 - target) * 0.75
    p_t = target * p + (1 - target) * (1 - p)
    entropy = -(target * np.log(p) + (1 - target) * np.log(1 - p))
    return (alpha_t * (1 - p_t) ** 2 * entropy).sum(axis=1)


def _probabilities(name: str, seed: int, batch: int, classes: int) -> Any:
    raw = np.random.default_rng(seed).uniform(0.02, 0.98, (batch, classes))
    return raw if "sigmoid" in name else raw / raw.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 5), classes=st.integers(2, 6))
def test_it_is_the_papers_formula(name: str, seed: int, batch: int, classes: int) -> None:
    labels = np.random.default_rng(seed).integers(0, classes, batch)
    p = _probabilities(name, seed, batch, classes)
    found = loss_of(phase(name), [7] * classes)(labels, p)
    assert float(found) == pytest.approx(_papers(name, labels, p).mean(), rel=2e-5)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), counts=st.lists(st.integers(1, 5000), min_size=2, max_size=6)
)
def test_a_class_weighs_by_how_rare_it_is(name: str, seed: int, counts: list[int]) -> None:
    labels = np.random.default_rng(seed).integers(0, len(counts), 8)
    p = _probabilities(name, seed, 8, len(counts))
    weights = np.array([sum(counts) / (len(counts) * count) for count in counts])
    expected = (weights[labels] * _papers(name, labels, p)).mean()
    found = loss_of(phase(f"{name}+class_weights"), counts)(labels, p)
    assert float(found) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_equal_classes_weigh_as_if_there_were_no_weights(name: str) -> None:
    labels, p = np.array([0, 2, 1, 1]), _probabilities(name, 0, 4, 3)
    plain = loss_of(phase(name), [30, 30, 30])(labels, p)
    assert float(loss_of(phase(f"{name}+class_weights"), [30, 30, 30])(labels, p)) == float(plain)


def test_weights_are_those_that_keras_would_apply_for_class_weight_in_fit() -> None:
    labels, p = np.array([0, 2, 1, 1]), _probabilities("cnn", 1, 4, 3)
    weights = np.array(class_weights(COUNTS))
    keras_own = keras.losses.SparseCategoricalCrossentropy()(labels, p, weights[labels])
    ours = loss_of(phase("cnn+class_weights"), COUNTS)(labels, p)
    assert float(ours) == pytest.approx(float(keras_own), rel=1e-6)


@given(counts=st.lists(st.integers(1, 10_000), min_size=1, max_size=20))
def test_weights_average_to_one_over_the_images_and_every_class_counts_alike(
    counts: list[int],
) -> None:
    weights = class_weights(counts)
    shares = [weight * count for weight, count in zip(weights, counts, strict=True)]
    assert sum(shares) == pytest.approx(sum(counts))
    assert shares == pytest.approx([shares[0]] * len(counts))


def test_a_class_without_images_cannot_be_weighed() -> None:
    with pytest.raises(DataError, match="found none of the classes with index 1, 3"):
        loss_of(phase("cnn+class_weights"), [5, 0, 5, 0])
    loss_of(phase("cnn"), [5, 0, 5, 0])


@pytest.mark.parametrize("name", [*NAMES, *WEIGHED])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32", "float64"])
def test_labels_may_be_of_any_number_type_and_stand_in_a_column(name: str, dtype: str) -> None:
    labels, p = np.array([0, 2, 1, 1]), _probabilities(name, 2, 4, 3)
    loss = loss_of(phase(name), COUNTS)
    expected = float(loss(labels, p))
    assert float(loss(labels.astype(dtype), p)) == expected
    assert float(loss(labels.astype(dtype)[:, None], p)) == expected


@pytest.mark.parametrize("name", [*NAMES, *WEIGHED])
def test_gradients_stay_finite_where_probabilities_are_0_and_1(name: str) -> None:
    loss = loss_of(phase(name), COUNTS)
    p = tf.constant([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    with tf.GradientTape() as tape:
        tape.watch(p)
        value = loss(tf.constant([0, 0, 2]), p)
    assert np.isfinite(float(value))
    assert np.all(np.isfinite(tape.gradient(value, p)))


@pytest.mark.parametrize("name", [*NAMES, *WEIGHED])
def test_a_compiled_network_still_learns_from_an_image_it_is_utterly_wrong_about(name: str) -> None:
    """A probability of 0 has no slope; Keras goes back to the logits, through our loss as well."""
    loss = loss_of(phase(name), COUNTS)
    last = tf.sigmoid if "sigmoid" in name else tf.nn.softmax

    @tf.function
    def slope(logits: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(tf.constant([0]), last(logits))
        return tape.gradient(value, logits)

    found = slope(tf.constant([[-300.0, 300.0, -300.0]])).numpy()[0]
    assert np.all(np.isfinite(found))
    assert found[0] < -0.1  # up with the right class
    assert found[1] > 0.1  # down with the wrong one


@pytest.mark.parametrize("name", ["cnn", "cnn+sigmoid_focal+label_smoothing+class_weights"])
def test_a_compiled_fit_brings_it_down(name: str) -> None:
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 48).astype("int32")
    images = np.eye(3)[labels] + random.normal(0, 0.1, (48, 3))
    last = "sigmoid" if "sigmoid" in name else "softmax"
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation=last)])
    model.compile(
        optimizer=keras.optimizers.Adam(0.1),
        loss=loss_of(phase(name), np.bincount(labels)),
        metrics=["accuracy"],
    )
    found = model.fit(images, labels, epochs=8, batch_size=16, verbose=0).history
    assert found["loss"][-1] < 0.7 * found["loss"][0]
    assert found["accuracy"][-1] > 0.9
