from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafmodel.training.history import (
    EpochResult,
    best_epoch,
    from_csv,
    from_json_lines,
    result_of,
    to_csv,
    to_json_lines,
)

NUMBER = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
RESULT = st.builds(
    EpochResult,
    epoch=st.integers(1, 1000),
    loss=NUMBER,
    accuracy=NUMBER,
    val_loss=NUMBER,
    val_accuracy=NUMBER,
    learning_rate=st.floats(0, 10),
    wall_s=st.floats(0, 1e9),
)


def _with_losses(*losses: float | None) -> list[EpochResult]:
    return [
        EpochResult(number, 1.0, 0.5, loss, 0.5, 1e-3, 1.0) for number, loss in enumerate(losses, 1)
    ]


@settings(deadline=None)
@given(st.lists(RESULT))
def test_lines_and_rows_come_back_as_they_were(history: list[EpochResult]) -> None:
    assert from_json_lines(to_json_lines(history)) == tuple(history)
    assert from_csv(to_csv(history)) == tuple(history)


@pytest.mark.parametrize(
    ("losses", "best"),
    [((0.5, 0.3, 0.4), 2), ((0.3, 0.3), 1), ((None, 0.9), 2), ((None, None), None), ((), None)],
)
def test_the_best_epoch_is_the_first_with_the_lowest_loss(
    losses: tuple[float | None, ...], best: int | None
) -> None:
    assert best_epoch(_with_losses(*losses)) == best


def test_what_is_no_number_is_none_and_goes_back_to_keras_as_nan() -> None:
    logs = {"loss": math.inf, "accuracy": 0.5, "val_loss": math.nan, "val_accuracy": 0.25}
    found = result_of(3, logs | {"learning_rate": 0.01}, 2.0)
    assert (found.epoch, found.loss, found.val_loss, found.val_accuracy) == (3, None, None, 0.25)
    assert math.isnan(found.logs()["val_loss"])
    assert found.logs()["accuracy"] == 0.5
