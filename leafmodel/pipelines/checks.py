"""Facts about a built pipeline, as values, and those that its tf.data graph alone can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leafmodel.pipelines.facts import ProofCheck, ProofStatus, WorkerFacts
from leafmodel.pipelines.graph import Stage
from leafmodel.pipelines.spec import Augment, AugmentForm, Cache, Loader, PipelineSpec
from leafmodel.pipelines.tf_data import parallel_calls, worker_count


def verdict(
    name: str,
    expected: object,
    found: object,
    remedy: str,
    otherwise: ProofStatus = ProofStatus.FAILED,
) -> ProofCheck:
    """A check that is `ok` when found equals expected, else `otherwise` with the remedy."""
    same = expected == found
    return ProofCheck(
        name,
        ProofStatus.OK if same else otherwise,
        str(expected),
        str(found),
        "" if same else remedy,
    )


def graph_checks(spec: PipelineSpec, found: Sequence[Stage], files: int) -> tuple[ProofCheck, ...]:
    """Parallelism, cache, prefetch and their order, against the spec."""
    if spec.loader is Loader.IMAGE_DATA_GENERATOR or spec.loader.is_python or spec.is_on_device:
        return ()
    maps = sorted({stage.calls for stage in found if stage.kind == "map" and stage.calls})
    prefetch = [stage.buffer for stage in found if stage.kind == "prefetch"]
    checks = [
        verdict(
            "map parallelism",
            [parallel_calls(spec.map_parallelism) or 1],
            maps,
            "give every map the same num_parallel_calls",
        ),
        verdict(
            "prefetch",
            [spec.prefetch] if spec.prefetch else [],
            prefetch,
            "end the pipeline in exactly the prefetch that the spec names",
        ),
        verdict(
            "cache",
            _CACHES[spec.cache],
            [str(stage) for stage in found if stage.kind == "cache"],
            "add or remove .cache() so that it is what the spec names",
        ),
        _augment_place_check(spec, found),
        *_cache_order_checks(found),
        _shuffle_check(found, files),
    ]
    return tuple(checks)


_CACHES: Mapping[Cache, list[str]] = {
    Cache.NONE: [],
    Cache.DECODED: ["cache"],
    Cache.FILE: ["cache(file)"],
}


def _augment_place_check(spec: PipelineSpec, found: Sequence[Stage]) -> ProofCheck:
    augments = [index for index, stage in enumerate(found) if "augment" in stage.work]
    batch = [index for index, stage in enumerate(found) if stage.kind == "batch"]
    where = "none in the graph"
    if augments:
        where = "before batch" if batch and augments[0] < batch[0] else "after batch"
    expected = "before batch" if spec.augment is Augment.PIPELINE else "none in the graph"
    return verdict("augmentation stage", expected, where, "augment per image, before batch")


def _cache_order_checks(found: Sequence[Stage]) -> tuple[ProofCheck, ...]:
    caches = [index for index, stage in enumerate(found) if stage.kind == "cache"]
    if not caches:
        return ()
    before = found[: caches[0]]
    random = any("augment" in stage.work for stage in before)
    shuffled = any(stage.kind == "shuffle" for stage in before)
    return (
        verdict(
            "nothing random before the cache",
            "deterministic",
            "a random augmentation" if random else "deterministic",
            "move .cache() before the augmentation: behind it, every epoch repeats the first "
            "epoch's random images",
        ),
        verdict(
            "no shuffle before the cache",
            "no shuffle",
            "a shuffle" if shuffled else "no shuffle",
            "move .shuffle() behind .cache(): before it, every epoch repeats the first one's order",
        ),
    )


def _shuffle_check(found: Sequence[Stage], files: int) -> ProofCheck:
    buffers = [stage.buffer or 0 for stage in found if stage.kind == "shuffle"]
    whole = bool(buffers) and max(buffers) >= files
    text = f"buffer {max(buffers)}" if buffers else "no shuffle"
    return ProofCheck(
        "shuffle",
        ProofStatus.OK if whole else ProofStatus.DIFFERS,
        f"buffer of at least {files}, the training images",
        text,
        "" if whole else "a smaller buffer mixes only neighbours",
    )


def worker_checks(spec: PipelineSpec, workers: WorkerFacts | None) -> tuple[ProofCheck, ...]:
    """What a Python loader's own object says of its workers, against the spec.

    How much a loader that Keras builds by itself makes ahead is a difference on purpose, as is the
    code that decodes.
    """
    if workers is None:
        return ()
    made_by_keras = spec.loader is Loader.GRAIN_DIRECTORY
    return (
        verdict(
            "workers",
            f"{worker_count(spec.map_parallelism)} {spec.workers}",
            f"{workers.count} {workers.kind}",
            "start as many workers as the spec names",
        ),
        verdict(
            "batches made ahead",
            f"{spec.prefetch} batches each" if spec.prefetch else "none",
            workers.ahead,
            "none: Grain chooses by itself" if made_by_keras else "bound the queues by the spec",
            otherwise=ProofStatus.DIFFERS if made_by_keras else ProofStatus.FAILED,
        ),
        ProofCheck(
            "decoder",
            ProofStatus.DIFFERS,
            "TensorFlow's, as tf.data has it",
            workers.decodes_with,
            "none: it is what this loader is used with; its pixels are compared",
        ),
    )


def form_checks(spec: PipelineSpec, resamplings: int) -> tuple[ProofCheck, ...]:
    """How a pipeline augments, and how often TensorFlow resamples each image for it.

    A form that is not the claim's five layers is a difference on purpose; another number of
    resamplings than its form has is a failure.
    """
    checks = []
    if spec.loader is Loader.FEATURES:
        checks.append(_feature_form(spec))
    elif _uses_scipy(spec):
        checks.append(_other_form(_SCIPY_FORM, "none: it is what ImageDataGenerator does"))
    elif spec.augment_form is AugmentForm.FUSED:
        checks.append(_other_form(_FUSED_FORM, "none: it draws alike; compare its accuracy"))
    return (*checks, _resampling_check(spec, resamplings))


def _uses_scipy(spec: PipelineSpec) -> bool:
    by_python = spec.loader is Loader.IMAGE_DATA_GENERATOR or spec.loader.is_python
    return by_python and spec.augment is Augment.PIPELINE


def _other_form(found: str, remedy: str) -> ProofCheck:
    expected = "five Keras layers, three resamplings"
    return ProofCheck("augmentation form", ProofStatus.DIFFERS, expected, found, remedy)


def _resampling_check(spec: PipelineSpec, resamplings: int) -> ProofCheck:
    augments = spec.augment is not Augment.NONE and not _uses_scipy(spec)
    return verdict(
        "resamplings by augmentation",
        _RESAMPLINGS[spec.augment_form] if augments else 0,
        resamplings,
        "augment once, in the one place and form that the spec names",
    )


def _feature_form(spec: PipelineSpec) -> ProofCheck:
    each = ", each resampled once" if spec.augment_form is AugmentForm.FUSED else ""
    return ProofCheck(
        "augmentation form",
        ProofStatus.DIFFERS,
        "new random images in every epoch",
        "none: each image's features are computed once"
        if spec.augment is Augment.NONE
        else f"{spec.feature_passes} augmented passes, taken in turn{each}",
        "none: it is what caching features means; compare its accuracy",
    )


_SCIPY_FORM = "one SciPy resampling; zoom drawn apart for height and width"
_FUSED_FORM = "one Keras layer, one resampling; one reflection where three layers reflect thrice"
_RESAMPLINGS = {AugmentForm.STOCK: 3, AugmentForm.FUSED: 1}


def hidden_checks(
    spec: PipelineSpec, dataset: Any, found: Sequence[Stage]
) -> tuple[ProofCheck, ...]:
    """What runs without the spec naming it: an autotuner, a prefetch.

    What Keras puts around a generator by itself cannot be switched off, so there it is a difference
    on purpose; anywhere else an autotuner that should be off is a failure. Without a data set (a
    generator outside TensorFlow) Keras puts nothing around it.
    """
    if dataset is None:
        return (verdict("hidden prefetch", "none", "none", ""),)
    made_by_keras = spec.loader is Loader.IMAGE_DATA_GENERATOR
    options = dataset.options()
    autotune = options.autotune.enabled is not False
    injects = autotune and options.experimental_optimization.inject_prefetch is not False
    wrapped = made_by_keras and any(stage.kind == "prefetch" for stage in found)
    hidden = [
        text
        for text, there in (
            ("Keras wraps the generator in a prefetch: one Python thread works ahead", wrapped),
            ("tf.data may insert a prefetch and retune it", injects and not made_by_keras),
            ("each worker of the service keeps batches ready", spec.service_workers > 0),
        )
        if there
    ]
    return (
        verdict(
            "autotuner",
            spec.autotune,
            autotune,
            "set Options.autotune.enabled and experimental_optimization.inject_prefetch",
            otherwise=ProofStatus.DIFFERS if made_by_keras else ProofStatus.FAILED,
        ),
        ProofCheck(
            "hidden prefetch",
            ProofStatus.DIFFERS if hidden else ProofStatus.OK,
            "none",
            "; ".join(hidden) or "none",
            _prefetch_remedy(spec) if hidden else "",
        ),
    )


def _prefetch_remedy(spec: PipelineSpec) -> str:
    if spec.loader is Loader.IMAGE_DATA_GENERATOR:
        return "none: fit() does so for every PyDataset with one worker"
    if spec.service_workers:
        return "none: it is what a tf.data service does"
    return "options.experimental_optimization.inject_prefetch = False"


SHARDING_PROMISE = (
    "dynamic: each image once while no worker fails; where one does, at most once: none twice, and "
    "what it had begun is lost, which fails the trial"
)


def service_checks(spec: PipelineSpec) -> tuple[ProofCheck, ...]:
    """What the tf.data service promises of an epoch, which is less than one process does."""
    if not spec.service_workers:
        return ()
    return (
        ProofCheck(
            "sharding promise",
            ProofStatus.DIFFERS,
            "each image once, whatever fails",
            SHARDING_PROMISE,
            "none: it is what dynamic sharding means; the pipeline counts the images of each epoch",
        ),
    )
