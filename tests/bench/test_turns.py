"""A turn as it is told and understood; what is no turn is one sentence."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ConfigError
from bench.turns import TURNS_VARIABLE, Place, Turn, await_turn, is_conducted

turns = st.builds(Turn, st.floats(0, 10), st.sampled_from(Place))


@given(turns)
def test_a_turn_is_understood_as_it_was_told(turn: Turn) -> None:
    assert await_turn(io.BytesIO(turn.line())) == turn


def test_turns_are_taken_one_line_at_a_time() -> None:
    told = [Turn(), Turn(0.05, Place.BOUNDARY), Turn(0.2, Place.PIPELINE)]
    conductor = io.BytesIO(b"".join(turn.line() for turn in told))
    assert [await_turn(conductor) for _ in told] == told
    with pytest.raises(ConfigError, match="found its end"):
        await_turn(conductor)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"go 0.0\n", "not enough values"),
        (b"stop 0.0 model\n", "expected 'go', found 'stop'"),
        (b"go much model\n", "could not convert string to float: 'much'"),
        (b"go 0.1 disk\n", "'disk' is not a valid Place"),
        (b"go -0.1 model\n", "plant must be a share from 0 to 10, found -0.1"),
        (b"go nan model\n", "plant must be a share from 0 to 10, found nan"),
        (b"\n", "not enough values"),
        (b"\xff\xfe\n", "not enough values"),
    ],
)
def test_what_is_no_turn_is_refused_with_what_was_found(line: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=r"Expected a turn such as 'go 0\.0 model'") as refused:
        await_turn(io.BytesIO(line))
    assert why in str(refused.value)
    assert repr(line) in str(refused.value)


@given(st.binary(max_size=40))
def test_no_line_does_worse_than_be_refused(line: bytes) -> None:
    try:
        turn = await_turn(io.BytesIO(line))
    except ConfigError:
        return
    assert 0 <= turn.plant <= 10


def test_only_the_variable_makes_a_training_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TURNS_VARIABLE, raising=False)
    assert not is_conducted()
    monkeypatch.setenv(TURNS_VARIABLE, "1")
    assert is_conducted()
