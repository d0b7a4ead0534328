"""Made-up emulated runs: the real emulation on a clock that moves as batches are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import emulation, plan
from bench.codec import encode
from bench.devices import device
from bench.requests import WorkerFiles
from bench.schema import SCHEMA_VERSION, ProfileMode, RunRecord, TrialKind, TrialRecord, TrialSpec
from bench.store import Store, write_whole
from bench.values import Given
from tests.bench.samples import SECOND, proof_records, run_record

# To make one of an epoch's ten batches.
MAKE_MS = {"default": 400, "plain": 140, "in_model": 20}
WHOLE: dict[str, Any] = {
    "wall_ns": 20 * SECOND,
    "cpu_ns": 10 * SECOND,
    "peak_rss_bytes": 600_000_000,
    "versions": {},
}


def emulated_run(name: str, **config: Any) -> RunRecord:
    """The head of a run on the device of that name."""
    measured = run_record(variants=tuple(MAKE_MS), profile=ProfileMode.NONE, **config)
    made = replace(measured.config, device=device(Given(name, "--device")))
    return replace(measured, run_id=f"run-{name}", config=made, plan=plan.build(made))


def emulated_trials(run: RunRecord) -> list[TrialRecord]:
    """A record of every trial; each block makes batches 1 % slower than the one before."""
    return [_trial(spec) for spec in run.plan]


def write_emulated(folder: Path, name: str, **config: Any) -> Path:
    """A whole run on the device of that name, in a folder."""
    run = emulated_run(name, **config)
    store = Store.create(folder)
    store.write_run(run, WorkerFiles(SCHEMA_VERSION, ("a", "b"), (), (), ()))
    for proof in proof_records(run):
        write_whole(store.proofs / f"{proof.variant}.json", encode(proof))
    for trial in emulated_trials(run):
        store.write_trial(trial)
    store.close()
    return folder


def _trial(spec: TrialSpec) -> TrialRecord:
    if spec.kind is TrialKind.CEILING:
        return replace(emulation.ceiling(spec, images=640), **WHOLE)
    now_ns = 0

    def sleep(seconds: float) -> None:
        nonlocal now_ns
        now_ns += round(seconds * 1e9)

    def batches() -> Iterator[Any]:
        slower = 1 + 0.01 * spec.block
        for _ in range(10):
            sleep(slower * MAKE_MS[spec.variant] / 1000)
            yield np.zeros((64, 8), np.uint8), np.zeros(64, np.int32)

    clock = emulation.Clock(lambda: now_ns, sleep)
    record = emulation.run(spec, emulation.Feed(batches), lambda _done: None, clock)
    return replace(record, loader_epoch_ns=(MAKE_MS[spec.variant] * 10_000_000,), **WHOLE)
