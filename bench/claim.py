"""The claim audited: "`candidate` is `target` times as fast as `baseline` per epoch"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.schema import ClaimSpec
from bench.stats import Interval, blocks_to_decide


class ClaimVerdict(StrEnum):
    """What the measurement says about a claim. Missing evidence is `undecided`, never a pass."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    IMPOSSIBLE = "impossible here"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class ClaimAudit:
    """A claim beside what was measured.

    Attributes:
        speedup: of the candidate over the baseline.
        ceiling: the baseline over the compute ceiling without augmentation: the most that any
            pipeline could give here.
        reasons: why it is undecided, where the numbers alone would not say it.
        blocks_needed: blocks in all that would decide it, where that can be foreseen.
    """

    phase: str
    claim: ClaimSpec
    speedup: Interval | None
    ceiling: Interval | None
    verdict: ClaimVerdict
    reasons: tuple[str, ...] = ()
    blocks_needed: int | None = None

    @property
    def ceiling_holds(self) -> bool:
        """Whether there is a ceiling with an interval, and the candidate did not beat it."""
        if self.ceiling is None or self.ceiling.low is None:
            return False
        return self.speedup is None or not _beaten(self.speedup, self.ceiling)


BEATS_CEILING = (
    "the candidate was faster than the ceiling, so one of the two was not measured right"
)


def audit(
    claim: ClaimSpec,
    phase: str,
    speedup: Interval | None,
    ceiling: Interval | None,
    obstacles: Sequence[str] = (),
) -> ClaimAudit:
    """Judge the claim. `obstacles` (no data, a failed proof) make it undecided by themselves."""
    reasons = tuple(obstacles)
    if speedup is None and not reasons:
        reasons = ("no block has both the baseline and the candidate",)
    verdict = ClaimVerdict.UNDECIDED
    if not reasons and speedup is not None:
        verdict, reasons = _judge(claim.target, speedup, ceiling)
    needed = None
    if verdict is ClaimVerdict.UNDECIDED and not reasons and speedup is not None:
        needed = blocks_to_decide(speedup, claim.target)
    return ClaimAudit(phase, claim, speedup, ceiling, verdict, reasons, needed)


def _judge(
    target: float, speedup: Interval, ceiling: Interval | None
) -> tuple[ClaimVerdict, tuple[str, ...]]:
    """The verdict from the numbers; `impossible here` goes before `refuted`."""
    if _below(ceiling, target) and not _beaten(speedup, ceiling):
        return ClaimVerdict.IMPOSSIBLE, ()
    if speedup.low is None:
        return ClaimVerdict.UNDECIDED, (f"there is no interval ({speedup.why})",)
    if _below(speedup, target):
        return ClaimVerdict.REFUTED, ()
    if speedup.low < target:
        return ClaimVerdict.UNDECIDED, ()
    if _beaten(speedup, ceiling):
        return ClaimVerdict.UNDECIDED, (BEATS_CEILING,)
    return ClaimVerdict.SUPPORTED, ()


def _below(interval: Interval | None, target: float) -> bool:
    return interval is not None and interval.high is not None and interval.high < target


def _beaten(speedup: Interval, ceiling: Interval | None) -> bool:
    """Whether the speedup lies wholly above the most that should be possible."""
    return (
        ceiling is not None
        and ceiling.high is not None
        and speedup.low is not None
        and speedup.low > ceiling.high
    )
