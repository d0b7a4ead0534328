"""A made-up measured run with the emulated runs of its sweep, on disk and computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import plan, sweep_plan
from bench.codec import encode
from bench.device_schema import SweepSpec
from bench.requests import WorkerFiles
from bench.results import RunResults, compute
from bench.schema import SCHEMA_VERSION, ProfileMode, RunRecord, TrialRecord
from bench.store import Store, read, write_whole
from bench.sweep_plan import Part
from bench.swept import read_sweep
from tests.bench.emulated_samples import emulated_trials
from tests.bench.samples import proof_records, run_record, trial_records

STEPS = ("1s", "200ms", "50ms", "5ms")
SPLIT = WorkerFiles(SCHEMA_VERSION, ("a", "b"), (), (), ())
EPOCH_S = {"default": 12.0, "plain": 11.0, "in_model": 10.0, "ceiling_none": 8.0}


def measured_run(**sweep: Any) -> RunRecord:
    """A measured run of three variants that asks for a sweep."""
    given: dict[str, Any] = {"steps": STEPS, "variants": ("plain",), "blocks": 3, "epochs": 4}
    run = run_record(variants=("default", "plain", "in_model"), profile=ProfileMode.NONE)
    return replace(run, config=replace(run.config, sweep=SweepSpec(**(given | sweep))))


def emulated_run(part: Part, **changes: Any) -> RunRecord:
    """The head of the run of one device."""
    head = {"run_id": f"run-{part.step}", "config": part.config, "plan": plan.build(part.config)}
    return replace(run_record(), **(head | changes))


def write(folder: Path, run: RunRecord, trials: Sequence[TrialRecord]) -> None:
    """A run's folder, as a session leaves it."""
    store = Store.create(folder)
    store.write_run(run, SPLIT, latest=False)
    for proof in proof_records(run):
        write_whole(store.proofs / f"{proof.variant}.json", encode(proof))
    for trial in trials:
        store.write_trial(trial)
    store.close()


def write_part(part: Part, **changes: Any) -> None:
    """The whole run of one device."""
    run = emulated_run(part, **changes)
    write(part.folder, run, emulated_trials(run))


def write_measured(folder: Path, run: RunRecord) -> None:
    """The measured run itself."""
    write(folder, run, trial_records(run, EPOCH_S))


def computed(folder: Path) -> RunResults:
    """The run as its report has it."""
    stored = read(folder)
    measured = compute(stored.run, stored.trials, stored.proofs)
    return replace(measured, swept=read_sweep(folder, stored, measured))


def swept_results(folder: Path) -> RunResults:
    """A run whose sweep is whole."""
    run = measured_run()
    write_measured(folder / "run", run)
    for part in sweep_plan.parts(run.config, folder / "run"):
        write_part(part)
    return computed(folder / "run")
