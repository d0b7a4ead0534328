"""Blocks in, a value a block out: how much worse the head is than the reference, by metric.

Within a block, each turn of one process is held against the same turn of another, a moment apart,
so that what slows the machine down for a second slows both. A block's value is the mean over its
turns without the fifth that is highest and the fifth that is lowest (a trimmed mean: Tukey and
McLaughlin 1963, Sankhya A 25): a neighbour's burst hits single turns, a regression hits them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import trim_mean

from bench.gate.blocks import BlockRecord, Role, Subject
from bench.gate.decision import Series
from bench.gate.metrics import KINDS, Metric, Thresholds
from bench.schema import EpochRecord, TrialRecord

TRIMMED = 0.2
NS_PER_S = 1_000_000_000
# Waits come from two readings of the real-time clock; one that jumped gives nonsense.
LEAST_WAIT_NS = -1_000_000
# Where the self-test's slowdown shows: it is planted in the step.
PLANTED = Metric.STEP


@dataclass(frozen=True)
class BlockValues:
    """What a block comes to.

    Attributes:
        changes: how much worse the head is than the reference, by metric: a log ratio, or a share
            of the reference's epoch, or points; only what both sides have.
        noise: the same of the reference against itself; empty without a second process.
        planted: of the reference made slower, its step against the reference's.
        before, after: levels of reference and head, in the metric's unit.
        failed, why: who could not be trained, and why; then all else is empty.
    """

    subject: Subject
    changes: Mapping[Metric, float]
    noise: Mapping[Metric, float]
    planted: float | None
    before: Mapping[Metric, float]
    after: Mapping[Metric, float]
    wall_ns: int
    failed: Role | None = None
    why: str = ""


@dataclass(frozen=True)
class Pair:
    """Two processes of a block, and the steady turns in which they are compared."""

    base: TrialRecord
    other: TrialRecord
    turns: tuple[int, ...]

    def epochs(self) -> tuple[tuple[EpochRecord, EpochRecord], ...]:
        """The same turn of both."""
        return tuple((self.base.epochs[t], self.other.epochs[t]) for t in self.turns)


def evaluate(block: BlockRecord) -> BlockValues:
    """What a block comes to."""
    if block.failed:
        why = block.failure.message if block.failure else "it said nothing"
        nothing: dict[Metric, float] = {}
        return BlockValues(
            block.subject, nothing, nothing, None, {}, {}, block.wall_ns, block.failed, why
        )
    steady = range(1, len(block.reference.epochs))
    plain = tuple(turn for turn in steady if turn not in block.planted_turns)
    again = block.again
    planted = Pair(block.reference, again, block.planted_turns) if again else None
    return BlockValues(
        subject=block.subject,
        changes=_changes(Pair(block.reference, block.head, tuple(steady))),
        noise=_changes(Pair(block.reference, again, plain)) if again else {},
        planted=change(PLANTED, planted) if planted else None,
        before=_levels(block.reference),
        after=_levels(block.head),
        wall_ns=block.wall_ns,
    )


def change(metric: Metric, pair: Pair) -> float | None:
    """How much worse `other` is than `base`: log ratio, share or points; None if not measured."""
    return _CHANGES[metric](pair)


def level(metric: Metric, trial: TrialRecord) -> float | None:
    """A trial's own value, in the metric's unit; of an epoch, the trimmed mean of steady ones."""
    if metric is Metric.MEMORY:
        return float(trial.peak_rss_bytes) or None
    if metric is Metric.ACCURACY:
        return trial.epochs[-1].val_accuracy
    if metric is Metric.FIRST_EPOCH:
        return trial.training_ns(1) / NS_PER_S
    values = _known(_PARTS[metric](epoch) for epoch in trial.epochs[1:])
    return _trimmed(values) / NS_PER_S if values else None


def series(
    blocks: Sequence[BlockValues], thresholds: Thresholds, validation_images: int
) -> tuple[Series, ...]:
    """The series of each metric of one subject; one that a side lacks is there, and empty."""
    whole = [block for block in blocks if not block.failed]
    measured = {metric for block in whole for metric in (*block.before, *block.after)}
    return tuple(
        _series(metric, whole, thresholds, validation_images)
        for metric in Metric
        if metric in measured
    )


def planted_series(
    blocks: Sequence[BlockValues], subject: Subject, thresholds: Thresholds
) -> Series:
    """What was measured of the slowdown that was planted in a subject."""
    whole = [block for block in blocks if not block.failed]
    return Series(
        subject=str(subject),
        metric=PLANTED,
        unit=KINDS[PLANTED].unit,
        threshold=thresholds.of(subject.variant, PLANTED),
        changes=tuple(_known(block.planted for block in whole)),
        before=_mean(block.before.get(PLANTED) for block in whole),
        after=None,
    )


def _series(
    metric: Metric, blocks: Sequence[BlockValues], thresholds: Thresholds, validation_images: int
) -> Series:
    subject, kind = blocks[0].subject, KINDS[metric]
    counted = metric is Metric.ACCURACY and validation_images > 0
    return Series(
        subject=str(subject),
        metric=metric,
        unit=kind.unit,
        threshold=thresholds.of(subject.variant, metric),
        changes=tuple(_known(block.changes.get(metric) for block in blocks)),
        before=_mean(block.before.get(metric) for block in blocks),
        after=_mean(block.after.get(metric) for block in blocks),
        base=_base(metric, blocks),
        on_log=not kind.of_epoch and metric is not Metric.ACCURACY,
        noise=tuple(_known(block.noise.get(metric) for block in blocks)),
        least_spread=1 / validation_images if counted else 0.0,
        block_s=_mean(block.wall_ns / NS_PER_S for block in blocks),
    )


def _base(metric: Metric, blocks: Sequence[BlockValues]) -> float | None:
    """What the floor is a share of: the reference's epoch, for parts of an epoch; else its own."""
    if metric is Metric.ACCURACY:
        return 1.0
    return _mean(b.before.get(Metric.EPOCH) for b in blocks) if KINDS[metric].of_epoch else None


def _changes(pair: Pair) -> dict[Metric, float]:
    found = {metric: change(metric, pair) for metric in Metric}
    return {metric: value for metric, value in found.items() if value is not None}


def _levels(trial: TrialRecord) -> dict[Metric, float]:
    found = {metric: level(metric, trial) for metric in Metric}
    return {metric: value for metric, value in found.items() if value is not None}


def _mean(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return float(np.mean(known)) if known else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _trimmed(values: Sequence[float]) -> float:
    return float(trim_mean(np.asarray(values, dtype=np.float64), TRIMMED))


def _ratio(part: Callable[[EpochRecord], float | None]) -> Callable[[Pair], float | None]:
    def of(pair: Pair) -> float | None:
        logs = [_log(part(base), part(other)) for base, other in pair.epochs()]
        known = _known(logs)
        return _trimmed(known) if known else None

    return of


def _share(part: Callable[[EpochRecord], float | None]) -> Callable[[Pair], float | None]:
    """The difference of a part of the epoch, as a share of the base's epoch."""

    def of(pair: Pair) -> float | None:
        values = [(part(base), part(other)) for base, other in pair.epochs()]
        known = [b - a for a, b in values if a is not None and b is not None]
        epoch = _trimmed([base.epoch_ns for base, _ in pair.epochs()]) if known else 0.0
        return _trimmed(known) / epoch if 2 * len(known) > len(values) else None

    return of


def _log(base: float | None, other: float | None) -> float | None:
    return math.log(other / base) if base and other else None


def _first(pair: Pair) -> float | None:
    return _log(pair.base.training_ns(1), pair.other.training_ns(1))


def _memory(pair: Pair) -> float | None:
    return _log(pair.base.peak_rss_bytes, pair.other.peak_rss_bytes)


def _accuracy(pair: Pair) -> float | None:
    base, other = pair.base.epochs[-1].val_accuracy, pair.other.epochs[-1].val_accuracy
    return base - other if base is not None and other is not None else None


def _step_ns(epoch: EpochRecord) -> float:
    return sum(epoch.step_ns) / len(epoch.step_ns)


def _gap_ns(epoch: EpochRecord) -> float:
    return epoch.head_ns + epoch.tail_ns


def _epoch_ns(epoch: EpochRecord) -> float:
    return epoch.epoch_ns


def _wait_ns(epoch: EpochRecord) -> float | None:
    """None where it was not metered, or the clock jumped."""
    if epoch.wait_ns is None:
        return None
    pairs = zip(epoch.wait_ns, epoch.step_ns, strict=True)
    sane = all(LEAST_WAIT_NS <= wait <= 1.5 * step for wait, step in pairs)
    return sum(epoch.wait_ns) if sane else None


_PARTS: Mapping[Metric, Callable[[EpochRecord], float | None]] = {
    Metric.STEP: _step_ns,
    Metric.EPOCH: _epoch_ns,
    Metric.WAIT: _wait_ns,
    Metric.GAP: _gap_ns,
}
_CHANGES: Mapping[Metric, Callable[[Pair], float | None]] = {
    Metric.STEP: _ratio(_step_ns),
    Metric.EPOCH: _ratio(_epoch_ns),
    Metric.WAIT: _share(_wait_ns),
    Metric.GAP: _share(_gap_ns),
    Metric.FIRST_EPOCH: _first,
    Metric.MEMORY: _memory,
    Metric.ACCURACY: _accuracy,
}
