"""Verdicts at their boundaries."""

from __future__ import annotations

import pytest

from bench.claim import BEATS_CEILING, ClaimVerdict, audit
from bench.schema import ClaimSpec
from bench.stats import Interval

CLAIM = ClaimSpec(target=7.0)


def interval(low: float | None, high: float | None) -> Interval:
    if low is None or high is None:
        return Interval(3.0, None, None, 2, "2 blocks measured, an interval needs 3")
    return Interval((low * high) ** 0.5, low, high, 3)


@pytest.mark.parametrize(
    ("speedup", "ceiling", "verdict"),
    [
        ((7.0, 8.0), (9.0, 10.0), ClaimVerdict.SUPPORTED),
        ((6.999, 8.0), (9.0, 10.0), ClaimVerdict.UNDECIDED),
        ((5.0, 7.0), (9.0, 10.0), ClaimVerdict.UNDECIDED),
        ((5.0, 6.999), (9.0, 10.0), ClaimVerdict.REFUTED),
        ((5.0, 6.0), (6.5, 7.0), ClaimVerdict.REFUTED),
        ((5.0, 6.0), (6.5, 6.999), ClaimVerdict.IMPOSSIBLE),
        ((1.1, 1.2), (1.3, 1.5), ClaimVerdict.IMPOSSIBLE),
        ((None, None), (1.3, 1.5), ClaimVerdict.IMPOSSIBLE),
        ((None, None), (9.0, 10.0), ClaimVerdict.UNDECIDED),
        ((1.1, 1.2), (None, None), ClaimVerdict.REFUTED),
    ],
)
def test_verdicts(speedup, ceiling, verdict):
    assert audit(CLAIM, "cnn", interval(*speedup), interval(*ceiling)).verdict is verdict


def test_without_a_ceiling_a_claim_is_judged_by_its_interval():
    assert audit(CLAIM, "cnn", interval(7.5, 8), None).verdict is ClaimVerdict.SUPPORTED
    assert audit(CLAIM, "cnn", interval(1.1, 1.2), None).verdict is ClaimVerdict.REFUTED


def test_an_obstacle_makes_it_undecided_whatever_the_numbers_say():
    found = audit(CLAIM, "cnn", interval(8, 9), interval(1.1, 1.2), ["the proof failed"])
    assert found.verdict is ClaimVerdict.UNDECIDED
    assert found.reasons == ("the proof failed",)
    assert found.blocks_needed is None


def test_nothing_measured_is_undecided_with_a_reason():
    found = audit(CLAIM, "cnn", None, None)
    assert found.verdict is ClaimVerdict.UNDECIDED
    assert "no block" in found.reasons[0]


def test_a_candidate_that_beats_the_ceiling_proves_nothing():
    beaten = audit(CLAIM, "cnn", interval(8, 9), interval(1.1, 1.2))
    assert (beaten.verdict, beaten.reasons) == (ClaimVerdict.UNDECIDED, (BEATS_CEILING,))
    # Refuted does not rest on the ceiling.
    assert audit(CLAIM, "cnn", interval(2, 3), interval(1.1, 1.2)).verdict is ClaimVerdict.REFUTED


def test_an_undecided_claim_says_how_many_blocks_would_decide_it():
    found = audit(CLAIM, "cnn", interval(4.0, 9.0), interval(9.0, 10.0))
    assert found.verdict is ClaimVerdict.UNDECIDED
    assert found.blocks_needed > 3
    assert audit(CLAIM, "cnn", interval(6.5, 7**2 / 6.5), None).blocks_needed is None
