"""A phase's variants with the blocks that timed them, and ratios in blocks that all share."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bench import stats
from bench.compare import block_times
from bench.schema import RunRecord, TrialKind, TrialRecord, VariantProof
from bench.stats import BlockTimes, Interval
from bench.variants import VARIANTS
from leafmodel.pipelines.spec import PipelineSpec
from leafmodel.training.execution import AS_USUAL


@dataclass(frozen=True)
class Timed:
    """A variant of a phase: what it is, and its blocks with steady epochs; none if all failed.

    `proved`: whether it was shown to be what its name says.
    """

    pipeline: PipelineSpec
    times: tuple[BlockTimes, ...]
    proved: bool = True

    @property
    def blocks(self) -> frozenset[int]:
        """The blocks in which it was timed."""
        return frozenset(item.block for item in self.times)

    def seconds(self, block: int) -> float:
        """Of the mean steady epoch in a block that it has."""
        steady = next(item.steady for item in self.times if item.block == block)
        return math.fsum(steady) / len(steady)


@dataclass(frozen=True)
class Measured:
    """What a run has of a phase.

    Attributes:
        variants: the run's, in its order, timed or not.
        listed: pipelines that have a name of their own, to name what is missing.
        idle: axes that cannot matter in this phase.
    """

    phase: str
    variants: Mapping[str, Timed]
    listed: Mapping[str, PipelineSpec]
    idle: frozenset[str] = frozenset()

    def common(self, names: Collection[str]) -> frozenset[int]:
        """The blocks that all of these variants have; `names` is not empty."""
        return frozenset.intersection(*(self.variants[name].blocks for name in names))

    def ratio(self, base: str, other: str, blocks: Collection[int]) -> Interval:
        """How many times as fast `other` is as `base`, in blocks that both have.

        Raises:
            ValueError: there is no such block.
        """
        sides = [
            [item for item in self.variants[name].times if item.block in blocks]
            for name in (base, other)
        ]
        found = stats.ratio(*sides)
        if found is None:
            raise ValueError(f"no block has both {base} and {other}")
        return found


def of_phase(
    run: RunRecord,
    trials: Sequence[TrialRecord],
    proofs: Mapping[str, VariantProof],
    phase: str,
) -> Measured:
    """The variants that a run's plan has in a phase. Failed trials count for nothing."""
    specs = [
        spec
        for spec in run.plan
        if spec.phase == phase and spec.kind is TrialKind.TRAIN and not spec.replica
        if spec.execution == AS_USUAL
    ]
    pipelines = {spec.variant: spec.pipeline for spec in specs}
    planned = [name for name in run.config.variants if name in pipelines]
    variants = {
        name: Timed(pipelines[name], _times(trials, name, phase), _is_proved(proofs, name))
        for name in planned
    }
    listed = {
        name: item.pipeline if run.config.augment else item.pipeline.without_augmentation()
        for name, item in VARIANTS.items()
    }
    sizes = {spec.image_size for spec in specs}
    return Measured(phase, variants, listed, _idle(run.data.image_sizes, sizes))


def _times(trials: Sequence[TrialRecord], variant: str, phase: str) -> tuple[BlockTimes, ...]:
    own = [
        trial
        for trial in trials
        if (trial.spec.variant, trial.spec.phase, trial.spec.replica) == (variant, phase, 0)
    ]
    return tuple(item for item in block_times(own) if item.steady)


def _is_proved(proofs: Mapping[str, VariantProof], variant: str) -> bool:
    return variant in proofs and proofs[variant].ok


def _idle(image_sizes: Collection[str], trained: Collection[int]) -> frozenset[str]:
    """Images that have the size that is trained on are decoded whole and not resized, whatever the
    axes say."""
    as_trained = {f"{pixels}x{pixels}" for pixels in trained}
    is_idle = len(as_trained) == 1 and set(image_sizes) == as_trained
    return frozenset({"resize", "decode"} if is_idle else ())
