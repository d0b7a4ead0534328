"""For which devices a claim holds, by its map: each case once."""

from __future__ import annotations

import pytest

from bench.joint import Elsewhere, Joint, Swept
from bench.stats import Interval
from tests.bench.joint_samples import around, audited, joint, no_interval

SLOW, FAST = 64.0, 6400.0


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (joint({SLOW: around(1.0), FAST: around(15.0)}), Elsewhere.FASTER),
        (joint({SLOW: around(9.0), FAST: around(15.0)}), Elsewhere.EVERYWHERE),
        (joint({SLOW: around(1.0), FAST: around(3.0)}, alone=20.0), Elsewhere.BEYOND),
        (joint({SLOW: around(1.0), FAST: around(3.0)}, alone=None), Elsewhere.BEYOND),
        (joint({SLOW: around(1.0), FAST: around(3.0)}, alone=4.0), Elsewhere.NOWHERE),
        (joint({SLOW: around(1.0), FAST: around(7.1, 0.5)}), Elsewhere.UNDECIDED),
        (joint({SLOW: around(1.0), FAST: no_interval(15.0)}), Elsewhere.UNDECIDED),
    ],
)
def test_each_case(made: Joint, expected: Elsewhere) -> None:
    assert made.elsewhere is expected


def test_a_fast_enough_baseline_keeps_up_with_the_whole_sweep() -> None:
    points = {SLOW: around(1.0), FAST: around(1.0)}
    assert joint(points, baseline_images_per_s=7000.0).baseline_keeps_up
    assert not joint(points, baseline_images_per_s=190.0).baseline_keeps_up
    assert not joint(points, alone=None).baseline_keeps_up
    assert joint(points).baseline_images_per_s == pytest.approx(190.0)


def test_a_claim_that_holds_here_and_on_no_device_differs() -> None:
    points = {SLOW: around(1.0), FAST: around(3.0)}
    here = audited(Interval(8.0, 7.5, 8.5, 3))
    assert joint(points, measured=here).differs
    assert not joint(points).differs
    assert not joint({SLOW: around(1.0), FAST: around(15.0)}, measured=here).differs


def test_two_claims_have_no_joint_verdict() -> None:
    points = {SLOW: around(1.0), FAST: around(15.0)}
    with pytest.raises(ValueError, match="verdicts on two claims"):
        Joint(audited(candidate="plain"), joint(points).found)


def test_a_dip_at_the_fast_end_counts_against_the_claim() -> None:
    points = {SLOW: around(1.0), 640.0: around(9.0), FAST: around(4.0)}
    assert joint(points, alone=4.0).elsewhere is Elsewhere.UNDECIDED


def test_a_sweeps_verdict_is_found_by_phase_and_candidate() -> None:
    points = {SLOW: around(1.0), FAST: around(15.0)}
    ours, other = joint(points), joint(points, measured=audited(candidate="fused_cache"))
    found = Swept((ours, other), (), 2)
    assert found.of("cnn", "fused_cache") is other
    assert found.of("cnn", "plain") is None
    assert found.of("transfer", "in_model") is None
