from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from leafmodel.errors import ModelError
from leafmodel.paired import paired

CALLS = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=60)


def test_only_disagreements_count() -> None:
    found = paired([0, 0, 1, 1, 1], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1])
    assert (found.images, found.only_first, found.only_second) == (5, 1, 3)
    assert found.difference.value == pytest.approx(0.4)


def test_the_p_value_of_a_textbook_table() -> None:
    """121 against 59 disagreements, as R's exact2x2 gives for them."""
    truth = [1] * 200
    first = [1] * 121 + [0] * 59 + [1] * 20
    second = [0] * 121 + [1] * 59 + [1] * 20
    found = paired(truth, first, second)
    assert found.p_value == pytest.approx(binomtest(59, 180, 0.5).pvalue, rel=1e-9)
    assert found.is_beyond_chance


def test_the_interval_is_that_of_agresti_and_min() -> None:
    """By hand: n = 100, cells 5 and 15; (15.5 - 5.5)/102 and its error."""
    found = paired([1] * 100, [1] * 5 + [0] * 15 + [1] * 80, [0] * 5 + [1] * 15 + [1] * 80)
    centre = 10 / 102
    error = ((21 / 102 - centre**2) / 102) ** 0.5
    assert found.difference.low == pytest.approx(centre - 1.959964 * error, abs=1e-6)
    assert found.difference.high == pytest.approx(centre + 1.959964 * error, abs=1e-6)


def test_equal_answers_cannot_be_told_apart() -> None:
    found = paired([0, 1, 2], [0, 1, 0], [0, 1, 0])
    assert (found.p_value, found.difference.value) == (1.0, 0.0)
    assert not found.is_beyond_chance


@settings(deadline=None)
@given(CALLS)
def test_swapping_the_models_turns_the_sign_and_nothing_else(
    calls: list[tuple[int, int, int]],
) -> None:
    truth, first, second = zip(*calls, strict=True)
    one, other = paired(truth, first, second), paired(truth, second, first)
    assert one.p_value == pytest.approx(other.p_value)
    assert one.difference.value == pytest.approx(-other.difference.value)
    low, high = one.difference.low, one.difference.high
    assert low is not None
    assert high is not None
    assert -1 <= low <= one.difference.value <= high <= 1
    assert other.difference.high == pytest.approx(-low)


def test_calls_for_other_images_are_refused() -> None:
    with pytest.raises(ModelError, match="found 2 and 3 calls for 3 images"):
        paired([0, 1, 2], [0, 1], [0, 1, 2])
