"""Series in, verdicts out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.gate.decision import Series, conclude, decide, see_plant
from bench.gate.metrics import Threshold, Unit
from bench.gate.schema import Change, SelfTest, Verdict

SPREAD = (-0.01, 0.01, -0.005, 0.005, 0.0, 0.008, -0.008)
SEEN = SelfTest(0.05, True, None, "seen")


def series(centre: float, blocks: int = 7, **other: object) -> Series:
    changes = tuple(math.log1p(centre) + SPREAD[n % len(SPREAD)] for n in range(blocks))
    base = Series("in_model, cnn", "epoch", Unit.SECONDS, Threshold(0.05), changes, 0.4, 0.4)
    return replace(base, **other)


def change(verdict: Verdict) -> Change:
    found = decide(series(0.0), 1)
    return replace(found, verdict=verdict, why=f"because {verdict}")


def test_no_change_passes() -> None:
    found = decide(series(0.0), 7)
    assert found.verdict is Verdict.PASS
    assert found.sure_high is not None
    assert found.sure_high < 0.05
    assert found.settle_s is None


def test_a_tenth_slower_is_a_regression() -> None:
    found = decide(series(0.10, 14), 7)
    assert found.verdict is Verdict.REGRESSION
    assert found.change is not None
    assert found.change.value == pytest.approx(0.10, abs=0.002)
    assert found.change.low is not None
    assert found.sure_low is not None
    assert 0 < found.sure_low < found.change.low


def test_slower_but_surely_by_less_than_the_threshold_passes() -> None:
    found = decide(series(0.02, 21), 7)
    assert found.sure_low is not None
    assert found.sure_low > 0
    assert found.verdict is Verdict.PASS


def test_too_few_blocks_are_inconclusive_and_say_what_would_settle_it() -> None:
    found = decide(series(0.0, 3, block_s=30.0, threshold=Threshold(0.03)), 7)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.settle_s is not None
    assert found.settle_s > 3 * 30
    assert found.settle_s % 30 == 0


def test_two_blocks_have_no_bounds() -> None:
    found = decide(series(0.5, 2), 7)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert (found.sure_low, found.sure_high, found.smallest) == (None, None, None)
    assert found.change is not None
    assert found.change.low is None


def test_nothing_measured_is_no_pass() -> None:
    found = decide(series(0.0, 0), 7)
    assert found.verdict is Verdict.NOTHING
    assert found.change is None


def test_below_the_floor_a_change_does_not_matter() -> None:
    slow = series(0.10, 14, threshold=Threshold(0.05, floor=0.2))
    found = decide(slow, 7)
    assert found.threshold == pytest.approx(0.5)
    assert found.verdict is Verdict.PASS


def test_the_floor_of_a_part_of_the_epoch_is_a_share_of_the_epoch() -> None:
    part = series(0.0, before=0.001, base=0.4, threshold=Threshold(0.05, floor=0.04))
    assert part.matters == pytest.approx(0.1)


def test_more_comparisons_ask_for_more() -> None:
    alone, among = decide(series(0.06, 8), 1), decide(series(0.06, 8), 70)
    assert alone.sure_low is not None
    assert among.sure_low is not None
    assert among.sure_low < alone.sure_low
    assert among.sure_high == alone.sure_high


def test_points_are_not_on_the_log_scale() -> None:
    lost = series(0.0, changes=(0.1, 0.12, 0.11, 0.1, 0.12, 0.11), on_log=False)
    found = decide(lost, 1)
    assert found.change is not None
    assert found.change.value == pytest.approx(0.11)


def test_plant_is_seen_or_not() -> None:
    assert see_plant(series(0.05, 9), 0.05).seen
    nothing = see_plant(series(0.0, 9), 0.05)
    assert not nothing.seen
    assert "9 blocks" in nothing.why
    assert not see_plant(series(0.0, 0), 0.05).seen


def test_a_plant_that_arrives_diluted_is_not_seen() -> None:
    # Told from nothing, but a slowdown of the planted size would have passed.
    diluted = see_plant(series(0.02, 9), 0.05)
    assert diluted.change is not None
    assert diluted.change.low is not None
    assert diluted.change.low > 0
    assert not diluted.seen
    assert "a slowdown of the planted size is excluded" in diluted.why


def test_all_passes_are_a_pass_only_with_the_self_test_seen() -> None:
    passes = [change(Verdict.PASS)] * 3
    assert conclude(passes, SEEN, self_test_wanted=True)[0] is Verdict.PASS
    assert conclude(passes, None, self_test_wanted=False)[0] is Verdict.PASS
    blind = replace(SEEN, seen=False, why="could be nothing as well")
    verdict, reasons = conclude(passes, blind, self_test_wanted=True)
    assert verdict is Verdict.INCONCLUSIVE
    assert "could be nothing as well" in reasons[0]
    assert conclude(passes, None, self_test_wanted=True)[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([Verdict.PASS, Verdict.REGRESSION, Verdict.INCONCLUSIVE], Verdict.REGRESSION),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], Verdict.INCONCLUSIVE),
        ([Verdict.PASS, Verdict.NOTHING], Verdict.INCONCLUSIVE),
        ([Verdict.NOTHING, Verdict.NOTHING], Verdict.NOTHING),
        ([], Verdict.NOTHING),
    ],
)
def test_the_gravest_finding_is_the_verdict(verdicts: list[Verdict], expected: Verdict) -> None:
    verdict, reasons = conclude([change(v) for v in verdicts], SEEN, self_test_wanted=True)
    assert verdict is expected
    assert reasons
    assert all(reasons)


def test_a_regression_stays_one_when_the_self_test_saw_nothing() -> None:
    blind = replace(SEEN, seen=False)
    verdict, _ = conclude([change(Verdict.REGRESSION)], blind, self_test_wanted=True)
    assert verdict is Verdict.REGRESSION
