"""What answers are worth: by hand, against slow code, and by what must hold for any answers."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, t

from leafmodel import evaluate as module
from leafmodel.errors import ModelError
from leafmodel.evaluate import Evaluation, evaluate, mean_interval, wilson

NAMES = ("oak", "elm", "ash")


def answers(seed: int, images: int = 40, classes: int = 4, strength: float = 2.0):
    """Softmaxes that are right more often than not, and the truth."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    scores = rng.normal(0, 1.5, (images, classes))
    scores[np.arange(images), labels] += strength
    scores = np.exp(scores)
    return scores / scores.sum(axis=1, keepdims=True), labels


def names(classes: int) -> list[str]:
    return [f"class {index}" for index in range(classes)]


def slow_calibration_error(probabilities, labels) -> float:
    """Guo et al. 2017, equation 3, image by image."""
    members: dict[int, list[tuple[float, bool]]] = {}
    for row, label in zip(probabilities, labels, strict=True):
        called = max(range(len(row)), key=lambda index: row[index])
        sure = row[called] / sum(row)
        bin_ = next(m for m in range(1, 16) if sure <= m / 15 or m == 15)
        members.setdefault(bin_, []).append((sure, called == label))
    total = 0.0
    for found in members.values():
        sure, hits = zip(*found, strict=True)
        total += abs(sum(hits) - sum(sure)) / len(labels)  # mean distance, by the bin's share
    return total


seeds = st.integers(0, 2**32 - 1)


def test_a_small_example_by_hand() -> None:
    probabilities = [[0.8, 0.1, 0.1], [0.6, 0.4, 0.0], [0.3, 0.7, 0.0], [0.9, 0.1, 0.0]]
    found = evaluate(probabilities, [0, 0, 1, 1], NAMES)
    assert found.confusion == ((2, 0, 0), (1, 1, 0), (0, 0, 0))
    assert found.accuracy.value == 0.75
    assert (found.accuracy.low, found.accuracy.high) == wilson(0.75, 4)
    assert found.class_accuracy.value == 0.75  # of oak (1) and elm (1/2); ash has no image
    oak, elm, ash = found.classes
    assert (oak.images, oak.predicted, elm.images, elm.predicted) == (2, 3, 2, 1)
    assert (oak.precision.value, oak.recall.value) == (pytest.approx(2 / 3), 1.0)
    assert (elm.precision.value, elm.recall.value) == (1.0, 0.5)
    assert (ash.precision, ash.recall, ash.images, ash.predicted) == (None, None, 0, 0)
    # Four bins with one image each: off by 0.2, 0.4, 0.3 and 0.9.
    assert found.calibration_error.value == pytest.approx(0.45)
    assert found.confidence == pytest.approx(0.75)
    (full,) = [item for item in found.bins if item.low < 0.8 <= item.high]
    assert (full.images, full.confidence) == (1, pytest.approx(0.8))
    assert full.accuracy
    assert (full.accuracy.value, full.accuracy.low) == (1.0, wilson(1.0, 1)[0])


def test_rare_classes_count_as_much_as_common_ones() -> None:
    labels = [0] * 98 + [1, 1]
    found = evaluate(np.tile([0.9, 0.1], (100, 1)), labels, NAMES[:2])
    assert found.accuracy.value == 0.98
    assert found.class_accuracy.value == 0.5


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_what_holds_for_any_answers(seed: int) -> None:
    probabilities, labels = answers(seed)
    found = evaluate(probabilities, labels, names(4))
    confusion = np.array(found.confusion)
    assert found.accuracy.value == pytest.approx(np.trace(confusion) / confusion.sum())
    assert [item.images for item in found.classes] == np.bincount(labels, minlength=4).tolist()
    assert [item.predicted for item in found.classes] == confusion.sum(axis=0).tolist()
    assert sum(item.images for item in found.bins) == found.images == 40
    expected = slow_calibration_error(probabilities, labels)
    assert found.calibration_error.value == pytest.approx(expected)
    for item in (found.accuracy, found.class_accuracy, found.calibration_error):
        assert item.low is not None
        assert item.high is not None
        assert 0 <= item.low <= item.value <= item.high <= 1
        assert item.low < item.high


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_the_order_of_images_never_matters(seed: int) -> None:
    probabilities, labels = answers(seed)
    order = np.random.default_rng(seed).permutation(len(labels))
    assert evaluate(probabilities[order], labels[order], names(4)) == evaluate(
        probabilities, labels, names(4)
    )


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_renaming_the_classes_renames_the_results(seed: int) -> None:
    probabilities, labels = answers(seed)
    order = np.random.default_rng(seed).permutation(4)
    found = evaluate(probabilities, labels, names(4))
    turned = evaluate(
        probabilities[:, order], np.argsort(order)[labels], [names(4)[at] for at in order]
    )
    assert turned.accuracy == found.accuracy
    assert turned.class_accuracy == found.class_accuracy
    assert turned.classes == tuple(found.classes[at] for at in order)
    assert np.array_equal(turned.confusion, np.array(found.confusion)[np.ix_(order, order)])
    assert turned.calibration_error.value == pytest.approx(found.calibration_error.value)


def test_perfectly_calibrated_answers_have_no_error_beyond_chance() -> None:
    rng = np.random.default_rng(3)
    sure = rng.uniform(0.5, 1.0, 5000)
    labels = (rng.random(5000) > sure).astype(int)
    found = evaluate(np.stack([sure, 1 - sure], axis=1), labels, NAMES[:2])
    assert found.calibration_error.value < 0.02
    assert found.calibration_error.low == 0.0


def test_bold_answers_show_their_error() -> None:
    rng = np.random.default_rng(4)
    labels = (rng.random(800) > 0.7).astype(int)
    found = evaluate(np.tile([0.99, 0.01], (800, 1)), labels, NAMES[:2])
    error = found.calibration_error
    assert error.value == pytest.approx(0.99 - found.accuracy.value)
    assert error.low is not None
    assert error.high is not None
    assert 0.2 < error.low < 0.29 < error.high < 0.4


@pytest.mark.parametrize("accuracy", [0.9, 0.98])
def test_the_mean_class_accuracy_lies_in_its_interval_as_often_as_promised(accuracy: float) -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        truth = rng.beta(20 * accuracy, 20 * (1 - accuracy), 14)
        images = np.full(14, 40)
        found = module._class_accuracy(rng.binomial(images, truth), images)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= truth.mean() <= found.high
    assert 0.90 <= hits / 200 <= 0.99


def test_answers_without_a_mistake_are_not_certain() -> None:
    found = evaluate(np.eye(2)[[0, 1] * 10], [0, 1] * 10, NAMES[:2])
    assert found.class_accuracy.value == found.class_accuracy.high == 1.0
    assert found.class_accuracy.low is not None
    assert 0.8 < found.class_accuracy.low < 1.0


def test_sigmoids_are_made_parts_of_a_whole() -> None:
    sigmoids = np.array([[0.9, 0.6, 0.3], [0.1, 0.2, 0.1]])
    found = evaluate(sigmoids, [0, 1], NAMES)
    assert found.accuracy.value == 1.0
    assert found.confidence == pytest.approx(0.5)  # of 0.9/1.8 and 0.2/0.4


def test_a_row_of_zeros_is_a_guess() -> None:
    found = evaluate(np.zeros((2, 4)), [0, 1], names(4))
    assert found.confidence == pytest.approx(0.25)


def test_survives_json() -> None:
    probabilities, labels = answers(0)
    found = evaluate(probabilities, labels, (*names(4)[:3], "never"))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found


@pytest.mark.parametrize(
    ("probabilities", "labels", "says"),
    [
        (np.ones((2, 2)), [0, 1], r"shape \(images, 3\).*found \(2, 2\)"),
        (np.ones((0, 3)), [], "at least one image"),
        (np.ones(3), [0], "one column a class"),
        (np.ones((2, 3)), [0], "one label for each of the 2 images"),
        (np.ones((2, 3)), np.eye(3)[:2], "not one-hot rows"),
        ([[1, 0, 0], [math.nan, 0, 0]], [0, 1], "for image 1.*diverged"),
        ([[math.inf, 0, 0]], [0], "for image 0"),
        ([[2.0, -1.0, 0.0]], [0], "probabilities from 0 up"),
        (np.ones((2, 3)), [0, 3], r"from 0 to 2, found \[0, 3\]"),
        (np.ones((2, 3)), [-1, 0], "from 0 to 2"),
        (np.ones((2, 3)), [0.0, 1.0], "whole numbers"),
    ],
)
def test_refuses_what_are_no_answers(probabilities, labels, says) -> None:
    with pytest.raises(ModelError, match=says):
        evaluate(probabilities, labels, NAMES)


@given(st.integers(1, 2000), st.data())
def test_wilson_agrees_with_scipy(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=8))
def test_mean_interval_agrees_with_scipy(values: list[float]) -> None:
    assume(np.std(values) > 1e-6)
    found = mean_interval(values)
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    expected = t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=error)
    assert (found.low, found.high) == pytest.approx(expected)


def test_two_values_have_a_mean_and_no_interval() -> None:
    found = mean_interval([0.25, 0.75])
    assert (found.value, found.low, found.high) == (0.5, None, None)
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([])
