"""What findings are made from, and what a finding is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bench.learning import AccuracyDifference
from bench.measures import VariantResult
from bench.profile_measures import ProfileResult
from bench.profile_schema import ProfileRecord
from bench.schema import RunRecord, TrialRecord, TrialStatus, VariantProof
from bench.stats import Interval

# Below a tenth of the steps, waiting is not worth anybody's time.
INPUT_BOUND_SHARE = 0.10


class Severity(StrEnum):
    """`problem`: do not believe or use it so. `warning`: read it with care. `info`: explains."""

    PROBLEM = "problem"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """One thing to know: what, where, measured cost (seconds an epoch, or a share), remedy."""

    code: str
    severity: Severity
    what: str
    where: str
    remedy: str
    cost_s: float | None = None
    cost_share: float | None = None


@dataclass(frozen=True)
class Evidence:
    """A run and what was computed from it."""

    run: RunRecord
    trials: tuple[TrialRecord, ...]
    variants: tuple[VariantResult, ...]
    ceilings: tuple[VariantResult, ...]
    noise_floor: Mapping[str, Interval | None]
    proofs: Mapping[str, VariantProof]
    profiles: tuple[ProfileResult, ...] = ()
    unread_profiles: tuple[ProfileRecord, ...] = ()
    differences: tuple[AccuracyDifference, ...] = ()

    @property
    def good(self) -> tuple[TrialRecord, ...]:
        """The trials that went well."""
        return tuple(trial for trial in self.trials if trial.status is TrialStatus.OK)


def where(item: VariantResult | ProfileResult) -> str:
    """How a finding names a (variant, phase)."""
    return f"{item.variant}, {item.phase}"
