"""How near the best variant of each phase comes to its compute ceiling, and if not, why. Pure.

The ceiling has the augmentation in the same place as the variant: what is missing to it is the
pipeline's doing, not the model's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.evidence import Finding, where
from bench.measures import VariantResult
from bench.results import RunResults
from bench.stats import Interval

GOAL = 0.98
# What a variant can be bound by, by its profile or, without one, by its timed trials.
REASONS = ("input-bound", "sequential-stage", "augmentation-bound", "compute-bound")


@dataclass(frozen=True)
class Reached:
    """The fastest variant of a phase beside its ceiling.

    Attributes:
        share: ceiling over steady epoch, formed inside blocks; None where one was not measured.
        reason: what binds it; from its profile where it has one.
    """

    phase: str
    variant: str
    share: Interval | None
    reason: Finding | None
    is_profiled: bool

    @property
    def is_reached(self) -> bool:
        """Whether it runs at the goal or above, by its centre."""
        return self.share is not None and self.share.median >= GOAL


def reached(results: RunResults) -> tuple[Reached, ...]:
    """The best variant of each phase that has one."""
    return tuple(_each(results))


def _each(results: RunResults) -> Iterator[Reached]:
    for phase in results.phases:
        best = results.fastest(phase)
        if best is not None:
            reason, profiled = _reason(results, best), _is_profiled(results, best)
            yield Reached(phase, best.variant, best.share_of_ceiling, reason, profiled)


def _reason(results: RunResults, best: VariantResult) -> Finding | None:
    own = (item for item in results.findings if item.where == where(best))
    return next((item for item in own if item.code in REASONS), None)


def _is_profiled(results: RunResults, best: VariantResult) -> bool:
    return any(where(item) == where(best) for item in results.profiles)
