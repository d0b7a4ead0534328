from __future__ import annotations

import itertools

import pytest

from bench.tuning.space import AXES, DEFAULT, SPACE, Setting, setting_from, setting_of
from leafmodel.training.phases import PHASES, phase

EVERY = [
    setting_from(dict(zip(AXES, values, strict=True)))
    for values in itertools.product(*(axis.levels for axis in SPACE))
]


def test_every_setting_is_a_phase_that_trains_it() -> None:
    for setting in EVERY:
        trained = phase(setting.phase)
        assert trained.dropout == setting.dropout
        assert trained.learning_rate == setting.learning_rate
        assert trained.dense_units == setting.dense_units
        assert trained.filters == PHASES["cnn"].filters


def test_a_trial_says_which_setting_it_trained() -> None:
    assert all(setting_of(item.phase, item.batch_size) == item for item in EVERY)


def test_the_default_setting_is_the_listed_phase_and_one_of_the_space() -> None:
    assert DEFAULT.phase == "cnn"
    assert Setting(0.3, 1e-3, 64, 512) == DEFAULT
    assert DEFAULT in EVERY


def test_a_phase_says_only_what_differs() -> None:
    setting = Setting(dropout=0.5, learning_rate=1e-3, batch_size=8, dense_units=64)
    assert setting.phase == "cnn+dropout=0.5+dense_units=64"
    assert setting.text == "dropout 0.5, learning rate 0.001, batch size 8, dense units 64"


def test_batches_go_from_8_to_128() -> None:
    assert AXES["batch_size"].levels[0] == 8
    assert AXES["batch_size"].levels[-1] == 128


@pytest.mark.parametrize("axis", SPACE, ids=lambda axis: axis.name)
def test_a_level_survives_its_natural_scale(axis) -> None:
    assert tuple(axis.level_at(axis.natural(level)) for level in axis.levels) == axis.levels
    assert list(axis.levels) == sorted(set(axis.levels))
