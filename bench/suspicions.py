"""Findings about the measurement itself: what is missing, or contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bench.evidence import Evidence, Finding, Severity, where
from bench.schema import EpochRecord, FailureKind, TrialRecord, TrialStatus
from bench.shards import own_trials
from bench.stats import MIN_BLOCKS

# One steady epoch tells nothing about the next.
MIN_STEADY_EPOCHS = 2
# More than this of an epoch is its first batch: a longer epoch would pay that only once, too.
COLD_START_SHARE = 0.05
# The stamps inside the step come from another clock; they cannot exceed the steps by more.
STAMP_SHARE = 0.02
# Time in steps that is neither wait nor compute: the host's own work, usually under 5 %.
UNACCOUNTED_SHARE = 0.10


def find(evidence: Evidence) -> Iterator[Finding]:
    """Everything that speaks against believing the run."""
    for check in _CHECKS:
        yield from check(evidence)


def _failed_trials(evidence: Evidence) -> Iterator[Finding]:
    failed = [trial for trial in evidence.trials if trial.status is TrialStatus.FAILED]
    if failed:
        yield Finding(
            "failed-trials",
            Severity.PROBLEM,
            f"{len(failed)} of {len(evidence.trials)} trials failed and count for nothing",
            ", ".join(sorted({trial.spec.variant for trial in failed})),
            _remedy(failed),
            cost_share=len(failed) / len(evidence.trials),
        )


def _remedy(failed: Sequence[TrialRecord]) -> str:
    kinds = {trial.failure.kind for trial in failed if trial.failure}
    if FailureKind.MEMORY in kinds:
        return (
            "memory ran out: lower --batch-size or --image-size, leave out variants that keep "
            "images in memory, or close other programs; then run again"
        )
    return "read the end of their logs below; mend the cause and run again"


def _partial(evidence: Evidence) -> Iterator[Finding]:
    planned = len(own_trials(evidence.run))
    missing = planned - len(evidence.trials)
    if missing > 0 and not evidence.run.parts:  # `shard_findings` says it of a merged run
        yield Finding(
            "partial-run",
            Severity.WARNING,
            f"{missing} of {planned} planned trials have no record",
            "the run",
            f"go on with leafbench run --resume reports/{evidence.run.run_id}",
            cost_share=missing / planned,
        )


def _unproved(evidence: Evidence) -> Iterator[Finding]:
    for variant in dict.fromkeys(item.variant for item in evidence.variants):
        proof = evidence.proofs.get(variant)
        if proof is not None and proof.ok:
            continue
        state = "there is no proof" if proof is None else "the proof failed"
        yield Finding(
            "not-proved",
            Severity.PROBLEM,
            f"{state} that it does the same work as the others and is what its name says",
            variant,
            "do not compare its numbers; see the fairness table for the check that failed",
        )


def _few_samples(evidence: Evidence) -> Iterator[Finding]:
    for item in evidence.variants:
        blocks = item.steady_epoch_s.blocks if item.steady_epoch_s else 0
        steady = max(0, item.epochs - 1)
        if blocks >= MIN_BLOCKS and steady >= MIN_STEADY_EPOCHS:
            continue
        yield Finding(
            "too-few-samples",
            Severity.WARNING,
            f"{blocks} blocks with {steady} steady epochs each; an interval needs at least "
            f"{MIN_BLOCKS} blocks, and an epoch's spread {MIN_STEADY_EPOCHS} steady epochs",
            where(item),
            f"run with --blocks {MIN_BLOCKS} --epochs {MIN_STEADY_EPOCHS + 1} or more",
        )


def _short_epochs(evidence: Evidence) -> Iterator[Finding]:
    for item in evidence.variants:
        cold_s, epoch = item.cold_start_s, item.steady_epoch_s
        if cold_s is None or epoch is None or cold_s <= COLD_START_SHARE * epoch.median:
            continue
        yield Finding(
            "short-epochs",
            Severity.INFO,
            f"an epoch has only {item.steps} steps, and its first batch, which nothing can make "
            f"ahead, takes {cold_s / epoch.median:.0%} of it; a longer epoch pays that only once",
            where(item),
            "before applying these shares to a long training, measure with more --images",
            cold_s,
            cold_s / epoch.median,
        )


def _fewer_images(evidence: Evidence) -> Iterator[Finding]:
    asked, data = evidence.run.config.images, evidence.run.data
    used = data.train_images + data.validation_images
    if asked is not None and used < asked:
        yield Finding(
            "fewer-images",
            Severity.WARNING,
            f"the suite asks for {asked:,} images, the folder has {used:,}",
            data.root,
            "use a larger folder, or generate more leaves (leafbench data make --images)",
        )


def _no_ceiling(evidence: Evidence) -> Iterator[Finding]:
    for item in evidence.variants:
        unbounded = item.pipeline.needs_frozen_backbone  # it leaves out most of the model
        if item.trials and item.share_of_ceiling is None and not unbounded:
            yield Finding(
                "no-ceiling",
                Severity.WARNING,
                "its compute ceiling was not measured: how much a pipeline could give is unknown",
                where(item),
                "let the run's ceiling trials finish, or mend what made them fail",
            )


def _ceiling_beaten(evidence: Evidence) -> Iterator[Finding]:
    for item in evidence.variants:
        share = item.share_of_ceiling
        if share is None or share.low is None or share.low <= 1:
            continue
        yield Finding(
            "ceiling-beaten",
            Severity.PROBLEM,
            "it was faster than the ceiling that nothing should beat: one of the two is wrong",
            where(item),
            "run again on a quiet machine with more blocks; do not use the ceiling",
            cost_share=share.median - 1,
        )


def _retraces(evidence: Evidence) -> Iterator[Finding]:
    for item in evidence.variants:
        if item.traces > 1:
            yield Finding(
                "retraces",
                Severity.WARNING,
                f"the training step was traced {item.traces} times; a later epoch paid for it",
                where(item),
                "keep shapes and types of batches constant (drop the remainder, fix the size)",
            )


def _clocks(evidence: Evidence) -> Iterator[Finding]:
    bad = [
        (share, trial.spec.name)
        for trial in evidence.good
        if (share := max(map(_disagreement, trial.epochs))) > 0
    ]
    if bad:
        worst, name = max(bad)
        yield Finding(
            "meters-disagree",
            Severity.PROBLEM,
            f"parts and whole of an epoch differ by up to {worst:.1%} in {len(bad)} trials: a "
            "clock jumped, or a meter is wrong",
            name,
            "run again; do not use the breakdown of these trials",
            cost_share=worst,
        )


def _disagreement(epoch: EpochRecord) -> float:
    """Share of the epoch by which its meters contradict each other; 0 where they agree."""
    steps = sum(epoch.step_ns)
    waits, computes = epoch.wait_ns or (), epoch.compute_ns or ()
    stamped = (sum(waits) + sum(computes) - steps) / epoch.epoch_ns
    backwards = -sum(value for value in (*waits, *computes) if value < 0) / epoch.epoch_ns
    worst = max(stamped, backwards)
    return worst if worst > STAMP_SHARE else 0.0


def _unaccounted(evidence: Evidence) -> Iterator[Finding]:
    for item in evidence.variants:
        parts = item.breakdown
        if parts is None or parts.wait_s is None:
            continue
        if parts.other_s > UNACCOUNTED_SHARE * parts.epoch_s:
            share = parts.other_s / parts.epoch_s
            yield Finding(
                "unaccounted-time",
                Severity.INFO,
                f"{share:.0%} of an epoch is neither waiting, computing nor boundary",
                where(item),
                "look at callbacks and the host's own work between steps",
                parts.other_s,
                share,
            )


def _accuracy(evidence: Evidence) -> Iterator[Finding]:
    baseline = evidence.run.config.claim.baseline
    bases = {item.phase: item for item in evidence.variants if item.variant == baseline}
    for item in evidence.variants:
        base = bases.get(item.phase)
        if base is None or base.accuracy is None or item.accuracy is None:
            continue
        if base.accuracy.low <= item.accuracy.high and item.accuracy.low <= base.accuracy.high:
            continue
        yield Finding(
            "accuracy-differs",
            Severity.WARNING,
            f"validation accuracy {item.accuracy.value:.1%} after the same epochs, "
            f"{base.accuracy.value:.1%} for {baseline}; the intervals do not overlap",
            where(item),
            "compare the time to equal accuracy, not the time of an epoch",
            cost_share=base.accuracy.value - item.accuracy.value,
        )


_CHECKS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    _failed_trials,
    _partial,
    _unproved,
    _few_samples,
    _short_epochs,
    _fewer_images,
    _no_ceiling,
    _ceiling_beaten,
    _retraces,
    _clocks,
    _unaccounted,
    _accuracy,
)
