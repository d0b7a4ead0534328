"""Trials of two variants become a comparison."""

from __future__ import annotations

import pytest

from bench.compare import Outcome, block_times, compare, fastest
from leafmodel.pipelines.facts import MadeOnce
from tests.bench.samples import failed_record, trial_record, trial_spec


def trials(variant, values, first=12.0):
    return [
        trial_record(trial_spec(variant, block=block), (first, value, value * 1.001))
        for block, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ((5.0, 5.1, 4.9), Outcome.FASTER),
        ((20.0, 21.0, 19.0), Outcome.SLOWER),
        ((10.0, 11.0, 9.0), Outcome.NO_DIFFERENCE),
        ((5.0, 5.1), Outcome.NO_INTERVAL),
    ],
)
def test_outcomes(values, outcome):
    found = compare(trials("default", (10.0, 10.1, 9.9)), trials("in_model", values))
    assert found.outcome is outcome
    assert (found.phase, found.baseline, found.variant) == ("cnn", "default", "in_model")


def test_no_common_block_is_nothing_measured():
    base = trials("default", (10.0,))
    other = [trial_record(trial_spec("in_model", block=5))]
    assert compare(base, other).outcome is Outcome.NOTHING
    assert compare(base, []) is None


def test_failed_trials_are_left_out():
    spec = trial_spec("in_model", block=1)
    assert block_times([failed_record(spec)]) == ()
    found = compare(trials("default", (10.0, 10.0)), [failed_record(spec)])
    assert found.outcome is Outcome.NOTHING


def test_the_first_epoch_only_counts_in_the_amortised_speedup():
    base, other = trials("default", (10.0,) * 3, 10.0), trials("cache", (5.0,) * 3, 50.0)
    found = compare(base, other)
    assert found.speedup.median == pytest.approx(2.0)
    assert found.amortised[1].median == pytest.approx(0.2)
    assert found.amortised[5].median == pytest.approx(50.02 / 70.01, rel=1e-3)


def test_a_file_that_another_trial_made_counts_in_every_first_epoch():
    """Blocks differ by luck in which one made it, and must not differ by that."""
    made, found = (MadeOnce(2_000_000_000, found=is_there, size_bytes=1) for is_there in (0, 1))
    spec = trial_spec("memory_mapped")
    times = block_times(
        [
            trial_record(spec, (12.0, 5.0), made_once=made),
            trial_record(spec, (10.0, 5.0), made_once=found),
        ]
    )
    assert [item.first for item in times] == pytest.approx([12.0, 12.0])
    assert [item.steady for item in times] == [(5.0,), (5.0,)]


def test_the_fastest_variant_of_each_phase_has_the_shortest_median_epoch():
    def one(variant, seconds, **changes):
        return trial_record(trial_spec(variant, **changes), (99.0, *seconds))

    found = fastest(
        [
            one("default", (10.0, 10.0)),
            one("default", (1.0, 1.0), replica=1),
            one("plain", (9.0, 9.0, 30.0)),
            one("in_model", (9.5, 9.5)),
            one("ceiling_none", (7.0, 7.0)),
            one("in_model", (4.0, 4.0), phase="late"),
            one("plain", (), phase="late"),
        ]
    )
    assert found == {"cnn": "plain", "late": "in_model"}
