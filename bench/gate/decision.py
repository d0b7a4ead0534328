"""A value a block becomes a verdict: pure, no clock, no files.

A metric is a *regression* when it is slower beyond doubt (the lower bound of its confidence
sequence is above nothing, at an error shared out over all comparisons of the gate: Bonferroni, Dunn
1961, JASA 56) and perhaps by as much as the threshold (which the upper bound does not exclude). It
*passes* when the upper bound excludes the threshold; a gate passes if all its metrics do, which
needs no correction (intersection-union test: Berger 1982, Technometrics 24). Everything between is
inconclusive, and another block may settle it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench import stats
from bench.gate.metrics import Threshold, Unit
from bench.gate.schema import Change, Estimate, SelfTest, Verdict
from bench.gate.sequences import bounds, count_for, half_width

# Of calling any regression where there is none; of passing one of the threshold's size.
FAMILY_ERROR = 0.01
PASS_ERROR = 0.05
# Only one side of each bound is ever used, and a symmetric ratio errs as often on either side.
SIDES = 2


@dataclass(frozen=True)
class Series:
    """One metric of one subject, a value a block.

    Attributes:
        changes: relative change of each block, above 0 is worse; its logarithm if `on_log`.
        before, after: levels of reference and head, in `unit`.
        base: what a relative change is a share of, in `unit`, for the floor; None: of `before`.
        noise: the reference against itself, like `changes`.
        least_spread: blocks are taken to spread no less (a value that moves in whole steps).
        block_s: what a further block costs; None if there can be none.
    """

    subject: str
    metric: str
    unit: Unit
    threshold: Threshold
    changes: tuple[float, ...]
    before: float | None
    after: float | None
    base: float | None = None
    on_log: bool = True
    noise: tuple[float, ...] = ()
    least_spread: float = 0.0
    block_s: float | None = None

    @property
    def matters(self) -> float:
        """The relative change from which on it matters: threshold or floor, the larger one."""
        base = self.base if self.base is not None else self.before
        floor = self.threshold.floor / base if base else 0.0
        return max(self.threshold.relative, floor)

    @property
    def lacking(self) -> str:
        """Who has no such metric; empty if both sides have it."""
        sides = (("the reference", self.before), ("the head", self.after))
        return " and ".join(side for side, level in sides if level is None)

    def relative(self, value: float) -> float:
        """A value of `changes` as a relative change."""
        return math.expm1(value) if self.on_log else value

    def inner(self, relative: float) -> float:
        """A relative change as a value of `changes`."""
        return math.log1p(relative) if self.on_log else relative


def decide(series: Series, comparisons: int) -> Change:
    """What may be said of one metric, with so many comparisons in the whole gate."""
    count = len(series.changes)
    call_error, pass_error = SIDES * FAMILY_ERROR / comparisons, SIDES * PASS_ERROR
    certain = bounds(series.changes, call_error, least_spread=series.least_spread)
    own = bounds(series.changes, pass_error, least_spread=series.least_spread)
    threshold = series.inner(series.matters)
    verdict = judge(count, certain.low, own.high, threshold)
    return Change(
        subject=series.subject,
        metric=series.metric,
        unit=series.unit,
        verdict=verdict,
        why=_why(verdict, series),
        change=estimate(series, series.changes),
        sure_low=_finite(series, certain.low),
        sure_high=_finite(series, own.high),
        threshold=series.matters,
        before=series.before,
        after=series.after,
        blocks=count,
        noise=estimate(series, series.noise),
        smallest=_finite(series, _smallest(series, comparisons)),
        settle_s=_settle_s(series, comparisons) if verdict in _OPEN else None,
    )


def estimate(series: Series, values: Sequence[float]) -> Estimate | None:
    """The mean relative change with its ordinary 95 % interval (Student); None of nothing."""
    interval = stats.mean_interval(values, resolution=series.least_spread)
    if interval is None:
        return None
    if interval.low is None or interval.high is None:
        return Estimate(series.relative(interval.median), None, None)
    return Estimate(*map(series.relative, (interval.median, interval.low, interval.high)))


def see_plant(series: Series, planted: float) -> SelfTest:
    """Whether the gate told a planted slowdown from nothing, and would not let one pass."""
    found = bounds(series.changes, SIDES * PASS_ERROR, least_spread=series.least_spread)
    change = estimate(series, series.changes)
    blocks = f"after {len(series.changes)} blocks"
    if change is None:
        return SelfTest(planted, False, None, "no planted turn was measured")
    if found.high < series.inner(planted):
        why = f"{blocks} a slowdown of the planted size is excluded, so that one would pass"
        return SelfTest(planted, False, change, why)
    if found.low > 0:
        return SelfTest(planted, True, change, "the planted slowdown was told from nothing")
    why = f"{blocks} the planted slowdown could be nothing as well"
    return SelfTest(planted, False, change, why)


def conclude(
    changes: Sequence[Change], self_test: SelfTest | None, *, self_test_wanted: bool
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict on all metrics together, and why: the gravest reason first."""
    by_verdict = {
        verdict: [change for change in changes if change.verdict is verdict] for verdict in Verdict
    }
    if by_verdict[Verdict.REGRESSION]:
        return Verdict.REGRESSION, _reasons(by_verdict[Verdict.REGRESSION])
    if len(by_verdict[Verdict.NOTHING]) == len(changes):
        return Verdict.NOTHING, _reasons(changes) or ("there was nothing to compare",)
    unsettled = by_verdict[Verdict.INCONCLUSIVE] + by_verdict[Verdict.NOTHING]
    if unsettled:
        return Verdict.INCONCLUSIVE, _reasons(unsettled)
    if self_test_wanted and not (self_test and self_test.seen):
        why = self_test.why if self_test else "no slowdown was planted"
        return Verdict.INCONCLUSIVE, (f"the gate did not prove that it can fail: {why}",)
    count = len(changes)
    alike = "the one comparison" if count == 1 else f"each of {count} comparisons"
    return Verdict.PASS, (f"{alike} excludes a change of its threshold's size",)


_OPEN = (Verdict.INCONCLUSIVE,)


def judge(count: int, certain_low: float, high: float, threshold: float) -> Verdict:
    """The verdict on a change that lies between these bounds, after so many blocks."""
    if not count:
        return Verdict.NOTHING
    if high < threshold:
        return Verdict.PASS
    return Verdict.REGRESSION if certain_low > 0 else Verdict.INCONCLUSIVE


def _why(verdict: Verdict, series: Series) -> str:
    count = len(series.changes)
    blocks = f"{count} block{'' if count == 1 else 's'}"
    return {
        Verdict.PASS: f"after {blocks} a change of the threshold's size is excluded",
        Verdict.REGRESSION: f"after {blocks} worse beyond doubt, and perhaps by the threshold",
        Verdict.INCONCLUSIVE: f"after {blocks} neither nothing nor the threshold is excluded",
        Verdict.NOTHING: f"{series.lacking or 'no turn of both'} did not measure it",
    }[verdict]


def _reasons(changes: Sequence[Change]) -> tuple[str, ...]:
    return tuple(f"{change.subject}, {change.metric}: {change.why}" for change in changes)


def _spread(series: Series) -> float:
    if len(series.changes) < 2:
        return math.inf
    return max(float(np.std(np.asarray(series.changes), ddof=1)), series.least_spread)


def _finite(series: Series, value: float) -> float | None:
    return series.relative(value) if math.isfinite(value) else None


def _smallest(series: Series, comparisons: int) -> float:
    """The change whose lower bound would have been above nothing, with blocks like these."""
    width = half_width(len(series.changes), SIDES * FAMILY_ERROR / comparisons)
    return math.inf if math.isinf(width) else width * _spread(series)


def _settle_s(series: Series, comparisons: int) -> float | None:
    """The measuring time after which blocks like these would settle it, either way."""
    spread = _spread(series)
    if series.block_s is None or not math.isfinite(spread):
        return None
    centre = float(np.mean(series.changes))
    room = series.inner(series.matters) - centre
    counts = [
        count_for(half, spread, SIDES * error)
        for half, error in ((room, PASS_ERROR), (centre, FAMILY_ERROR / comparisons))
        if half > 0
    ]
    known = [count for count in counts if count is not None]
    return min(known) * series.block_s if known else None
