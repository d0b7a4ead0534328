"""What a gate compares, and from which size on a change matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bench.schema import require


class Metric(StrEnum):
    """What is compared. More is worse in each of them, but for accuracy, whose loss is compared."""

    STEP = "step"
    EPOCH = "epoch"
    WAIT = "input_wait"
    GAP = "boundary_gap"
    FIRST_EPOCH = "first_epoch"
    MEMORY = "peak_memory"
    ACCURACY = "accuracy"


class Unit(StrEnum):
    """What a metric is counted in."""

    SECONDS = "s"
    BYTES = "bytes"
    SHARE = "share"
    TIMES = "times"


@dataclass(frozen=True)
class Threshold:
    """From which size on a change matters: it must exceed both.

    Attributes:
        relative: a share of the reference's value; of its epoch, for the parts of an epoch that
            are near nothing in a good pipeline (wait and gap). 0.05 is 5 %. For accuracy, points.
        floor: in the metric's own unit; below it a change is never a regression.
    """

    relative: float
    floor: float = 0.0

    def __post_init__(self) -> None:
        require(0 < self.relative < 10, f"relative must be in (0, 10), found {self.relative}")
        require(self.floor >= 0, f"floor must be 0 or more, found {self.floor}")


@dataclass(frozen=True)
class MetricKind:
    """What a metric is.

    `of_epoch`: changes are counted as a share of the reference's epoch, not of the metric itself.
    """

    title: str
    unit: Unit
    default: Threshold
    of_epoch: bool = False


# Defaults: 5 % where many turns average the noise out. A first epoch is measured once a process,
# and traces: within a tenth or so on a quiet machine. Memory is what an allocator keeps. Accuracy
# after few epochs on few images moves by whole images.
KINDS: Mapping[Metric, MetricKind] = {
    Metric.STEP: MetricKind("steady step", Unit.SECONDS, Threshold(0.05, 0.000_2)),
    Metric.EPOCH: MetricKind("steady epoch", Unit.SECONDS, Threshold(0.05, 0.005)),
    Metric.WAIT: MetricKind("input wait", Unit.SECONDS, Threshold(0.05, 0.005), of_epoch=True),
    Metric.GAP: MetricKind("boundary gap", Unit.SECONDS, Threshold(0.05, 0.005), of_epoch=True),
    Metric.FIRST_EPOCH: MetricKind("first epoch", Unit.SECONDS, Threshold(0.30, 0.2)),
    Metric.MEMORY: MetricKind("peak memory", Unit.BYTES, Threshold(0.10, 32 * 2**20)),
    Metric.ACCURACY: MetricKind("accuracy", Unit.SHARE, Threshold(0.10)),
}


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of a gate: for a variant's metric, else for the metric, else the default."""

    metrics: Mapping[Metric, Threshold] = field(default_factory=dict)
    variants: Mapping[str, Mapping[Metric, Threshold]] = field(default_factory=dict)

    def of(self, variant: str, metric: Metric) -> Threshold:
        """The threshold that a variant's metric is held to."""
        own = self.variants.get(variant, {})
        return own.get(metric) or self.metrics.get(metric) or KINDS[metric].default
