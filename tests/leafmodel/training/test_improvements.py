from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from leafmodel.errors import ModelError
from leafmodel.training.improvements import ABOUT, SHAPING, Improvement, require_compatible

RATES = (Improvement.REDUCE_LR, Improvement.TRIANGULAR, Improvement.TRIANGULAR2)


def test_every_improvement_says_what_it_is_and_where_it_comes_from() -> None:
    assert tuple(ABOUT) == tuple(Improvement)
    assert all(about.summary and about.source for about in ABOUT.values())


def test_names_can_be_written_in_a_phase() -> None:
    for item in Improvement:
        assert item == item.name.lower()
        assert not set("+= ,") & set(item)


@pytest.mark.parametrize(("one", "other"), list(combinations(RATES, 2)))
def test_two_that_set_the_learning_rate_are_refused(one: Improvement, other: Improvement) -> None:
    with pytest.raises(ModelError, match=f"{one} and {other} all set the learning rate"):
        require_compatible([Improvement.MISH, one, other])


@given(
    chosen=st.sets(st.sampled_from([item for item in Improvement if item not in RATES])),
    rate=st.sampled_from(RATES),
)
def test_all_others_go_together(chosen: set[Improvement], rate: Improvement) -> None:
    assume(not chosen >= {Improvement.NO_DENSE, Improvement.MISH})
    require_compatible(chosen)
    require_compatible({*chosen, rate})


def test_an_activation_without_its_layer_is_refused() -> None:
    with pytest.raises(ModelError, match="no_dense leaves out the layer that mish would change"):
        require_compatible([Improvement.MISH, Improvement.NO_DENSE])


def test_what_only_changes_the_training_does_not_shape_the_network() -> None:
    training_only = {
        *RATES,
        Improvement.RANGER,
        Improvement.LABEL_SMOOTHING,
        Improvement.CLASS_WEIGHTS,
        Improvement.MIXED_PRECISION,
        Improvement.GAUSSIAN_NOISE,
    }
    assert set(Improvement) - SHAPING == training_only
