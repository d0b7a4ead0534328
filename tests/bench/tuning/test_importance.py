"""Shares of variance: by hand, by properties, and against what was planted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.tuning.importance import Decomposition, decompose
from bench.tuning.space import SPACE

Values = Mapping[str, Sequence[float]]


def drawn(seed: int, trainings: int = 24) -> Values:
    """Random settings, on the scales on which they act."""
    rng = np.random.default_rng(seed)
    return {
        axis.name: [axis.natural(v) for v in rng.choice(axis.levels, trainings)] for axis in SPACE
    }


def noise(seed: int, trainings: int = 24, size: float = 0.01) -> np.ndarray:
    return np.random.default_rng(1_000 + seed).normal(0, size, trainings)


def shares(found: Decomposition) -> dict[str, float | None]:
    return {item.name: item.share for item in found.importances}


def test_planted_learning_rate_is_named_and_nothing_else() -> None:
    values = drawn(0)
    rate = np.asarray(values["learning_rate"])
    found = decompose(values, 0.5 - 0.02 * (rate + 10) ** 2 + noise(0))
    assert found.named == ("learning_rate",)
    first = found.importances[0]
    assert first.name == "learning_rate"
    assert first.share > 0.9
    assert first.p == pytest.approx(4 / 2_000)
    assert first.best == rate[np.argmin(abs(rate + 10))]
    assert first.swing == pytest.approx(0.02 * max((rate + 10) ** 2), abs=0.05)


def test_two_planted_ones_are_named_in_the_order_of_their_shares() -> None:
    values = drawn(1, 40)
    accuracy = 0.05 * np.asarray(values["batch_size"]) - 0.2 * np.asarray(values["dropout"])
    found = decompose(values, accuracy + noise(1, 40))
    assert found.named == ("batch_size", "dropout")


def test_pure_noise_names_nothing_but_by_the_chance_that_is_promised() -> None:
    fooled = sum(bool(decompose(drawn(seed), noise(seed)).named) for seed in range(100))
    # Binomial with 5 %: 11 or more of 100 come in 1 of 100 such tests.
    assert fooled <= 10


def test_share_by_hand_where_hyperparameters_do_not_overlap() -> None:
    """Two balanced factors of two levels: an effect e has variance e^2 / 4, and its estimate from
    16 trainings a variance of noise / 4, a quarter of which the part has from noise."""
    a = [0.0, 0.0, 1.0, 1.0] * 4
    b = [0.0, 1.0, 0.0, 1.0] * 4
    y = 0.3 * np.asarray(a) + 0.1 * np.asarray(b) + noise(3, 16, 0.05)
    effects = [y[np.asarray(x) == 1].mean() - y[np.asarray(x) == 0].mean() for x in (a, b)]
    fitted = y.mean() + sum(e * (np.asarray(x) - 0.5) for e, x in zip(effects, (a, b), strict=True))
    left = ((y - fitted) ** 2).sum() / 13
    parts = [e**2 / 4 - left / 16 for e in effects]
    found = shares(decompose({"a": a, "b": b}, y))
    assert found["a"] == pytest.approx(parts[0] / (sum(parts) + left))
    assert found["b"] == pytest.approx(parts[1] / (sum(parts) + left))


def test_shares_are_right_on_average() -> None:
    """The planted part has variance 0.04^2 = 0.0016 over the space, noise 0.0025."""
    found = []
    for seed in range(60):
        values = drawn(seed, 40)
        planted = 0.2 * np.asarray(values["dropout"])
        found.append(shares(decompose(values, planted + noise(seed, 40, 0.05))))
    means = {name: np.mean([item[name] for item in found]) for name in found[0]}
    assert means.pop("dropout") == pytest.approx(0.0016 / 0.0041, abs=0.04)
    assert max(means.values()) < 0.03


def test_p_is_near_that_of_the_f_test_where_noise_is_normal() -> None:
    values = {"x": drawn(5)["dropout"]}
    y = 0.02 * np.asarray(values["x"]) + noise(5)
    found = decompose(values, y).importances[0]
    x = np.asarray(values["x"])
    design = np.stack([np.ones_like(x), x, x * x], axis=1)
    left = np.linalg.lstsq(design, y, rcond=None)[1][0]
    total = ((y - y.mean()) ** 2).sum()
    p = stats.f.sf((total - left) / 2 / (left / 21), 2, 21)
    assert found.p == pytest.approx(p, abs=0.03)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(14, 40), st.floats(0, 2))
def test_shares_are_shares_in_their_order(seed: int, trainings: int, size: float) -> None:
    values = drawn(seed, trainings)
    found = decompose(values, size * np.asarray(values["dropout"]) + noise(seed, trainings, 1.0))
    assert 0 <= found.explained <= 1
    for item in found.importances:
        assert 0 <= item.share <= found.explained + 1e-9
        assert 0 < item.p <= 1
        assert item.matters == (item.p <= 0.05)
    ordered = [item.share for item in found.importances]
    assert ordered == sorted(ordered, reverse=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.floats(-10, 10), st.floats(0.01, 100))
def test_the_accuracies_unit_does_not_matter(seed: int, shift: float, factor: float) -> None:
    values, y = drawn(seed), noise(seed, size=0.1)
    one, other = decompose(values, y), decompose(values, shift + factor * y)
    assert shares(other) == pytest.approx(shares(one), abs=1e-6)
    assert [item.p for item in other.importances] == [item.p for item in one.importances]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.permutations(range(24)))
def test_the_order_of_the_trainings_changes_no_share(seed: int, order: list[int]) -> None:
    values, y = drawn(seed), noise(seed)
    turned = {name: [column[k] for k in order] for name, column in values.items()}
    assert shares(decompose(turned, y[order])) == pytest.approx(shares(decompose(values, y)))


def test_same_trainings_same_answer() -> None:
    assert decompose(drawn(9), noise(9)) == decompose(drawn(9), noise(9))


@pytest.mark.parametrize("trainings", [0, 1, 9, 13])
def test_few_trainings_tell_nothing(trainings: int) -> None:
    found = decompose(drawn(2, trainings), noise(2, trainings))
    assert found.explained is None
    assert found.named == ()
    assert found.why == f"{trainings} trainings with an accuracy are too few: it takes 14"


def test_equal_accuracies_tell_nothing() -> None:
    found = decompose(drawn(2), [0.25] * 24)
    assert found.why == "all trainings reached the same accuracy"


def test_a_hyperparameter_with_one_value_has_no_share() -> None:
    values = {**drawn(4), "dropout": [0.3] * 24}
    found = {item.name: item for item in decompose(values, noise(4)).importances}
    assert found["dropout"].share is None
    assert not found["dropout"].matters
    assert found["batch_size"].share is not None


def test_a_hyperparameter_with_two_values_gets_a_line() -> None:
    values = {**drawn(4), "dropout": [0.0, 0.5] * 12}
    found = decompose(values, np.asarray(values["dropout"]) + noise(4))
    assert found.named == ("dropout",)
    assert found.importances[0].best == 0.5


def test_accuracies_without_any_noise() -> None:
    values = drawn(6)
    found = decompose(values, np.asarray(values["dropout"]))
    assert found.named == ("dropout",)
    assert found.importances[0].share == pytest.approx(1)
