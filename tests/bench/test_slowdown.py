"""How much time is lost, on a clock of ours: the share that was asked for, of the right thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ConfigError
from bench.slowdown import Slowdown
from bench.turns import Place, Turn
from tests.bench.fake_time import FakeTime


def _epoch(slowdown: Slowdown, time: FakeTime, steps: list[tuple[float, float]]) -> float:
    """Train steps of (input wait, compute) seconds; the time that it took."""
    began_s = time.at_s
    slowdown.epoch_begins()
    for wait_s, compute_s in steps:
        slowdown.step_begins()
        time.pass_s(wait_s)
        slowdown.within_pipeline()
        time.pass_s(compute_s)
        slowdown.within_step()
        slowdown.step_ends()
    time.pass_s(0.5)
    slowdown.epoch_ends()
    return time.at_s - began_s


def _planted(time: FakeTime, plant: float, place: Place) -> Slowdown:
    slowdown = Slowdown({}, time.clock)
    slowdown.take(Turn(plant, place))
    assert time.lost == [0.0]  # whatever it takes to lose time is made ready
    time.lost.clear()
    return slowdown


def test_nothing_is_lost_where_nothing_is_planted() -> None:
    time = FakeTime()
    slowdown = Slowdown({}, time.clock)
    slowdown.take(Turn(0.0, Place.BOUNDARY))
    assert _epoch(slowdown, time, [(1, 3), (1, 3)]) == 8.5
    assert time.lost == []


def test_a_slower_model_loses_its_share_of_the_very_step() -> None:
    time = FakeTime()
    slowdown = _planted(time, 0.1, Place.MODEL)
    _epoch(slowdown, time, [(1, 3), (0, 2), (5, 5)])
    assert time.lost == pytest.approx([0.4, 0.2, 1.0])


def test_a_slower_pipeline_loses_its_share_of_the_steps_so_far() -> None:
    time = FakeTime()
    slowdown = _planted(time, 0.1, Place.PIPELINE)
    _epoch(slowdown, time, [(1, 9), (1, 3), (1, 4), (1, 0)])
    # The very first step traces: not slowed. Then 10, the median of 10 and 4, of 10, 4 and 5.
    assert time.lost == pytest.approx([1.0, 0.7, 0.5])


def test_the_first_step_of_an_epoch_is_taken_to_be_as_long_as_those_of_the_epoch_before() -> None:
    time = FakeTime()
    slowdown = _planted(time, 0.5, Place.PIPELINE)
    _epoch(slowdown, time, [(0, 4), (0, 4), (0, 1)])
    time.lost.clear()
    _epoch(slowdown, time, [(0, 8)])
    assert time.lost == pytest.approx([2.0])


def test_a_slower_boundary_loses_its_share_of_the_epoch_once() -> None:
    time = FakeTime()
    slowdown = _planted(time, 0.2, Place.BOUNDARY)
    assert _epoch(slowdown, time, [(1, 3), (1, 4.5)]) == pytest.approx(12)
    slowdown.epoch_ends()
    assert time.lost == pytest.approx([2.0])


@pytest.mark.parametrize("place", [Place.MODEL, Place.PIPELINE])
def test_what_was_lost_too_long_is_made_up_for(place: Place) -> None:
    time = FakeTime(late_s=0.1)
    slowdown = _planted(time, 0.1, place)
    _epoch(slowdown, time, [(0, 10), (0, 10)])
    time.lost.clear()
    _epoch(slowdown, time, [(0, 10), (0, 10), (0, 10)])
    assert time.lost == pytest.approx([1.0, 0.9, 0.9])


def test_a_loss_that_is_far_too_long_is_made_up_for_by_several() -> None:
    time = FakeTime(late_s=2.5)
    slowdown = _planted(time, 0.1, Place.MODEL)
    _epoch(slowdown, time, [(0, 10), (0, 10), (0, 10), (0, 10)])
    assert time.lost == pytest.approx([1.0, 0.5])


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 5)), min_size=1, max_size=20),
    st.floats(0.01, 1),
)
def test_a_planted_model_makes_the_steps_longer_by_exactly_the_share(
    steps: list[tuple[float, float]], plant: float
) -> None:
    plain, planted = FakeTime(), FakeTime()
    own_s = _epoch(Slowdown({}, plain.clock), plain, steps) - 0.5
    slowdown = _planted(planted, plant, Place.MODEL)
    assert _epoch(slowdown, planted, steps) - 0.5 == pytest.approx(own_s * (1 + plant))


def test_a_turn_ends_the_plant_of_the_turn_before() -> None:
    time = FakeTime()
    slowdown = _planted(time, 0.1, Place.MODEL)
    _epoch(slowdown, time, [(0, 10)])
    slowdown.take(Turn())
    _epoch(slowdown, time, [(0, 10)])
    assert time.lost == pytest.approx([1.0])


def test_a_place_that_cannot_be_planted_is_refused_with_the_reason() -> None:
    slowdown = Slowdown({Place.PIPELINE: "the loader has no stages"}, FakeTime().clock)
    with pytest.raises(ConfigError) as refused:
        slowdown.take(Turn(0.1, Place.PIPELINE))
    assert str(refused.value) == (
        "Cannot plant a slowdown at pipeline: the loader has no stages. "
        "Choose another place: model, boundary."
    )
    slowdown.take(Turn(0.0, Place.PIPELINE))
    assert not slowdown.is_at(Place.PIPELINE)
