"""Two runs that were measured apart, on any machines, become a verdict: pure, no clock, no files.

What travels is what was formed inside a run: the speedup over its baseline, the share of its
compute ceiling, the share of its steps that wait for input. Seconds do not, unless machine,
versions, images and workload are the same; even then they may hold a pass up, but call nothing a
regression: two runs are two jobs, and between jobs the machine may be another one.

Each side is known by its intervals (`bench.gate.welch`); the rule for a verdict is the gate's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bench.environment import leafbench_version
from bench.gate import travel, welch
from bench.gate.decision import FAMILY_ERROR, PASS_ERROR, SIDES, Series, conclude, judge
from bench.gate.metrics import Metric, Threshold, Thresholds, Unit
from bench.gate.schema import (
    VERDICT_VERSION,
    Change,
    Estimate,
    Side,
    Source,
    Verdict,
    VerdictRecord,
)
from bench.gate.summary_files import Measured, Summary, VariantSummary
from bench.report.formats import plural
from bench.stats import CONFIDENCE, MIN_BLOCKS


class Compared(StrEnum):
    """What of two runs is compared."""

    SPEEDUP = "speedup"
    CEILING = "share_of_ceiling"
    WAIT = "input_wait_share"
    EPOCH = "epoch"


@dataclass(frozen=True)
class _Kind:
    """How a metric is compared.

    Attributes:
        like: the gate's metric whose relative threshold it is held to.
        floor: in its unit; None: that of `like`.
        more_is_worse: else less is.
        on_log: changes are of the epoch's time; else they are points.
    """

    unit: Unit
    like: Metric
    floor: float | None
    of: Callable[[VariantSummary], Measured | None]
    more_is_worse: bool
    on_log: bool = True


_KINDS: Mapping[Compared, _Kind] = {
    Compared.SPEEDUP: _Kind(Unit.TIMES, Metric.EPOCH, 0.02, lambda v: v.speedup, False),
    Compared.CEILING: _Kind(Unit.SHARE, Metric.EPOCH, 0.01, lambda v: v.ceiling, False),
    Compared.WAIT: _Kind(Unit.SHARE, Metric.WAIT, 0.01, lambda v: v.wait, True, on_log=False),
    Compared.EPOCH: _Kind(Unit.SECONDS, Metric.EPOCH, None, lambda v: v.steady_epoch_s, True),
}


@dataclass(frozen=True)
class _Case:
    """One metric of one (variant, phase), as both runs have it."""

    metric: Compared
    series: Series
    reference: Measured | None
    head: Measured | None

    @property
    def kind(self) -> _Kind:
        return _KINDS[self.metric]

    def means(self) -> tuple[welch.Mean, welch.Mean] | None:
        """Both on the scale of changes, the second above the first where the head is worse."""
        found = (_mean(self.reference, self.kind.on_log), _mean(self.head, self.kind.on_log))
        base, other = found if self.kind.more_is_worse else found[::-1]
        return None if base is None or other is None else (base, other)

    def centre(self) -> float | None:
        """The change without its interval, on the scale of changes."""
        if self.reference is None or self.head is None:
            return None
        scale = math.log if self.kind.on_log else float
        change = scale(self.head.median) - scale(self.reference.median)
        return change if self.kind.more_is_worse else -change


def check(
    reference: Summary, head: Summary, thresholds: Thresholds, created_at: str
) -> VerdictRecord:
    """The verdict on `head` against `reference`.

    Args:
        thresholds: those of a gate. `epoch`'s holds for speedup, share of the ceiling and seconds,
            which all change as an epoch does; `input_wait`'s for the share of waiting, in points.
        created_at: UTC, ISO 8601.
    """
    refused = travel.refusal(reference, head)
    cases = () if refused else _cases(reference, head, thresholds)
    changes = tuple(_change(case, len(cases)) for case in cases)
    verdict, reasons = conclude(changes, None, self_test_wanted=False)
    if not changes:
        reasons = (refused or _nothing_common(reference, head),)
    problems = tuple(travel.problems(reference, head))
    if problems and verdict in (Verdict.PASS, Verdict.REGRESSION):
        verdict, reasons = Verdict.INCONCLUSIVE, (*problems, *reasons)
    return VerdictRecord(
        schema_version=VERDICT_VERSION,
        source=Source.SUMMARIES,
        verdict=verdict,
        reasons=reasons,
        created_at=created_at,
        leafbench_version=leafbench_version(),
        reference=_side(reference),
        head=_side(head),
        changes=changes,
        self_test=None,
        family_error=FAMILY_ERROR,
        budget_s=None,
        spent_s=None,
        blocks=max((change.blocks for change in changes), default=0),
        notes=() if refused else tuple(travel.notes(reference, head)),
        environment=head.environment,
    )


def _cases(reference: Summary, head: Summary, thresholds: Thresholds) -> tuple[_Case, ...]:
    """What at least one side has measured, of what both have trained."""
    theirs = {(item.variant, item.phase): item for item in head.variants}
    pairs = [(item, theirs.get((item.variant, item.phase))) for item in reference.variants]
    return tuple(
        case
        for ours, other in pairs
        if other is not None
        for metric in _metrics(reference, head)
        if (case := _case(metric, ours, other, thresholds)).reference or case.head
    )


def _metrics(reference: Summary, head: Summary) -> Sequence[Compared]:
    refused = set()
    if reference.claim != head.claim:
        refused.add(Compared.SPEEDUP)
    if travel.seconds_refusal(reference, head):
        refused.add(Compared.EPOCH)
    return [metric for metric in Compared if metric not in refused]


def _case(
    metric: Compared, reference: VariantSummary, head: VariantSummary, thresholds: Thresholds
) -> _Case:
    kind = _KINDS[metric]
    before, after = kind.of(reference), kind.of(head)
    held_to = thresholds.of(head.variant, kind.like)
    floor = held_to.floor if kind.floor is None else kind.floor
    series = Series(
        subject=f"{head.variant}, {head.phase}",
        metric=metric,
        unit=kind.unit,
        threshold=Threshold(held_to.relative, floor),
        changes=(),
        before=before.median if before else None,
        after=after.median if after else None,
        base=None if kind.on_log else 1.0,
        on_log=kind.on_log,
    )
    return _Case(metric, series, before, after)


def _change(case: _Case, comparisons: int) -> Change:
    """What may be said of one metric, with so many comparisons in all."""
    means, centre, series = case.means(), case.centre(), case.series
    if centre is None:
        return _open(case, Verdict.NOTHING, "only one side has measured it", None)
    if means is None:
        estimate = Estimate(series.relative(centre), None, None)
        return _open(case, Verdict.INCONCLUSIVE, _no_interval(case), estimate)
    found = welch.difference(*means)
    low = found.bounds(SIDES * FAMILY_ERROR / comparisons).low
    high = found.bounds(SIDES * PASS_ERROR).high
    own = found.bounds(1 - CONFIDENCE)
    blocks = min(mean.blocks for mean in means)
    verdict = judge(blocks, low, high, series.inner(series.matters))
    if verdict is Verdict.REGRESSION and case.metric is Compared.EPOCH:
        verdict, why = Verdict.INCONCLUSIVE, _TWO_JOBS
    else:
        why = _why(verdict, case, means, comparisons)
    return replace(
        _open(case, verdict, why, Estimate(*map(series.relative, (centre, own.low, own.high)))),
        sure_low=series.relative(low),
        sure_high=series.relative(high),
        blocks=blocks,
        smallest=series.relative(found.half_width(SIDES * FAMILY_ERROR / comparisons)),
    )


_TWO_JOBS = "slower than blocks of one run differ, but two runs are two jobs: measure both in one"


def _why(
    verdict: Verdict, case: _Case, means: tuple[welch.Mean, welch.Mean], comparisons: int
) -> str:
    counts = [item.blocks for item in (case.reference, case.head) if item]
    blocks = f"{counts[0]} blocks against {counts[1]}"
    if verdict is Verdict.PASS:
        return f"{blocks} exclude a change of the threshold's size"
    if verdict is Verdict.REGRESSION:
        return f"{blocks} show it worse beyond doubt, and perhaps by the threshold"
    enough = _blocks_to_settle(case, means, comparisons)
    settling = f"{enough} a side would" if enough else "no number within reason would"
    return f"{blocks} exclude neither nothing nor the threshold; {settling} settle it"


def _no_interval(case: _Case) -> str:
    """Which side has none, and why."""
    sides = (("reference", case.reference), ("head", case.head))
    lacking = ((side, v) for side, v in sides if v and _mean(v, case.kind.on_log) is None)
    side, value = next(lacking)
    if not value.blocks:
        why = "an older leafbench wrote it; write its summary again with `leafbench report RUN`"
    elif value.low is None:
        why = f"it has {plural(value.blocks, 'block')}, an interval needs {MIN_BLOCKS}"
    else:
        why = "one without width, or of so few blocks, is none"
    return f"the {side} has no interval of it: {why}"


def _blocks_to_settle(
    case: _Case, means: tuple[welch.Mean, welch.Mean], comparisons: int
) -> int | None:
    """Blocks on each side after which runs like these would be decided, either way."""
    centre = means[1].centre - means[0].centre
    room = case.series.inner(case.series.matters) - centre
    ways = ((room, SIDES * PASS_ERROR), (centre, SIDES * FAMILY_ERROR / comparisons))
    counts = [welch.blocks_for(*means, half, error) for half, error in ways if half > 0]
    return min((count for count in counts if count is not None), default=None)


def _open(case: _Case, verdict: Verdict, why: str, estimate: Estimate | None) -> Change:
    """A change without bounds."""
    series = case.series
    return Change(
        subject=series.subject,
        metric=series.metric,
        unit=series.unit,
        verdict=verdict,
        why=why,
        change=estimate,
        sure_low=None,
        sure_high=None,
        threshold=series.matters,
        before=series.before,
        after=series.after,
        blocks=0,
    )


def _mean(value: Measured | None, on_log: bool) -> welch.Mean | None:
    if value is None or value.low is None or value.high is None:
        return None
    low, high = (math.log(end) if on_log else end for end in (value.low, value.high))
    return welch.mean_of(low, high, value.blocks)


def _nothing_common(reference: Summary, head: Summary) -> str:
    def names(summary: Summary) -> str:
        found = [f"{item.variant}, {item.phase}" for item in summary.variants]
        return f"{summary.where} has {'; '.join(found) or 'none'}"

    return (
        "the two runs have no variant and phase in common that was measured: "
        f"{names(reference)} - {names(head)}"
    )


def _side(summary: Summary) -> Side:
    return Side(summary.where, subject=f"run {summary.run_id} of {summary.created_at}")
