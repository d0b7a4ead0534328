"""Blocks in, a value a block out: how much worse the head is than the reference, by metric.

Within a block, each turn of one process is held against the same turn of another, a moment apart,
so that what slows the machine down for a second slows both. A block's value is the mean over its
turns without the tenth that is highest and the tenth that is lowest (a trimmed mean: Tukey and
McLaughlin 1963, Sankhya A 25): a neighbour's burst hits single turns, a regression hits them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import trim_mean

from bench.gate.blocks import BlockRecord, Subject
from bench.gate.decision import Series
from bench.gate.metrics import KINDS, Metric, Thresholds
from bench.schema import EpochRecord, TrialRecord

TRIMMED = 0.1
NS_PER_S = 1_000_000_000
# Waits come from two readings of the real-time clock; one that jumped gives nonsense.
LEAST_WAIT_NS = -1_000_000


@dataclass(frozen=True)
class Pair:
    """Two processes of a block, and the steady turns in which they are compared."""

    base: TrialRecord
    other: TrialRecord
    turns: tuple[int, ...]

    def epochs(self) -> tuple[tuple[EpochRecord, EpochRecord], ...]:
        """The same turn of both."""
        return tuple((self.base.epochs[t], self.other.epochs[t]) for t in self.turns)


def head_pair(block: BlockRecord) -> Pair:
    """Head against reference, in all steady turns."""
    return Pair(block.reference, block.head, tuple(range(1, len(block.reference.epochs))))


def noise_pair(block: BlockRecord) -> Pair | None:
    """The reference against itself, in the turns where nothing is planted."""
    return _again(block, lambda turn: turn not in block.planted_turns)


def planted_pair(block: BlockRecord) -> Pair | None:
    """The reference against itself, made slower."""
    return _again(block, lambda turn: turn in block.planted_turns)


def change(metric: Metric, pair: Pair) -> float | None:
    """How much worse `other` is than `base`: log ratio, or share; None where not measured."""
    return _CHANGES[metric](pair)


def level(metric: Metric, trial: TrialRecord) -> float | None:
    """A trial's own value, in the metric's unit; of an epoch, the trimmed mean of steady ones."""
    if metric is Metric.MEMORY:
        return float(trial.peak_rss_bytes) or None
    if metric is Metric.ACCURACY:
        return trial.epochs[-1].val_accuracy
    if metric is Metric.FIRST_EPOCH:
        return trial.epochs[0].epoch_ns / NS_PER_S
    values = [_PARTS[metric](epoch) for epoch in trial.epochs[1:]]
    known = [value for value in values if value is not None]
    return _trimmed(known) / NS_PER_S if known else None


def series(
    blocks: Sequence[BlockRecord], thresholds: Thresholds, validation_images: int
) -> tuple[Series, ...]:
    """The series of each metric of one subject, over its whole blocks."""
    whole = [block for block in blocks if not block.failed]
    return tuple(
        _series(metric, whole, thresholds, validation_images) for metric in _measured(whole)
    )


def planted_series(
    blocks: Sequence[BlockRecord], subject: Subject, thresholds: Thresholds
) -> Series:
    """What was measured of the slowdown that was planted in a subject."""
    whole = [block for block in blocks if not block.failed]
    planted = [pair for block in whole if (pair := planted_pair(block))]
    metric = Metric.STEP
    return Series(
        subject=str(subject),
        metric=metric,
        unit=KINDS[metric].unit,
        threshold=thresholds.of(subject.variant, metric),
        changes=tuple(_known(change(metric, pair) for pair in planted)),
        before=_levels(metric, [block.reference for block in whole]),
        after=None,
    )


def _measured(blocks: Sequence[BlockRecord]) -> list[Metric]:
    """The metrics that a side has; one that the other lacks will be found not comparable."""
    trials = [trial for block in blocks for trial in (block.reference, block.head)]
    return [m for m in Metric if any(level(m, trial) is not None for trial in trials)]


def _series(
    metric: Metric, blocks: Sequence[BlockRecord], thresholds: Thresholds, validation_images: int
) -> Series:
    subject, kind = blocks[0].subject, KINDS[metric]
    noise = [pair for block in blocks if (pair := noise_pair(block))]
    references = [block.reference for block in blocks]
    counted = metric is Metric.ACCURACY and validation_images
    return Series(
        subject=str(subject),
        metric=metric,
        unit=kind.unit,
        threshold=thresholds.of(subject.variant, metric),
        changes=tuple(_known(change(metric, head_pair(block)) for block in blocks)),
        before=_levels(metric, references),
        after=_levels(metric, [block.head for block in blocks]),
        base=_base(metric, references),
        on_log=not kind.of_epoch and metric is not Metric.ACCURACY,
        noise=tuple(_known(change(metric, pair) for pair in noise)),
        least_spread=1 / validation_images if counted else 0.0,
        block_s=float(np.mean([block.wall_ns for block in blocks])) / NS_PER_S,
    )


def _base(metric: Metric, references: Sequence[TrialRecord]) -> float | None:
    """What the floor is a share of: the reference's epoch, for parts of an epoch; else its own."""
    if metric is Metric.ACCURACY:
        return 1.0
    return _levels(Metric.EPOCH, references) if KINDS[metric].of_epoch else None


def _levels(metric: Metric, trials: Sequence[TrialRecord]) -> float | None:
    values = _known(level(metric, trial) for trial in trials)
    return float(np.mean(values)) if values else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _again(block: BlockRecord, wanted: Callable[[int], bool]) -> Pair | None:
    if block.again is None:
        return None
    steady = range(1, len(block.reference.epochs))
    return Pair(block.reference, block.again, tuple(turn for turn in steady if wanted(turn)))


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
    return _log(pair.base.epochs[0].epoch_ns, pair.other.epochs[0].epoch_ns)


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
