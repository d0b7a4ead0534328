"""Findings about stalls at epoch boundaries: in the timed trials, and in the profiled ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench.compare import NS_PER_S
from bench.evidence import Evidence, Finding, Severity, where
from bench.measures import VariantResult
from bench.profile_measures import ProfileResult
from leafmodel.pipelines.spec import Loader, PipelineSpec

# Creating an iterator takes milliseconds. A gap is a stall if a person would notice it and it
# costs more of an epoch than many an effect measured here.
STALL_MIN_S = 0.25
STALL_EPOCH_SHARE = 0.05


def timed(item: VariantResult) -> Iterator[Finding]:
    """A stall between the epochs of the timed trials."""
    stalls = _of_variant(item)
    if item.steady_epoch_s is None or not stalls:
        return
    cost_s = sum(stalls) / len(item.gaps_s)
    code, remedy = _remedy(item.pipeline)
    what = (
        f"{len(stalls)} of {len(item.gaps_s)} epoch boundaries stalled, the longest for "
        f"{max(stalls):.1f} s; a steady epoch takes {item.steady_epoch_s.median:.1f} s"
    )
    yield Finding(code, Severity.WARNING, what, where(item), remedy, cost_s=cost_s)


def profiled(evidence: Evidence) -> Iterator[Finding]:
    """A stall between the epochs of a profiled training, unless the timed trials tell it."""
    told = {(item.variant, item.phase) for item in evidence.variants if _of_variant(item)}
    for item in evidence.profiles:
        if (item.variant, item.phase) not in told:
            yield from _profiled(item)


def _profiled(item: ProfileResult) -> Iterator[Finding]:
    trial = item.record.trial
    if not trial.epochs:
        return
    epoch_s = trial.epochs[-1].epoch_ns / NS_PER_S
    stalls = _beyond(item.gaps_s, epoch_s)
    if stalls:
        what = (
            f"the profiled training stood still for {max(stalls):.1f} s between two epochs; its "
            f"last epoch takes {epoch_s:.1f} s"
        )
        cost_s = sum(stalls) / len(item.gaps_s)
        _, remedy = _remedy(trial.spec.pipeline)
        yield Finding("boundary-stall", Severity.INFO, what, where(item), remedy, cost_s=cost_s)


def _of_variant(item: VariantResult) -> list[float]:
    epoch = item.steady_epoch_s
    return _beyond(item.gaps_s, epoch.median) if epoch else []


def _beyond(gaps_s: Iterable[float], epoch_s: float) -> list[float]:
    """The gaps between epochs of that length that are stalls."""
    threshold = max(STALL_EPOCH_SHARE * epoch_s, STALL_MIN_S)
    return [gap for gap in gaps_s if gap > threshold]


def _remedy(pipeline: PipelineSpec) -> tuple[str, str]:
    """What a stall is called in such a pipeline, and what ends it."""
    if pipeline.loader is Loader.IMAGE_DATA_GENERATOR:
        return "autotune-stall", (
            "use tf.data with autotune off: fit() itself puts an autotuned prefetch around every "
            "generator, and most likely its autotuner is waited for at the end of an epoch"
        )
    if pipeline.autotune:
        return "autotune-stall", (
            "set options.autotune.enabled = False and name parallelism and prefetch: the "
            "autotuner's thread sleeps for up to a minute, and most likely it is waited for when "
            "an epoch's iterator is destroyed"
        )
    return "slow-boundary", "look at what starts and ends an epoch: iterator, workers, callbacks"
