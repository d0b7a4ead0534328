"""Made-up blocks: three trials by turns, as slow as a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bench.gate.blocks import BlockRecord, Role, Subject, planted_turns
from bench.schema import (
    SCHEMA_VERSION,
    EpochRecord,
    Failure,
    FailureKind,
    TrialKind,
    TrialRecord,
    TrialSpec,
    TrialStatus,
)
from bench.turns import Place
from leafmodel.pipelines.spec import Loader, PipelineSpec

SUBJECT = Subject("in_model", "cnn")
STEPS = 4
MS = 1_000_000
WAIT_MS = 5.0


def epoch(
    number: int,
    step_ms: float = 100.0,
    *,
    wait_ms: float = WAIT_MS,
    gap_ms: float = 10.0,
    accuracy: float | None = 0.5,
) -> EpochRecord:
    """An epoch of equal steps, with half of its gap at each end."""
    steps = (round(step_ms * MS),) * STEPS
    half = round(gap_ms * MS / 2)
    return EpochRecord(
        epoch=number,
        epoch_ns=sum(steps) + 2 * half,
        head_ns=half,
        tail_ns=half,
        step_ns=steps,
        wait_ns=(round(wait_ms * MS),) * STEPS,
        compute_ns=(round((step_ms - wait_ms) * MS),) * STEPS,
        images=32,
        loss=1.0,
        accuracy=0.5,
        val_loss=1.0,
        val_accuracy=accuracy,
        validation_ns=0,
    )


def waiting(epochs: Sequence[EpochRecord], wait_ms: float) -> list[EpochRecord]:
    """The epochs with steps as long as before that wait so much of their time."""
    waits = (round(wait_ms * MS),) * STEPS
    return [replace(item, wait_ns=waits) for item in epochs]


def trial(epochs: Sequence[EpochRecord], *, rss_mib: float = 900.0, block: int = 0) -> TrialRecord:
    """A trial with these epochs."""
    return TrialRecord(
        schema_version=SCHEMA_VERSION,
        spec=spec(len(epochs), block),
        status=TrialStatus.OK,
        failure=None,
        started_at="2026-01-02T03:04:05+00:00",
        wall_ns=1,
        epochs=tuple(epochs),
        peak_rss_bytes=round(rss_mib * 2**20),
    )


def failed(epochs: int, why: str = "RuntimeError: out of luck", block: int = 0) -> TrialRecord:
    """A trial without a measurement."""
    return TrialRecord(
        schema_version=SCHEMA_VERSION,
        spec=spec(epochs, block),
        status=TrialStatus.FAILED,
        failure=Failure(FailureKind.ERROR, why, ""),
        started_at="2026-01-02T03:04:05+00:00",
        wall_ns=0,
    )


def spec(epochs: int, block: int = 0) -> TrialSpec:
    """What a trial was to do."""
    return TrialSpec(
        name=f"b{block:03d}-in_model_cnn",
        kind=TrialKind.TRAIN,
        variant=SUBJECT.variant,
        pipeline=PipelineSpec(loader=Loader.TF_DATA),
        phase=SUBJECT.phase,
        block=block,
        position=0,
        replica=0,
        epochs=epochs,
        batch_size=8,
        image_size=64,
        seed=1,
        timeout_s=60.0,
    )


def block(  # noqa: PLR0913
    number: int = 0,
    *,
    slower: float = 0.0,
    noise: float = 0.0,
    turns: int = 20,
    head: Callable[[list[EpochRecord]], list[EpochRecord]] = lambda epochs: epochs,
    plant: float = 0.05,
    wall_s: float = 40.0,
    subject: Subject = SUBJECT,
    head_rss_mib: float = 900.0,
    confirms: bool = False,
) -> BlockRecord:
    """A block whose head's steps take `slower` more; every epoch varies by `noise` (log)."""
    rng = np.random.default_rng(number + 1)
    planted = planted_turns(turns + 1)

    def epochs(factor: Callable[[int], float]) -> list[EpochRecord]:
        vary = np.exp(noise * rng.standard_normal(turns + 1))
        return [epoch(n, 100.0 * float(vary[n]) * factor(n)) for n in range(turns + 1)]

    return BlockRecord(
        schema_version=SCHEMA_VERSION,
        subject=subject,
        block=number,
        reference=trial(epochs(lambda _: 1.0), block=number),
        head=trial(head(epochs(lambda _: 1 + slower)), rss_mib=head_rss_mib, block=number),
        again=trial(epochs(lambda n: 1 + plant if n in planted else 1.0), block=number),
        plant=plant,
        place=Place.MODEL,
        planted_turns=planted,
        failed=None,
        confirms=confirms,
        wall_ns=round(wall_s * 1e9),
    )


def broken_block(number: int, role: Role, why: str, wall_s: float = 5.0) -> BlockRecord:
    """A block in which a role failed."""
    whole = block(number, wall_s=wall_s)
    bad = failed(len(whole.reference.epochs), why, number)
    parts = {Role.REFERENCE: "reference", Role.AGAIN: "again", Role.HEAD: "head"}
    return replace(whole, **{parts[role]: bad}, failed=role)
