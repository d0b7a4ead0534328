from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafmodel.errors import ModelError
from leafmodel.training.execution import AS_USUAL, MOST_STEPS, Execution, Precision, axes, parse


def test_as_usual_nothing_is_changed() -> None:
    assert AS_USUAL.changes == ()
    assert parse({}) == AS_USUAL


def test_what_is_changed_is_written_as_it_is_read() -> None:
    found = Execution(4, Precision.MIXED_BFLOAT16, jit_compile=True)
    assert found.changes == (
        "steps_per_execution=4",
        "precision=mixed_bfloat16",
        "jit_compile=true",
    )


@given(st.integers(1, MOST_STEPS), st.sampled_from(Precision), st.booleans())
def test_changes_are_read_back(steps: int, precision: Precision, compiled: bool) -> None:
    made = Execution(steps, precision, compiled)
    assert parse(dict(change.split("=") for change in made.changes)) == made
    assert {change.split("=")[0] for change in made.changes} <= set(axes())


@pytest.mark.parametrize(
    ("axis", "text", "says"),
    [
        ("steps_per_execution", "0", "from 1 to 10000, found 0"),
        ("steps_per_execution", "many", "must be a count, found 'many'"),
        ("steps_per_execution", "²", "must be a count"),
        ("precision", "float8", "one of float32, mixed_bfloat16; found 'float8'"),
        ("jit_compile", "yes", "one of true, false; found 'yes'"),
        ("jit_compile", "", "found ''"),
    ],
)
def test_what_cannot_be_is_refused(axis: str, text: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        parse({axis: text})
