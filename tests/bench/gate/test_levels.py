"""Levels chain through references, whatever the order of the lines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gate.history import Entry
from bench.gate.levels import Levels, commits, in_order, is_ratio, levels
from bench.gate.metrics import Metric
from bench.gate.schema import Verdict
from tests.bench.gate.made_history import MACHINE, SUBJECT, chain, entry, name, outcome


def of(*entries: Entry, metric: str = "epoch") -> Levels:
    return levels(in_order(entries), SUBJECT, metric)


def relative(found: Levels) -> list[dict[int, float]]:
    """Commit -> level as a ratio, track by track."""
    return [
        {int(point.commit[:6]): math.exp(point.level) for point in track} for track in found.tracks
    ]


def close(*tracks: dict[int, float]) -> object:
    return [pytest.approx(track) for track in tracks]


def test_levels_of_a_chain_are_products() -> None:
    found = of(*chain([0.1, 0.0, -0.5]))
    assert relative(found) == close({0: 1.0, 1: 1.1, 2: 1.1, 3: 0.55})
    assert found.notes == ()


def test_levels_against_a_fixed_reference_are_the_changes() -> None:
    found = of(*(entry(n, 0, outcome(0.01 * n)) for n in (1, 2, 3)))
    assert relative(found) == close({0: 1.0, 1: 1.01, 2: 1.02, 3: 1.03})


def test_errors_add_up_in_a_chain_and_not_against_a_fixed_reference() -> None:
    (chained,) = of(*chain([0.0] * 9)).tracks
    (fixed,) = of(*(entry(n, 0, outcome(0.0)) for n in range(1, 10))).tracks
    half = chained[1].half
    assert half == pytest.approx(0.02, rel=1e-3)
    assert [point.level_half for point in chained] == pytest.approx(
        [half * math.sqrt(n) for n in range(10)]
    )
    assert [point.level_half for point in fixed[1:]] == pytest.approx([half] * 9)


def test_after_a_measurement_without_an_interval_no_level_has_one() -> None:
    parts = (outcome(0.0), outcome(0.1, None), outcome(0.0))
    (track,) = of(*(entry(n, n - 1, part) for n, part in enumerate(parts, 1))).tracks
    known = [point.level_half is not None for point in track]
    assert known == [True, True, False, False]
    assert track[3].half == pytest.approx(0.02, rel=1e-3)


def test_a_point_says_what_was_measured_where() -> None:
    (track,) = of(entry(1, 0, outcome(0.1, verdict=Verdict.REGRESSION))).tracks
    first, second = track
    assert (first.verdict, first.value, first.reference) == (None, 0.5, None)
    assert (second.verdict, second.value) == (Verdict.REGRESSION, pytest.approx(0.55))
    assert (second.subject_line, second.machine, second.reference) == ("Commit 1", MACHINE, 0)


def test_an_unknown_reference_begins_a_new_track_and_says_so() -> None:
    found = of(*chain([0.1, 0.1]), entry(8, 7, outcome(0.2)), entry(9, 8, outcome(0.0)))
    assert relative(found) == close({0: 1.0, 1: 1.1, 2: 1.21}, {7: 1.0, 8: 1.2, 9: 1.2})
    (note,) = found.notes
    assert note.startswith("000008c was held against 000007c, whose level is not known")


def test_a_commit_of_which_nothing_was_measured_breaks_the_chain() -> None:
    nothing = entry(2, 1, outcome(None))
    found = of(*chain([0.1]), nothing, entry(3, 2, outcome(0.2)))
    assert relative(found) == close({0: 1.0, 1: 1.1}, {2: 1.0, 3: 1.2})
    assert "without a measurement of it: 000002c" in found.notes


@given(st.permutations(range(6)))
def test_the_order_of_lines_does_not_matter(order: list[int]) -> None:
    entries = [*chain([0.1, 0.0, 0.2, -0.1]), entry(5, 2, outcome(0.3)), entry(6, 3, outcome(0.0))]
    expected = of(*entries)
    found = of(*(entries[index] for index in order))
    assert relative(found) == [pytest.approx(track) for track in relative(expected)]


def test_order_is_that_of_the_lines_but_references_come_first() -> None:
    entries = [entry(3, 2), entry(9, 8), entry(2, 1), entry(9, 1)]
    assert [(item.head.commit, item.against.commit) for item in in_order(entries)] == [
        (name(9), name(8)),
        (name(9), name(1)),
        (name(2), name(1)),
        (name(3), name(2)),
    ]
    assert commits(in_order(entries)) == tuple(map(name, (8, 9, 1, 2, 3)))


def test_commits_held_against_each_other_are_placed_once() -> None:
    found = of(entry(1, 2, outcome(0.25)), entry(2, 1, outcome(-0.2)))
    assert relative(found) == close({2: 1.0, 1: 1.25})
    assert found.notes == ("of several references, one is used for: 000002c",)


def test_a_commit_measured_again_is_the_mean_and_surer() -> None:
    twice = [entry(1, 0, outcome(value), at=str(value)) for value in (0.0, 0.21)]
    (track,) = of(*twice).tracks
    assert math.exp(track[1].level) == pytest.approx(1.1)
    assert track[1].verdicts == 2
    once = [of(item).tracks[0][1].half for item in twice]
    assert track[1].half == pytest.approx(math.hypot(*once) / 2)


def test_of_two_references_the_known_one_is_used() -> None:
    found = of(*chain([0.1]), entry(2, 77, outcome(0.5)), entry(2, 1, outcome(0.0)))
    assert relative(found) == close({0: 1.0, 1: 1.1, 2: 1.1})
    assert found.notes == ("of several references, one is used for: 000002c",)


def test_waits_and_accuracy_add_up() -> None:
    ratios = {metric for metric in Metric if is_ratio(metric)}
    assert ratios == {Metric.STEP, Metric.EPOCH, Metric.FIRST_EPOCH, Metric.MEMORY}
    assert is_ratio("round")
    for metric in ("input_wait", "accuracy"):
        parts = [entry(n, n - 1, outcome(0.1, metric=metric)) for n in (1, 2)]
        (track,) = of(*parts, metric=metric).tracks
        assert [point.level for point in track] == pytest.approx([0.0, 0.1, 0.2])
        assert track[2].half == pytest.approx(0.02)


def test_an_interval_that_no_ratio_can_have_is_none() -> None:
    (track,) = of(entry(1, 0, outcome(-0.5, 0.6))).tracks
    assert (track[1].half, track[1].level) == (None, pytest.approx(math.log(0.5)))
    assert of(entry(1, 0, outcome(-1.0, 0.1))).tracks == ()


def test_error_bars_of_simulated_chains_hold_the_level_in_95_of_100() -> None:
    rng = np.random.default_rng(5)
    inside, histories, links = 0, 400, 12
    for _ in range(histories):
        errors = 0.01 * rng.standard_normal(links)
        found = of(*chain(list(np.expm1(errors)), half=0.0196))
        last = found.tracks[0][-1]
        inside += abs(last.level) <= last.level_half
    assert 0.93 <= inside / histories <= 0.97
