"""What a reader should know before believing or acting on a run: traps and warnings as values.

A finding says what, where, what it costs as measured, and the remedy. Each threshold is a constant
with its reason. `bench.suspicions` holds the findings about the measurement, `bench.disturbances`
those about the machine, `bench.shard_findings` those about a run that is split over machines,
`bench.backend_findings` those about what trains,
`bench.stalls` those about epoch boundaries, `bench.bottlenecks` those from profiles, and this
module the others about the pipelines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench import backend_findings, bottlenecks, disturbances, shard_findings, stalls, suspicions
from bench.evidence import INPUT_BOUND_SHARE, Evidence, Finding, Severity, where
from bench.measures import VariantResult
from leafmodel.pipelines.facts import ProofCheck, ProofStatus
from leafmodel.pipelines.spec import Augment, Cache, Loader

__all__ = ["Evidence", "Finding", "Severity", "find"]

# A quarter of memory for one cache still leaves room for the model; beyond a half it competes.
CACHE_MEMORY_SHARE = 0.5
BYTES_A_PIXEL = 3
# Either alone shows it: the order of the graph's stages, or the same image in two epochs.
FROZEN_CHECKS = ("nothing random before the cache", "augmentation differs between epochs")
# At 90 % of the ceiling the best pipeline imaginable gives 11 % more.
COMPUTE_BOUND_SHARE = 0.90


def find(evidence: Evidence) -> tuple[Finding, ...]:
    """All findings, the gravest first."""
    found = [
        *shard_findings.find(evidence),
        *suspicions.find(evidence),
        *disturbances.find(evidence),
        *backend_findings.find(evidence),
        *_pipelines(evidence),
        *bottlenecks.find(evidence),
        *_frozen_augmentation(evidence),
        *_accuracy_losses(evidence),
        *_hidden_prefetch(evidence),
        *_cache_too_large(evidence),
    ]
    order = list(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def _pipelines(evidence: Evidence) -> Iterator[Finding]:
    """What each pipeline's timed trials say, less what its profile says better."""
    profiled = {(item.variant, item.phase) for item in evidence.profiles}
    for check in _CHECKS:
        for item in evidence.variants:
            if check not in _PROFILED_BETTER or (item.variant, item.phase) not in profiled:
                yield from check(item)


def _input_bound(item: VariantResult) -> Iterator[Finding]:
    share, parts = item.input_wait_share, item.breakdown
    if share is None or share < INPUT_BOUND_SHARE or parts is None or item.pipeline.is_on_device:
        return
    what = f"the model waits for its next batch in {share:.0%} of each step"
    remedy = "prefetch, decode in parallel, cache decoded images, or move augmentation elsewhere"
    yield Finding(
        "input-bound", Severity.INFO, what, where(item), remedy, parts.wait_s, cost_share=share
    )


def _compute_bound(item: VariantResult) -> Iterator[Finding]:
    share = item.share_of_ceiling
    if share is None or share.median < COMPUTE_BOUND_SHARE:
        return
    what = (
        f"runs at {share.median:.0%} of what its model allows with a batch already on the device: "
        f"with this augmentation place no pipeline change can give more than about "
        f"{max(1.0, 1 / share.median):.2f}x"
    )
    remedy = "make the model's step cheaper (device, precision, compilation, no augmentation in it)"
    cost = max(0.0, 1 - share.median)
    yield Finding("compute-bound", Severity.INFO, what, where(item), remedy, cost_share=cost)


def _loader_bound(item: VariantResult) -> Iterator[Finding]:
    loader, ceiling = item.loader_epoch_s, item.ceiling_s
    if loader is None or ceiling is None or loader <= ceiling:
        return
    what = (
        f"its pipeline alone needs {loader:.1f} s an epoch, its model alone {ceiling:.1f} s: "
        "the pipeline sets the pace, however far ahead it prefetches"
    )
    remedy = "decode in parallel, cache decoded images, or move augmentation into the model"
    yield Finding(
        "pipeline-bound", Severity.INFO, what, where(item), remedy, cost_s=loader - ceiling
    )


_CHECKS: tuple[Callable[[VariantResult], Iterator[Finding]], ...] = (
    stalls.timed,
    _input_bound,
    _compute_bound,
    _loader_bound,
)
_PROFILED_BETTER = (_input_bound, _compute_bound)


def _frozen_augmentation(evidence: Evidence) -> Iterator[Finding]:
    """A pipeline that says it augments and repeats its random images, by the proof of it."""
    for variant, proof in evidence.proofs.items():
        augments = proof.pipeline.augment is not Augment.NONE
        for check in proof.checks:
            frozen = check.check in FROZEN_CHECKS and check.status is ProofStatus.FAILED
            if augments and frozen:
                yield Finding(
                    "frozen-augmentation",
                    Severity.PROBLEM,
                    f"the images are augmented once, not anew in every epoch ({check.check}: "
                    f"expected {check.expected}, found {check.found})",
                    variant,
                    check.remedy or "augment behind the cache",
                )


def _accuracy_losses(evidence: Evidence) -> Iterator[Finding]:
    for item in evidence.differences:
        low, high = item.together.low, item.together.high
        if low is None or high is None or not item.is_loss:
            continue
        yield Finding(
            "accuracy-loss",
            Severity.WARNING,
            f"has {-100 * item.difference.median:.1f} percentage points less validation accuracy "
            f"than {item.baseline} after {item.epochs} equal epochs, over "
            f"{item.difference.blocks} seeds (95% interval {-100 * high:.1f} to {-100 * low:.1f}, "
            f"which holds for all {item.comparisons} differences of the run at once)",
            f"{item.variant}, {item.phase}",
            "count time to equal accuracy (--until-accuracy), not time per epoch; look for "
            "augmentation that is weaker, frozen or missing",
        )


def _hidden_prefetch(evidence: Evidence) -> Iterator[Finding]:
    for variant, proof in evidence.proofs.items():
        for check in filter(_is_hidden, proof.checks):
            failed = check.status is ProofStatus.FAILED
            yield Finding(
                "hidden-prefetch",
                Severity.PROBLEM if failed else Severity.INFO,
                f"something runs ahead that the name does not say: expected {check.expected}, "
                f"found {check.found}",
                variant,
                check.remedy or "set Options.experimental_optimization.inject_prefetch = False",
            )


def _is_hidden(check: ProofCheck) -> bool:
    return check.check == "hidden prefetch" and check.status is not ProofStatus.OK


def _cache_too_large(evidence: Evidence) -> Iterator[Finding]:
    size, memory = evidence.run.config.image_size, evidence.run.environment.memory_bytes
    need = evidence.run.data.train_images * size * size * BYTES_A_PIXEL
    for item in evidence.variants:
        spec = item.pipeline
        if spec.cache is Cache.NONE and spec.loader is not Loader.RESIDENT:
            continue
        if need < CACHE_MEMORY_SHARE * memory:
            continue
        rss = f"{item.peak_rss_bytes / 2**30:.1f} GiB" if item.peak_rss_bytes else "not measured"
        yield Finding(
            "cache-too-large",
            Severity.PROBLEM if need > memory else Severity.WARNING,
            f"decoded images take {need / 2**30:.1f} GiB of {memory / 2**30:.1f} GiB of memory "
            f"(peak of the process: {rss})",
            where(item),
            "do not cache, keep them in a file (loader=memory_mapped), train on fewer or smaller "
            "images, or use more memory",
            cost_share=need / memory,
        )
