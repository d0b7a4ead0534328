"""A run's sweep read back: whole, half done, of another run, broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import session, sweep_plan
from bench.backends import Backend
from bench.device_schema import SweepSpec
from bench.joint import Elsewhere
from bench.merge_store import merge_folders
from bench.schema import Shard
from bench.store import read
from bench.swept import THIS_MACHINE
from tests.bench import sweep_samples
from tests.bench.emulated_samples import emulated_trials
from tests.bench.fakes import NOON, FakeExecutor, leaves, small_config, tools
from tests.bench.samples import data_summary, environment, run_record, trial_records
from tests.bench.sweep_samples import STEPS, computed, emulated_run, write_part


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sweep_samples.write_measured(tmp_path / "run", sweep_samples.measured_run())
    return tmp_path / "run"


def parts(folder: Path) -> tuple[sweep_plan.Part, ...]:
    return sweep_plan.parts(sweep_samples.measured_run().config, folder)


def test_a_whole_sweep_gives_a_verdict_for_each_candidate(folder: Path) -> None:
    for part in parts(folder):
        write_part(part)
    found = computed(folder).swept
    assert found is not None
    assert found.notes == ()
    assert found.planned == len(STEPS)
    assert found.runs == tuple((step, f"sweep/step-{step}") for step in STEPS)
    ours, plain = found.joints
    assert (ours.audit.claim.candidate, ours.elsewhere) == ("in_model", Elsewhere.FASTER)
    # plain's pipeline makes a batch in 140 ms and default's in 400 ms: never 7 times as fast.
    assert (plain.audit.claim.candidate, plain.elsewhere) == ("plain", Elsewhere.NOWHERE)
    assert plain.limit == pytest.approx(400 / 140)
    # What is measured stays measured: 12 s against 10 s an epoch, whatever was emulated.
    assert ours.audit.speedup is not None
    assert ours.audit.speedup.median == pytest.approx(1.2, abs=0.05)


def test_this_machine_is_on_the_map_where_its_own_device_was_measured(folder: Path) -> None:
    for part in parts(folder):
        write_part(part)
    found = computed(folder).swept
    assert found is not None
    (here,) = (item for item in found.joints[0].found.known if item.name == THIS_MACHINE)
    assert here.low <= 640 / 8.0 <= here.high  # 640 images in an epoch of 8 s


def test_devices_that_were_not_reached_are_left_out_and_named(folder: Path) -> None:
    for part in parts(folder)[:2]:
        write_part(part)
    found = computed(folder).swept
    assert found is not None
    assert [step for step, _ in found.runs] == list(STEPS[:2])
    assert found.notes == ("A step of 50ms: not begun.", "A step of 5ms: not begun.")
    assert len(found.joints) == 2


def test_one_device_is_no_map(folder: Path) -> None:
    write_part(parts(folder)[0])
    found = computed(folder).swept
    assert found is not None
    assert found.joints == ()
    assert found.notes[-1] == "1 of 4 devices can be used, and a map needs 2."


def test_half_a_device_is_used_and_said_to_be_half(folder: Path) -> None:
    first, *others = parts(folder)
    for part in others:
        write_part(part)
    run = emulated_run(first)
    whole = emulated_trials(run)
    sweep_samples.write(first.folder, run, whole[: 2 * len(whole) // 3])
    found = computed(folder).swept
    assert found is not None
    assert len(found.runs) == len(STEPS)
    assert found.notes == (f"A step of 1s: {2 * len(whole) // 3} of {len(whole)} trials.",)


def test_a_run_that_is_no_part_of_this_one_is_refused_with_what_differs(folder: Path) -> None:
    first, second, *others = parts(folder)
    for part in others:
        write_part(part)
    other = replace(first.config, seed=first.config.seed + 1)
    write_part(first, config=other)
    write_part(second, data=data_summary(fingerprint="sha256:other"))
    found = computed(folder).swept
    assert found is not None
    assert [step for step, _ in found.runs] == list(STEPS[2:])
    assert "made with other options" in found.notes[0]
    assert found.notes[1].startswith("A step of 200ms: its run is not a part of this one (")


def test_a_part_made_on_another_machine_is_refused(folder: Path) -> None:
    first, *others = parts(folder)
    for part in others:
        write_part(part)
    write_part(first, environment=environment(cores=64))
    found = computed(folder).swept
    assert found is not None
    assert "cores: 2 -> 64" in found.notes[0]


def test_what_was_measured_on_another_backend_has_its_devices_on_tensorflow(tmp_path: Path) -> None:
    machine = environment()
    jax = replace(machine, backend="jax", versions={**machine.versions, "jax": "0.9.0"})
    run = replace(sweep_samples.measured_run(), environment=jax)
    run = replace(run, config=replace(run.config, backend=Backend.JAX))
    sweep_samples.write_measured(tmp_path / "run", run)
    for part in sweep_plan.parts(run.config, tmp_path / "run"):
        write_part(part)
    found = computed(tmp_path / "run").swept
    assert found is not None
    assert found.notes == ()
    assert len(found.joints) == 2


def test_a_merged_run_keeps_the_sweep_of_its_first_shard(tmp_path: Path) -> None:
    config = replace(
        small_config(leaves(tmp_path / "leaves")), sweep=SweepSpec(("1s", "5ms"), epochs=2)
    )
    shards = [tmp_path / "a", tmp_path / "b"]
    for number, shard in enumerate(shards, 1):
        session.start(config, shard, (), tools(FakeExecutor()), Shard(number, 2))
    for part in sweep_plan.parts(config, shards[0]):
        session.start(part.config, part.folder, (), tools(FakeExecutor()), within=read(shards[0]))
    merge_folders(tmp_path / "whole", shards, NOON)
    assert len(read(tmp_path / "whole/sweep/step-5ms").trials) == 4
    found = computed(tmp_path / "whole").swept
    assert found is not None
    assert [step for step, _ in found.runs] == ["1s", "5ms"]


def test_a_broken_part_costs_one_device_and_no_report(folder: Path) -> None:
    for part in parts(folder):
        write_part(part)
    (folder / "sweep" / "step-1s" / "run.json").write_text("{")
    found = computed(folder).swept
    assert found is not None
    assert len(found.runs) == len(STEPS) - 1
    assert found.notes[0].startswith("A step of 1s: ")


def test_a_run_that_asks_for_no_sweep_has_none(tmp_path: Path) -> None:
    run = run_record()
    sweep_samples.write(tmp_path / "run", run, trial_records(run))
    assert computed(tmp_path / "run").swept is None
