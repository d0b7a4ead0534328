"""Accuracy seed against seed: races to an accuracy, and what a variant loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import learning
from bench.learning import Race
from bench.results import compute
from bench.schema import TrialRecord
from leafmodel.pipelines.facts import MadeOnce
from tests.bench.samples import proof_records, run_record, trial_record, trial_spec

Curves = Mapping[str, Sequence[Sequence[float]]]
LEARNS = (0.2, 0.5, 0.7, 0.8)
PLATEAU = (0.2, 0.4, 0.5, 0.5)


def trials(variant: str, curves: Sequence[Sequence[float]], epoch_s: float) -> list[TrialRecord]:
    return [
        trial_record(
            trial_spec(variant, block=block, epochs=len(curve)),
            [epoch_s] * len(curve),
            val_accuracy=curve,
        )
        for block, curve in enumerate(curves)
    ]


def raced(until: float | None, curves: Curves, seconds: Mapping[str, float]) -> Race:
    run = run_record(variants=tuple(curves), until_accuracy=until, blocks=3)
    made = [t for name, found in curves.items() for t in trials(name, found, seconds[name])]
    (race,) = compute(run, made, proof_records(run)).races
    return race


def test_time_and_epochs_to_the_asked_accuracy_are_counted_by_seed() -> None:
    late = (0.1, 0.2, 0.5, 0.75)
    race = raced(
        0.7,
        {"default": [LEARNS, LEARNS, late], "in_model": [LEARNS] * 3},
        {"default": 10.0, "in_model": 5.0},
    )
    default, in_model = race.of("default"), race.of("in_model")
    assert default is not None
    assert in_model is not None
    assert race.asked
    assert [a.epochs for a in default.arrivals] == [3, 3, 4]
    assert [a.seconds for a in default.arrivals] == pytest.approx([30, 30, 40])
    assert in_model.speedup is not None
    assert in_model.speedup.median == pytest.approx((2 * 2 * 40 / 15) ** (1 / 3))
    assert in_model.speedup.low is not None
    assert default.speedup is None


def test_a_race_starts_with_making_the_file_that_was_found() -> None:
    run = run_record(variants=("default", "memory_mapped"), until_accuracy=0.6, blocks=3)
    found = MadeOnce(4_000_000_000, found=True, size_bytes=1)
    made = [
        *trials("default", [LEARNS] * 3, 10.0),
        *(replace(t, made_once=found) for t in trials("memory_mapped", [LEARNS] * 3, 5.0)),
    ]
    results = compute(run, made, proof_records(run))
    mapped = results.races[0].of("memory_mapped")
    assert mapped is not None
    assert [arrival.seconds for arrival in mapped.arrivals] == pytest.approx([19, 19, 19])
    assert mapped.mean_s == pytest.approx(19)


def test_a_seed_that_never_arrives_is_not_counted_as_fast() -> None:
    race = raced(
        0.7,
        {"default": [LEARNS] * 3, "in_model": [LEARNS, PLATEAU, LEARNS]},
        {"default": 10.0, "in_model": 5.0},
    )
    in_model = race.of("in_model")
    assert in_model is not None
    assert (len(in_model.arrivals), in_model.trials) == (2, 3)
    assert in_model.speedup is not None
    assert in_model.speedup.low is None
    assert in_model.speedup.blocks == 2


def test_an_accuracy_that_nobody_reached_has_no_arrival() -> None:
    race = raced(
        0.99,
        {"default": [LEARNS] * 3, "in_model": [PLATEAU] * 3},
        {"default": 1.0, "in_model": 1.0},
    )
    assert [item.arrivals for item in race.results] == [(), ()]
    assert [item.seconds for item in race.results] == [None, None]


def test_frozen_augmentation_that_costs_accuracy_is_a_finding_with_its_size() -> None:
    """Planted: the cache variant overfits and stops getting better, as frozen augmentation does."""
    noise = np.random.default_rng(3).normal(0, 0.01, (2, 3))
    curves = {
        "default": [[*LEARNS[:3], 0.80 + n] for n in noise[0]],
        "cache": [[*PLATEAU[:3], 0.50 + n] for n in noise[1]],
    }
    run = run_record(variants=("default", "cache", "in_model"), blocks=3)
    made = [t for name, found in curves.items() for t in trials(name, found, 10.0)]
    results = compute(run, made, proof_records(run))
    found = results.difference("cache", "cnn")
    assert found is not None
    assert found.is_loss
    assert found.difference.median == pytest.approx(-0.3, abs=0.02)
    (finding,) = [item for item in results.findings if item.code == "accuracy-loss"]
    assert finding.where == "cache, cnn"
    assert "after 4 equal epochs, over 3 seeds" in finding.what


def test_seeds_that_agree_by_luck_do_not_make_a_loss_of_one_image_certain() -> None:
    base = trials("default", [(0.52,)] * 3, 1.0)
    other = trials("in_model", [(0.48,)] * 3, 1.0)
    found = learning.difference(base, other, images=25)
    assert found is not None
    assert found.difference.median == pytest.approx(-0.04)
    assert not found.is_loss


def test_many_variants_that_lose_nothing_seldom_seem_to() -> None:
    """A hundred runs of nine variants that all learn alike: 95 % of them must find no loss."""
    random = np.random.default_rng(11)
    alarms = 0
    for _ in range(100):
        curves = random.normal(0.6, 0.02, (10, 3, 1))
        base = trials("default", curves[0], 1.0)
        alarms += any(
            found.is_loss
            for curve in curves[1:]
            if (
                found := learning.difference(
                    base, trials("in_model", curve, 1.0), images=2500, comparisons=9
                )
            )
        )
    assert alarms <= 6


def test_equal_epochs_are_those_that_both_have() -> None:
    base = trials("default", [LEARNS] * 3, 1.0)
    other = trials("in_model", [LEARNS[:2]] * 3, 1.0)
    found = learning.difference(base, other, images=128)
    assert found is not None
    assert found.epochs == 2
    assert found.difference.median == pytest.approx(0.0)


def test_without_a_common_seed_there_is_no_difference() -> None:
    base = trials("default", [LEARNS], 1.0)
    other = trials("in_model", [LEARNS] * 2, 1.0)[1:]
    assert learning.difference(base, other, images=128) is None
    assert learning.difference([], other, images=128) is None


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=6), st.floats(-0.3, 0.3))
def test_a_shift_that_all_seeds_share_is_the_difference(values: list[float], shift: float) -> None:
    base = trials("default", [[value] for value in values], 1.0)
    other = trials("in_model", [[value + shift] for value in values], 1.0)
    found = learning.difference(base, other, images=128)
    assert found is not None
    assert found.difference.median == pytest.approx(shift, abs=1e-9)
    assert found.difference.contains(found.difference.median)
