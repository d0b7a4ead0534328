"""Simulated histories: where nothing changes marks are rare, and steps are found where they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from bench.gate.change_points import (
    FALSE_MARKS,
    FEWEST,
    LEAST_SPREAD,
    ChangePoint,
    find,
    penalty,
    standard_errors,
)
from bench.gate.levels import Point
from tests.bench.gate.made_history import track

NOISE = 0.02
HALF = 1.96 * NOISE
STEP = math.log(1.1)
COUNT = 40
HISTORIES = 200
REFERENCES = {
    "fixed": [0] * COUNT,
    "parent": list(range(COUNT)),
    "release": [10 * (number // 10) for number in range(COUNT)],
}
KINDS = pytest.mark.parametrize("kind", REFERENCES)


def simulated(
    seed: int, kind: str, true: Sequence[float], half: float | None = HALF
) -> tuple[Point, ...]:
    """A track whose true levels are `true` (its first commit apart, which has 0)."""
    rng, levels = np.random.default_rng(seed), [0.0, *true]
    references = REFERENCES[kind][: len(true)]
    changes = [
        level - levels[reference] + NOISE * rng.standard_normal()
        for level, reference in zip(true, references, strict=True)
    ]
    return track(changes, half, references)


def step_at(place: int, size: float = STEP) -> list[float]:
    """True levels with a step from point `place` on."""
    return [size if number >= place else 0.0 for number in range(1, COUNT + 1)]


def share(found: Sequence[bool]) -> float:
    return sum(found) / len(found)


@KINDS
def test_without_a_change_marks_are_rare(kind: str) -> None:
    marked = [bool(find(simulated(seed, kind, [0.0] * COUNT))) for seed in range(HISTORIES)]
    assert share(marked) <= FALSE_MARKS


# One measurement alone shows a step in a chain, and one of a commit that becomes the reference.
@pytest.mark.parametrize(
    ("kind", "place", "least"),
    [
        *[(kind, place, 0.99) for kind in ("fixed", "release") for place in (2, 15, 35)],
        *[("parent", place, 0.85) for place in (2, 15, 35)],
        ("release", 20, 0.85),
    ],
)
def test_a_step_of_ten_percent_is_found_within_one_commit(
    kind: str, place: int, least: float
) -> None:
    found = [find(simulated(seed, kind, step_at(place))) for seed in range(HISTORIES)]
    hits = [any(abs(mark.index - place) <= 1 for mark in marks or ()) for marks in found]
    assert share(hits) >= least
    other = [any(abs(mark.index - place) > 1 for mark in marks or ()) for marks in found]
    assert share(other) <= FALSE_MARKS


def test_a_chain_is_no_better_found_by_its_levels() -> None:
    """Levels of an unchanged chain are a random walk: segmented by means, they would be marked."""
    import ruptures

    marked = []
    for seed in range(50):
        levels = np.array([point.level for point in simulated(seed, "parent", [0.0] * COUNT)])
        search = ruptures.Pelt(model="l2", min_size=1, jump=1).fit(levels / NOISE)
        marked.append(len(search.predict(pen=penalty(COUNT))) > 1)
    assert share(marked) > 0.5


@KINDS
def test_size_and_place_of_a_clear_step(kind: str) -> None:
    sizes = {mark.index: mark.size for mark in find(simulated(3, kind, step_at(17, 0.5))) or ()}
    assert sizes[17] == pytest.approx(0.5, abs=3 * NOISE)


def test_a_slow_commit_that_is_reverted_is_two_marks() -> None:
    true = [0.3 if number == 12 else 0.0 for number in range(1, COUNT + 1)]
    for kind in REFERENCES:
        assert [mark.index for mark in find(simulated(1, kind, true)) or ()] == [12, 13]


def test_all_commits_slower_than_the_fixed_reference_is_a_step_after_it() -> None:
    assert [mark.index for mark in find(simulated(2, "fixed", [0.2] * COUNT)) or ()] == [1]


def test_the_last_commit_can_be_marked() -> None:
    for kind in REFERENCES:
        marks = find(simulated(4, kind, step_at(COUNT, 0.3)))
        assert [mark.index for mark in marks or ()] == [COUNT]


@KINDS
def test_the_search_finds_the_cheapest_of_all_segmentations(kind: str) -> None:
    """By hand: every set of change points of a short track, by the costs of the module's text."""
    count = FEWEST
    true = [0.0] * 3 + [0.1] * (count - 3)
    points = simulated(8, kind, true)
    errors = standard_errors(points) or []

    def cost(start: int, end: int) -> float:
        inside = list(range(max(start, 1), end))
        z = {n: points[n].change / errors[n - 1] for n in inside}
        total = sum(z[n] ** 2 for n in inside if points[n].reference >= start)
        for reference in range(start):
            group = [n for n in inside if points[n].reference == reference]
            if group:
                weights = np.array([errors[n - 1] ** -2 for n in group])
                values = np.array([points[n].change for n in group])
                mean = np.average(values, weights=weights)
                total += float(np.sum(weights * (values - mean) ** 2))
        return total

    def whole(inner: tuple[int, ...]) -> float:
        ends = (0, *inner, len(points))
        costs = sum(cost(a, b) for a, b in pairwise(ends))
        return costs + len(inner) * penalty(count)

    subsets = [
        tuple(n for n in range(1, count + 1) if bits >> (n - 1) & 1) for bits in range(2**count)
    ]
    assert tuple(mark.index for mark in find(points) or ()) == min(subsets, key=whole)


def test_a_track_too_short_or_without_intervals_is_not_judged() -> None:
    assert find(simulated(0, "fixed", [0.9] * (FEWEST - 1))) is None
    assert find(simulated(0, "fixed", [0.0] * FEWEST)) == ()
    assert find(simulated(0, "fixed", [0.9] * COUNT, half=None)) is None


def test_standard_errors_are_the_larger_of_interval_and_scatter() -> None:
    wide = standard_errors(simulated(0, "parent", [0.0] * COUNT, half=0.2))
    assert wide == pytest.approx([0.2 / 1.96] * COUNT, rel=1e-3)
    for kind in ("fixed", "parent"):
        narrow = standard_errors(simulated(0, kind, [0.0] * COUNT, half=0.001))
        assert narrow == pytest.approx([NOISE] * COUNT, rel=0.5)
    exact = track([0.0] * COUNT, 0.0, REFERENCES["parent"])
    assert standard_errors(exact) == [LEAST_SPREAD] * COUNT


def test_a_measurement_without_an_interval_is_as_unsure_as_the_least_sure() -> None:
    points = list(track([0.0] * 3, 0.0196, [0, 1, 2]))
    points[2] = Point(points[2].commit, "", 1, 0.0, None)
    points[3] = Point(points[3].commit, "", 2, 0.0, 0.0392)
    assert standard_errors(points) == pytest.approx([0.01, 0.02, 0.02], rel=1e-3)


def test_the_penalty_is_the_quantile_that_it_is_called() -> None:
    """Of n independent squares of standard normals, one is above it in E of cases or fewer."""
    draws = np.random.default_rng(1).standard_normal((20_000, COUNT))
    above = np.mean(np.max(draws**2, axis=1) > penalty(COUNT))
    assert above == pytest.approx(FALSE_MARKS, abs=0.006)


def test_a_change_point_is_where_the_new_level_begins() -> None:
    changes = [0.0] * 5 + [0.25] + [0.0] * 5
    assert find(track(changes, 0.01, list(range(11)))) == (ChangePoint(6, 0.25),)
