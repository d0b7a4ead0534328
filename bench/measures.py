"""What the trials of one (variant, phase) say: seconds, shares, accuracy. Pure arithmetic.

A variant's numbers come from its replica 0 only, as its ratios do: the second trial of the baseline
in a block is for the noise floor alone, so that no variant has more data than another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from bench import stats
from bench.compare import HORIZONS, NS_PER_S, Comparison, block_times, steady_epochs
from bench.gpu import GpuMeans, means
from bench.schema import EpochRecord, TrialRecord, TrialStatus
from bench.stats import BlockTimes, Interval
from leafmodel.pipelines.facts import MadeOnce
from leafmodel.pipelines.spec import PipelineSpec
from leafmodel.training.execution import AS_USUAL, Execution

# Trials whose shares of waiting agree better than this do so by luck.
WAIT_RESOLUTION = 0.001


@dataclass(frozen=True)
class Dot:
    """One raw epoch; epoch 0 is not a steady one."""

    block: int
    epoch: int
    seconds: float


@dataclass(frozen=True)
class Breakdown:
    """Where the mean steady epoch's seconds go; the four add up to it.

    `wait_s` and `compute_s` are None where the step does not stamp itself; they are then inside
    `other_s`. `boundary_s` is before the first step and after the last one.
    """

    epoch_s: float
    wait_s: float | None
    compute_s: float | None
    boundary_s: float
    other_s: float


@dataclass(frozen=True)
class CurvePoint:
    """After an epoch: training time so far (validation and start-up apart), mean accuracy."""

    epoch: int
    wall_s: float
    val_accuracy: float


@dataclass(frozen=True)
class Accuracy:
    """After the last epoch: mean over trials, and the interval that `images` images allow."""

    value: float
    low: float
    high: float
    images: int


@dataclass(frozen=True)
class VariantResult:
    """Everything computed about one (variant, phase); None where nothing was measured.

    Attributes:
        trials, failed, planned: trials that went well, that failed, and that the plan has.
        epochs: epochs of the longest trial, the first one included.
        gaps_s: every epoch boundary, from the last step to the first step of the next epoch,
            validation apart.
        amortised_s: seconds an epoch if that many epochs are trained.
        comparison: with the baseline; None for the baseline itself, or if it is not in the run. Of
            a model that is executed otherwise: with the same pipeline, executed as usual.
        ceiling_s: a steady epoch of the same model on a batch that already lies on the device.
        share_of_ceiling: ceiling / steady epoch, formed inside blocks; 1 is as fast as can be.
        loader_epoch_s: the pipeline drained with no model.
        wait_interval: of the trials' shares of waiting (`input_wait_share`: of all their steps).
        cold_start_s: what an epoch's first batch, which nothing made ahead, waits longer than the
            others; mean over steady epochs.
        made_once: what its trials share, as the one that made it has it, or else any.
        cpu_share: of all cores, used by the trial. other_load_share: by everything else (worst).
    """

    variant: str
    phase: str
    pipeline: PipelineSpec
    trials: int
    failed: int
    planned: int
    epochs: int
    steps: int
    images: int
    steady_epoch_s: Interval | None
    first_batch_s: float | None
    gaps_s: tuple[float, ...]
    input_wait_share: float | None
    wait_interval: Interval | None
    cold_start_s: float | None
    breakdown: Breakdown | None
    amortised_s: Mapping[int, float | None]
    comparison: Comparison | None
    ceiling_s: float | None
    share_of_ceiling: Interval | None
    loader_epoch_s: float | None
    accuracy: Accuracy | None
    test_accuracy: float | None
    curve: tuple[CurvePoint, ...]
    peak_rss_bytes: int | None
    cpu_share: float | None
    other_load_share: float | None
    traces: int
    dots: tuple[Dot, ...]
    gpu: GpuMeans | None = None
    made_once: MadeOnce | None = None
    execution: Execution = AS_USUAL

    @property
    def speedup(self) -> Interval | None:
        """Over the baseline, steady epochs."""
        return self.comparison.speedup if self.comparison else None

    @property
    def images_per_s(self) -> float | None:
        """In steady epochs."""
        return self.images / self.steady_epoch_s.median if self.steady_epoch_s else None

    @property
    def first_epoch_s(self) -> float | None:
        """The epoch that also traces and fills caches."""
        return self.amortised_s[1]

    @property
    def boundary_gap_s(self) -> float | None:
        """The median gap at an epoch boundary."""
        return stats.median(self.gaps_s)

    @property
    def longest_gap_s(self) -> float | None:
        """The longest gap at an epoch boundary."""
        return max(self.gaps_s, default=None)

    @property
    def bound_s(self) -> float | None:
        """The longer of the two ceilings: no epoch of this pipeline is shorter."""
        ceilings = (self.ceiling_s, self.loader_epoch_s)
        return max((value for value in ceilings if value is not None), default=None)


@dataclass(frozen=True)
class Context:
    """What a variant is measured against: in the same run and phase.

    `cores_of` says how many the machine had that a trial ran on.
    """

    comparison: Comparison | None
    ceiling: tuple[TrialRecord, ...]
    cores_of: Callable[[TrialRecord], int]
    validation_images: int
    planned: int


def measure(trials: Sequence[TrialRecord], context: Context) -> VariantResult:
    """The numbers of one (variant, phase), from at least one trial, failed ones included."""
    good = [trial for trial in trials if trial.status is TrialStatus.OK]
    times, ceiling = block_times(good), block_times(context.ceiling)
    steady = [epoch for trial in good for epoch in steady_epochs(trial)]
    ceiling_level = stats.level(ceiling)
    drains = [ns / NS_PER_S for trial in good for ns in trial.loader_epoch_ns]
    every = [epoch for trial in good for epoch in trial.epochs]
    spec = trials[0].spec
    return VariantResult(
        variant=spec.variant,
        phase=spec.phase,
        pipeline=spec.pipeline,
        trials=len(good),
        failed=len(trials) - len(good),
        planned=context.planned,
        epochs=max((len(trial.epochs) for trial in good), default=0),
        steps=max((len(epoch.step_ns) for epoch in every), default=0),
        images=max((epoch.images for epoch in every), default=0),
        steady_epoch_s=stats.level(times),
        first_batch_s=stats.median([trial.first_batch_ns / NS_PER_S for trial in good]),
        gaps_s=tuple(gap for trial in good for gap in boundary_gaps(trial)),
        input_wait_share=_wait_share(steady),
        wait_interval=_wait_interval(good),
        cold_start_s=_cold_start_s(steady),
        breakdown=_breakdown(steady),
        amortised_s={epochs: stats.amortised(times, epochs) for epochs in HORIZONS},
        comparison=context.comparison,
        ceiling_s=ceiling_level.median if ceiling_level else None,
        share_of_ceiling=stats.ratio(ceiling, times) if ceiling else None,
        loader_epoch_s=stats.median(drains),
        accuracy=_accuracy(good, context.validation_images),
        test_accuracy=stats.mean([t.test_accuracy for t in good if t.test_accuracy is not None]),
        curve=_curve(good),
        peak_rss_bytes=max((trial.peak_rss_bytes for trial in good), default=None),
        cpu_share=stats.mean([t.cpu_ns / (t.wall_ns * context.cores_of(t)) for t in good]),
        other_load_share=max((other_load(t, context.cores_of(t)) for t in good), default=None),
        traces=max((trial.traces for trial in good), default=0),
        dots=_dots(times),
        gpu=means([trial.gpu for trial in good if trial.gpu]),
        made_once=min(
            (trial.made_once for trial in good if trial.made_once),
            key=lambda made: made.found,
            default=None,
        ),
        execution=spec.execution,
    )


def boundary_gaps(trial: TrialRecord) -> tuple[float, ...]:
    """Seconds from each epoch's last step to the next one's first, validation apart."""
    return tuple((a.tail_ns + b.head_ns) / NS_PER_S for a, b in pairwise(trial.epochs))


def other_load(trial: TrialRecord, cores: int) -> float:
    """Share of the machine that everything else used while the trial ran."""
    return trial.other_cpu_ns / (trial.wall_ns * cores)


def seconds_to(curve: Sequence[CurvePoint], accuracy: float) -> float | None:
    """Training time until the mean accuracy reached `accuracy`; None if it never did."""
    return next((point.wall_s for point in curve if point.val_accuracy >= accuracy), None)


def _dots(times: Sequence[BlockTimes]) -> tuple[Dot, ...]:
    return tuple(
        Dot(item.block, number, seconds)
        for item in times
        for number, seconds in enumerate((item.first, *item.steady))
    )


def _wait_share(steady: Sequence[EpochRecord]) -> float | None:
    metered = [epoch for epoch in steady if epoch.wait_ns is not None]
    if not metered:
        return None
    waits = sum(sum(epoch.wait_ns or ()) for epoch in metered)
    return waits / sum(sum(epoch.step_ns) for epoch in metered)


def _wait_interval(good: Sequence[TrialRecord]) -> Interval | None:
    shares = [_wait_share(steady_epochs(trial)) for trial in good]
    known = [share for share in shares if share is not None]
    return stats.mean_interval(known, resolution=WAIT_RESOLUTION)


def _cold_start_s(steady: Sequence[EpochRecord]) -> float | None:
    waits = [epoch.wait_ns for epoch in steady if epoch.wait_ns and len(epoch.wait_ns) > 1]
    if not waits:
        return None
    extra = [max(0.0, first - median(rest)) for first, *rest in waits]
    return sum(extra) / len(extra) / NS_PER_S


def _breakdown(steady: Sequence[EpochRecord]) -> Breakdown | None:
    if not steady:
        return None
    scale = NS_PER_S * len(steady)
    epoch_ns = sum(epoch.epoch_ns for epoch in steady)
    boundary_ns = sum(epoch.head_ns + epoch.tail_ns for epoch in steady)
    steps_s, boundary_s = (epoch_ns - boundary_ns) / scale, boundary_ns / scale
    if any(epoch.wait_ns is None or epoch.compute_ns is None for epoch in steady):
        return Breakdown(epoch_ns / scale, None, None, boundary_s, steps_s)
    wait_ns = sum(sum(epoch.wait_ns or ()) for epoch in steady)
    compute_ns = sum(sum(epoch.compute_ns or ()) for epoch in steady)
    other_s = (epoch_ns - wait_ns - compute_ns - boundary_ns) / scale
    return Breakdown(epoch_ns / scale, wait_ns / scale, compute_ns / scale, boundary_s, other_s)


def _accuracy(good: Sequence[TrialRecord], images: int) -> Accuracy | None:
    last = [trial.epochs[-1].val_accuracy for trial in good]
    value = stats.mean([accuracy for accuracy in last if accuracy is not None])
    if value is None or images == 0:
        return None
    return Accuracy(value, *stats.wilson(value, images), images)


def _curve(good: Sequence[TrialRecord]) -> tuple[CurvePoint, ...]:
    """Mean over the trials that have the epoch."""
    points = []
    for epoch in range(max((len(trial.epochs) for trial in good), default=0)):
        trials = [trial for trial in good if len(trial.epochs) > epoch]
        reached = [trial.epochs[epoch].val_accuracy for trial in trials]
        accuracy = stats.mean([value for value in reached if value is not None])
        so_far = [trial.training_ns(epoch + 1) for trial in trials]
        wall_s = stats.mean([ns / NS_PER_S for ns in so_far])
        if accuracy is not None and wall_s is not None:
            points.append(CurvePoint(epoch + 1, wall_s, accuracy))
    return tuple(points)
