"""Made-up runs, trials and proofs for tests: every factory has defaults and takes what matters.

Nothing here is a measurement. `run_record` + `trial_records` + `proof_records` make a whole run:

    run = run_record(variants=("default", "in_model"), blocks=3)
    trials = trial_records(run, {"default": 10.0, "in_model": 8.7})
    proofs = proof_records(run)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench import schema
from bench.schema import TrialKind, TrialStatus
from bench.variants import VARIANTS
from leafmodel.pipelines import facts
from leafmodel.pipelines.spec import Augment, AugmentForm, Loader, PipelineSpec

SECOND = 1_000_000_000

# Seconds of a steady epoch, in the order of what two CPU cores give.
EPOCH_S: Mapping[str, float] = {
    "default": 10.0,
    "plain": 12.6,
    "parallel": 9.5,
    "prefetch": 8.8,
    "cache": 9.1,
    "cache_prefetch": 8.5,
    "in_model": 8.7,
    "in_model_cache": 8.4,
    "resident": 8.2,
    "keras_stock": 9.0,
    "ceiling_none": 7.1,
    "ceiling_model": 8.1,
}


def pipeline(variant: str) -> PipelineSpec:
    """The pipeline of a listed variant, or of a ceiling trial."""
    if variant.startswith("ceiling_"):
        place = Augment.NONE if variant == "ceiling_none" else Augment.MODEL
        form = AugmentForm.FUSED if variant == "ceiling_fused" else AugmentForm.STOCK
        return PipelineSpec(loader=Loader.RESIDENT, augment=place, augment_form=form)
    return VARIANTS[variant].pipeline


def trial_spec(variant: str = "default", **changes: Any) -> schema.TrialSpec:
    """One trial's spec; any field can be given."""
    ceiling = variant.startswith("ceiling_")
    values: dict[str, Any] = {
        "kind": TrialKind.CEILING if ceiling else TrialKind.TRAIN,
        "variant": variant,
        "pipeline": pipeline(variant) if ceiling or variant in VARIANTS else PipelineSpec(),
        "phase": "cnn",
        "block": 0,
        "position": 0,
        "replica": 0,
        "epochs": 4,
        "batch_size": 64,
        "image_size": 256,
        "seed": 1,
        "timeout_s": 900.0,
    } | changes
    name = "b{block:02d}-{position:02d}-{variant}-{phase}".format(**values)
    return schema.TrialSpec(**({"name": name} | values))


def epoch_record(  # noqa: PLR0913
    epoch: int = 1,
    seconds: float = 10.0,
    *,
    images: int = 640,
    wait_share: float | None = 0.25,
    compute_share: float = 0.70,
    head_s: float = 0.05,
    tail_s: float = 0.02,
    val_accuracy: float | None = 0.5,
    steps: int = 10,
) -> schema.EpochRecord:
    """One epoch whose parts add up; `wait_share` None is an epoch whose wait was not metered."""
    epoch_ns, head, tail = (round(value * SECOND) for value in (seconds, head_s, tail_s))
    step = np.full(steps, (epoch_ns - head - tail) // steps)
    step[-1] += epoch_ns - head - tail - int(step.sum())

    def part(share: float) -> tuple[int, ...]:
        return tuple(int(share * epoch_ns / steps) for _ in range(steps))

    return schema.EpochRecord(
        epoch=epoch,
        epoch_ns=epoch_ns,
        head_ns=head,
        tail_ns=tail,
        step_ns=tuple(int(value) for value in step),
        wait_ns=None if wait_share is None else part(wait_share),
        compute_ns=None if wait_share is None else part(compute_share),
        images=images,
        loss=1.5,
        accuracy=0.5,
        val_loss=None if val_accuracy is None else 1.6,
        val_accuracy=val_accuracy,
        validation_ns=SECOND // 2,
    )


def trial_record(
    spec: schema.TrialSpec | None = None,
    epoch_s: Sequence[float] = (12.0, 10.0, 10.0, 10.0),
    *,
    val_accuracy: Sequence[float | None] | None = None,
    epoch_args: Mapping[str, Any] | None = None,
    **changes: Any,
) -> schema.TrialRecord:
    """A trial that went well; `epoch_s[0]` is the first epoch, the rest are steady."""
    spec = spec or trial_spec(epochs=len(epoch_s))
    accuracies = val_accuracy or [0.2 + 0.4 * (1 - 0.6**k) for k in range(1, len(epoch_s) + 1)]
    epochs = tuple(
        epoch_record(k, seconds, val_accuracy=accuracies[k], **(epoch_args or {}))
        for k, seconds in enumerate(epoch_s)
    )
    total = round(sum(epoch_s) * SECOND)
    values: dict[str, Any] = {
        "schema_version": schema.SCHEMA_VERSION,
        "spec": spec,
        "status": TrialStatus.OK,
        "failure": None,
        "started_at": f"2026-01-02T03:{spec.block:02d}:{spec.position:02d}Z",
        "wall_ns": total + 8 * SECOND,
        "start_ns": 4 * SECOND,
        "build_ns": SECOND,
        "first_batch_ns": 2 * SECOND,
        "epochs": epochs,
        "loader_epoch_ns": (3 * SECOND, 3 * SECOND),
        "peak_rss_bytes": 1_500_000_000,
        "cpu_ns": round(1.8 * total),
        "other_cpu_ns": round(0.01 * total),
        "traces": 1,
        "versions": {"keras": "3.13.0", "tensorflow": "2.20.0"},
    }
    return schema.TrialRecord(**(values | changes))


def failed_record(
    spec: schema.TrialSpec | None = None,
    kind: schema.FailureKind = schema.FailureKind.CRASH,
    message: str = "the process ended with signal 9",
    log_tail: str = "Traceback (most recent call last):\n  ...\nKilled",
) -> schema.TrialRecord:
    """A trial that failed."""
    return schema.TrialRecord(
        schema_version=schema.SCHEMA_VERSION,
        spec=spec or trial_spec(),
        status=TrialStatus.FAILED,
        failure=schema.Failure(kind, message, log_tail),
        started_at="2026-01-02T03:00:00Z",
        wall_ns=5 * SECOND,
    )


def environment(**changes: Any) -> schema.Environment:
    """A quiet machine with two cores."""
    values: dict[str, Any] = {
        "platform": "Linux-6.1-x86_64",
        "cpu_model": "Example CPU @ 2.5GHz",
        "cores": 2,
        "memory_bytes": 8 * 2**30,
        "gpus": (),
        "backend": "tensorflow",
        "python": "3.11.9",
        "versions": {"keras": "3.13.0", "numpy": "2.1.0", "tensorflow": "2.20.0"},
        "noise": 0.012,
        "load_1min": 0.2,
        "clock_resolution_ns": 1,
    }
    return schema.Environment(**(values | changes))


def data_summary(**changes: Any) -> schema.DataSummary:
    """768 generated leaves in three classes."""
    values: dict[str, Any] = {
        "root": "data/leaves",
        "source": "generated, seed 1",
        "fingerprint": "sha256:0123456789abcdef0123456789abcdef",
        "class_names": ("Apple", "Corn", "Tomato"),
        "train_images": 640,
        "validation_images": 128,
        "test_images": 0,
        "image_sizes": {"256x256": 768},
        "skipped": (),
        "converted": (),
    }
    return schema.DataSummary(**(values | changes))


def run_config(**changes: Any) -> schema.RunConfig:
    """A small suite; any field can be given."""
    values: dict[str, Any] = {
        "suite": "quick",
        "data": "data/leaves",
        "variants": ("default", "in_model"),
        "phases": ("cnn",),
        "blocks": 3,
        "epochs": 4,
        "batch_size": 64,
        "image_size": 256,
        "images": None,
        "seed": 1,
        "claim": schema.ClaimSpec(),
    }
    return schema.RunConfig(**(values | changes))


def run_plan(config: schema.RunConfig, ceilings: bool = True) -> tuple[schema.TrialSpec, ...]:
    """Every variant once a block, the baseline twice, both ceilings;
    reversed in every second block."""
    names = [(variant, 0) for variant in config.variants]
    if config.claim.baseline in config.variants:
        names.append((config.claim.baseline, 1))
    if ceilings:
        names += [("ceiling_model", 0), ("ceiling_none", 0)]
    plan = []
    for block in range(config.blocks):
        round_ = [(name, phase) for phase in config.phases for name in names]
        for position, ((variant, replica), phase) in enumerate(
            round_ if block % 2 == 0 else round_[::-1]
        ):
            spec = trial_spec(
                variant,
                phase=phase,
                block=block,
                position=position,
                replica=replica,
                epochs=config.epochs,
                batch_size=config.batch_size,
                image_size=config.image_size,
                timeout_s=config.trial_timeout_s,
            )
            plan.append(spec)
    return tuple(plan)


def run_record(
    *,
    ceilings: bool = True,
    data: schema.DataSummary | None = None,
    machine: schema.Environment | None = None,
    **config: Any,
) -> schema.RunRecord:
    """The head of a run; keywords that are not named here go to `run_config`."""
    made = run_config(**config)
    return schema.RunRecord(
        schema_version=schema.SCHEMA_VERSION,
        run_id="20260102-030405-quick",
        created_at="2026-01-02T03:04:05Z",
        leafbench_version="0.1.0",
        command=("leafbench", "run", "--suite", made.suite, "--data", made.data),
        config=made,
        data=data or data_summary(),
        environment=machine or environment(),
        plan=run_plan(made, ceilings),
    )


def trial_records(
    run: schema.RunRecord,
    seconds: Mapping[str, float] = EPOCH_S,
    *,
    block_noise: float = 0.02,
    epoch_noise: float = 0.01,
    seed: int = 7,
    **changes: Any,
) -> tuple[schema.TrialRecord, ...]:
    """A record for each trial of the plan: lognormal noise over blocks (shared by its trials),
    trials and epochs around `seconds` (variant -> steady epoch; 10 s where not named)."""
    rng = np.random.default_rng(seed)
    drift = {block: rng.normal(0, block_noise) for block in range(run.config.blocks)}
    records = []
    for spec in run.plan:
        base = seconds.get(spec.variant, 10.0)
        trial = drift[spec.block] + rng.normal(0, block_noise / 4)
        factors = np.exp(trial + rng.normal(0, epoch_noise, spec.epochs))
        factors[0] *= 1.25
        compute = min(0.97, seconds.get("ceiling_none", 0.7 * base) / base)
        parts = {"compute_share": 0.98 * compute, "wait_share": max(0.0, 0.985 - compute)}
        epoch_args = {"images": run.data.train_images, **parts, **changes.get("epoch_args", {})}
        others = {key: value for key, value in changes.items() if key != "epoch_args"}
        if "val_accuracy" not in others:
            learnt = 0.2 + 0.4 * (1 - 0.6 ** np.arange(1, spec.epochs + 1))
            others["val_accuracy"] = (learnt + rng.normal(0, 0.015, spec.epochs)).tolist()
        records.append(
            trial_record(spec, [float(base * f) for f in factors], epoch_args=epoch_args, **others)
        )
    return tuple(records)


def proof_check(
    check: str = "same files each epoch",
    status: facts.ProofStatus = facts.ProofStatus.OK,
    expected: str = "640 files",
    found: str = "640 files",
    remedy: str = "",
) -> facts.ProofCheck:
    """One check of a pipeline."""
    return facts.ProofCheck(check, status, expected, found, remedy)


def proof_record(variant: str = "default", **changes: Any) -> schema.VariantProof:
    """A proof that holds."""
    values: dict[str, Any] = {
        "schema_version": schema.SCHEMA_VERSION,
        "variant": variant,
        "pipeline": pipeline(variant) if variant in VARIANTS else PipelineSpec(),
        "stages": ("list", "shuffle", "map", "batch"),
        "checks": (proof_check(), proof_check("another order in the next epoch", found="yes")),
        "images_checked": 640,
    }
    return schema.VariantProof(**(values | changes))


def proof_records(
    run: schema.RunRecord, without: Iterable[str] = ()
) -> tuple[schema.VariantProof, ...]:
    """A proof that holds for each variant of the run; `default` resizes with nearest on purpose."""
    proofs = []
    for variant in run.config.variants:
        if variant in without:
            continue
        proof = proof_record(variant)
        if variant == "default":
            resize = proof_check("resize", facts.ProofStatus.DIFFERS, "bilinear", "nearest")
            proof = replace(proof, checks=(*proof.checks, resize), stages=("ImageDataGenerator",))
        proofs.append(proof)
    return tuple(proofs)
