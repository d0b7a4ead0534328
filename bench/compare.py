"""Two sets of trials become a comparison: an interval and what may be said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from bench import stats
from bench.schema import EpochRecord, TrialKind, TrialRecord, TrialStatus
from bench.stats import BlockTimes, Interval
from leafmodel.training.execution import AS_USUAL

NS_PER_S = 1_000_000_000
# Epochs over which the first, slow one is spread: a try-out, a short, a usual and a long training.
HORIZONS = (1, 5, 20, 100)


class Outcome(StrEnum):
    """What the interval of a speedup allows to say."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE = "no difference shown"
    NO_INTERVAL = "no interval"
    NOTHING = "nothing measured"


@dataclass(frozen=True)
class Comparison:
    """How many times as fast `variant` is as `baseline`, per epoch.

    `speedup` is over steady epochs; `amortised` spreads the first epoch over that many epochs.
    """

    phase: str
    baseline: str
    variant: str
    speedup: Interval | None
    amortised: Mapping[int, Interval | None]

    @property
    def outcome(self) -> Outcome:
        """Faster or slower only if the whole interval is."""
        if self.speedup is None:
            return Outcome.NOTHING
        if self.speedup.low is None or self.speedup.high is None:
            return Outcome.NO_INTERVAL
        if self.speedup.low > 1:
            return Outcome.FASTER
        return Outcome.SLOWER if self.speedup.high < 1 else Outcome.NO_DIFFERENCE


def compare(base: Sequence[TrialRecord], other: Sequence[TrialRecord]) -> Comparison | None:
    """The comparison of two variants' trials of one phase; None if a side has no trial.

    Failed trials are left out, and a ratio is only formed in blocks in which both sides were
    measured; the caller has chosen the replica.
    """
    if not base or not other:
        return None
    speedup, amortised = stats.ratios(block_times(base), block_times(other), HORIZONS)
    spec = other[0].spec
    return Comparison(spec.phase, base[0].spec.variant, spec.variant, speedup, amortised)


def block_times(trials: Sequence[TrialRecord]) -> tuple[BlockTimes, ...]:
    """Epoch seconds of the trials that went well."""
    return tuple(
        BlockTimes(
            trial.spec.block,
            trial.training_ns(1) / NS_PER_S,
            tuple(epoch.epoch_ns / NS_PER_S for epoch in steady_epochs(trial)),
        )
        for trial in trials
        if trial.status is TrialStatus.OK
    )


def steady_epochs(trial: TrialRecord) -> tuple[EpochRecord, ...]:
    """All but the first epoch, which holds tracing and cache filling."""
    return tuple(epoch for epoch in trial.epochs if epoch.epoch > 0)


def fastest(trials: Sequence[TrialRecord]) -> dict[str, str]:
    """Phase -> the variant with the shortest median steady epoch, of those that were timed.

    Of pipelines alone: a model that is executed otherwise is no faster pipeline.
    """
    epochs: dict[tuple[str, str], list[int]] = {}
    for trial in trials:
        spec = trial.spec
        is_pipeline = spec.execution == AS_USUAL and spec.replica == 0
        if spec.kind is TrialKind.TRAIN and is_pipeline:
            steady = [epoch.epoch_ns for epoch in steady_epochs(trial)]
            epochs.setdefault((spec.phase, spec.variant), []).extend(steady)
    medians = sorted((phase, median(ns), name) for (phase, name), ns in epochs.items() if ns)
    return {phase: name for phase, _, name in reversed(medians)}
