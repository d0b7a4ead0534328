"""The claim judged twice: measured on this machine, and by emulation for devices of other speeds.

The two are never averaged or mixed: the joint verdict says both, side by side. What was emulated
holds for the cores and files of the run, whose pipelines are real. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bench.claim import ClaimAudit, ClaimVerdict
from bench.claim_map import ClaimMap


class Elsewhere(StrEnum):
    """For which devices a claim holds, by its map.

    `nowhere` needs two things: no swept device reaches the target, and the pipelines alone, with no
    model at all, do not either. `beyond the sweep`: they do, so that a faster device may.
    """

    FASTER = "on faster devices"
    EVERYWHERE = "on every device of the sweep"
    BEYOND = "beyond the sweep, if at all"
    NOWHERE = "at no device speed"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Joint:
    """Both verdicts on one candidate in one phase; of two different claims there is none."""

    audit: ClaimAudit
    found: ClaimMap

    def __post_init__(self) -> None:
        ours, theirs = ((item.phase, item.claim) for item in (self.audit, self.found))
        if ours != theirs:
            raise ValueError(f"these are verdicts on two claims: {ours} and {theirs}")

    @property
    def elsewhere(self) -> Elsewhere:
        """For which devices it holds; without intervals nothing is decided."""
        where, slowest = self.found.crossing, self.found.slowest.images_per_s
        if any(point.speedup.low is None for point in self.found.points):
            return Elsewhere.UNDECIDED
        if where.latest is not None:
            return Elsewhere.FASTER if where.latest > slowest else Elsewhere.EVERYWHERE
        if where.earliest is not None:
            return Elsewhere.UNDECIDED
        limit = self.limit
        if limit is not None and limit < self.audit.claim.target:
            return Elsewhere.NOWHERE
        return Elsewhere.BEYOND

    @property
    def limit(self) -> float | None:
        """The speedup on a device that takes no time: of the pipelines alone; None if not timed."""
        return self.found.loaders.speedup if self.found.loaders else None

    @property
    def baseline_images_per_s(self) -> float | None:
        """What the baseline's pipeline alone makes; a slower device never waits for it."""
        loaders = self.found.loaders
        return self.found.batch_size / loaders.baseline_s if loaders else None

    @property
    def baseline_keeps_up(self) -> bool:
        """Whether even the fastest swept device is no faster than the baseline's own pipeline."""
        own = self.baseline_images_per_s
        return own is not None and own >= self.found.fastest.images_per_s

    @property
    def differs(self) -> bool:
        """Whether it was measured to hold here, and emulated to hold on no device of the sweep.

        A CPU can do that: it shares its cores with the pipeline, an emulated device uses none.
        """
        nowhere = self.elsewhere in (Elsewhere.NOWHERE, Elsewhere.BEYOND)
        return self.audit.verdict is ClaimVerdict.SUPPORTED and nowhere


@dataclass(frozen=True)
class Swept:
    """What the sweep of a run says.

    Attributes:
        joints: of the claim's candidate in each phase, then of the other swept variants.
        runs: the step that each device of the map takes, and its run's folder in the run's.
        planned: devices that the sweep was to have.
        notes: sentences on what is missing, and why.
    """

    joints: tuple[Joint, ...]
    runs: tuple[tuple[str, str], ...]
    planned: int
    notes: tuple[str, ...] = ()

    def of(self, phase: str, candidate: str) -> Joint | None:
        """The verdict on a candidate in a phase."""
        found = (item for item in self.joints if item.audit.phase == phase)
        return next((item for item in found if item.audit.claim.candidate == candidate), None)
