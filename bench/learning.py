"""Speed never alone: what the variants of a phase had learnt, seed against seed. Pure arithmetic.

Every block has a seed of its own, which all its trials share: equal initial weights, equal split.
So accuracies and times to an accuracy are compared inside a block, as epochs are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import stats
from bench.compare import NS_PER_S
from bench.measures import VariantResult, seconds_to
from bench.schema import TrialRecord
from bench.stats import Interval


@dataclass(frozen=True)
class Arrival:
    """When one trial first had an accuracy: epochs and training seconds (validation apart)."""

    block: int
    epochs: int
    seconds: float


@dataclass(frozen=True)
class RaceResult:
    """How one variant fared in a race.

    Attributes:
        mean_s: training time until the mean accuracy over trials was there; None if it never was.
        arrivals: of the trials that reached it; `trials` is how many tried.
        seconds: geometric mean of their times, with its interval.
        speedup: the baseline's time over this one's, formed inside blocks where both arrived.
    """

    variant: str
    trials: int
    mean_s: float | None
    arrivals: tuple[Arrival, ...]
    seconds: Interval | None
    speedup: Interval | None


@dataclass(frozen=True)
class Race:
    """Training time to one accuracy, for every variant of a phase.

    `asked` says whether the user named the accuracy; else it is the best that all had on average.
    """

    phase: str
    accuracy: float
    asked: bool
    results: tuple[RaceResult, ...]

    def of(self, variant: str) -> RaceResult | None:
        """The result of a variant."""
        return next((item for item in self.results if item.variant == variant), None)


@dataclass(frozen=True)
class AccuracyDifference:
    """Validation accuracy of a variant less that of the baseline, after equal epochs, by seed.

    `together` is the interval that holds for all the run's differences at once, `comparisons` how
    many those are: of twenty variants that lose nothing, one would seem to.
    """

    phase: str
    baseline: str
    variant: str
    epochs: int
    difference: Interval
    together: Interval
    comparisons: int

    @property
    def is_loss(self) -> bool:
        """Whether less accuracy is certain, also after looking at so many differences."""
        return self.together.high is not None and self.together.high < 0

    @property
    def is_gain(self) -> bool:
        """Whether more accuracy is certain, also after looking at so many differences."""
        return self.together.low is not None and self.together.low > 0


def race(
    phase: str,
    accuracy: float,
    baseline: str,
    variants: Sequence[VariantResult],
    trials: Mapping[str, Sequence[TrialRecord]],
    *,
    asked: bool,
) -> Race:
    """Let the variants of a phase race to an accuracy; `trials` are the good ones of each."""
    arrivals = {name: _arrivals(found, accuracy) for name, found in trials.items()}
    base = {item.block: item.seconds for item in arrivals.get(baseline, ())}
    return Race(
        phase,
        accuracy,
        asked,
        tuple(
            RaceResult(
                variant=item.variant,
                trials=len(trials[item.variant]),
                mean_s=seconds_to(item.curve, accuracy),
                arrivals=arrivals[item.variant],
                seconds=stats.geometric_mean([a.seconds for a in arrivals[item.variant]]),
                speedup=None
                if item.variant == baseline
                else stats.geometric_mean(
                    [base[a.block] / a.seconds for a in arrivals[item.variant] if a.block in base]
                ),
            )
            for item in variants
        ),
    )


def difference(
    base: Sequence[TrialRecord],
    other: Sequence[TrialRecord],
    *,
    images: int,
    comparisons: int = 1,
) -> AccuracyDifference | None:
    """How much accuracy `other` has more than `base`; None without a block that has both.

    `images` are those of the validation: no accuracy is known finer than one of them.
    """
    if not base or not other:
        return None
    epochs = min(len(trial.epochs) for trial in (*base, *other))
    left, right = _accuracies(base, epochs), _accuracies(other, epochs)
    values = [right[block] - left[block] for block in sorted(left.keys() & right)]
    one_image = 1 / max(1, images)
    found = stats.mean_interval(values, resolution=one_image)
    together = stats.mean_interval(values, resolution=one_image, comparisons=comparisons)
    if found is None or together is None:
        return None
    spec, baseline = other[0].spec, base[0].spec.variant
    return AccuracyDifference(
        spec.phase, baseline, spec.variant, epochs, found, together, comparisons
    )


def _arrivals(trials: Sequence[TrialRecord], accuracy: float) -> tuple[Arrival, ...]:
    found = (_arrival(trial, accuracy) for trial in trials)
    return tuple(item for item in found if item is not None)


def _arrival(trial: TrialRecord, accuracy: float) -> Arrival | None:
    for number, epoch in enumerate(trial.epochs, 1):
        if epoch.val_accuracy is not None and epoch.val_accuracy >= accuracy:
            return Arrival(trial.spec.block, number, trial.training_ns(number) / NS_PER_S)
    return None


def _accuracies(trials: Sequence[TrialRecord], epochs: int) -> dict[int, float]:
    """Block -> validation accuracy after so many epochs."""
    reached = {trial.spec.block: trial.epochs[epochs - 1].val_accuracy for trial in trials}
    return {block: value for block, value in reached.items() if value is not None}
