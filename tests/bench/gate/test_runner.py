"""Blocks of a suite with real processes: each side's own code, its own pipelines, equal images."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bench import plan
from bench.codec import decode
from bench.config import make_config
from bench.gate.blocks import BlockRecord, Role, Subject
from bench.gate.measuring import Plants
from bench.gate.metrics import Metric
from bench.gate.options import GateOptions
from bench.gate.pairs import BlockValues
from bench.gate.runner import Contender, ProcessRunner, subjects
from bench.gate.schema import Side
from bench.gate.store import CheckRecord, CheckStore, read_blocks
from bench.gate.tree import Tree
from bench.images import Images
from bench.requests import TrialRequest, WorkerFiles
from bench.schema import SCHEMA_VERSION, DataSummary, RunConfig
from bench.turns import Place, Turn
from bench.variants import VARIANTS
from leafmodel.pipelines.spec import PipelineSpec
from tests.bench import samples

ROOT = Path(__file__).parents[3]
STUB = Path(__file__).with_name("stub_tree.py")
SUBJECT = Subject("in_model", "cnn")
SELF_TEST = Plants(0.05)


def config(**changes: object) -> RunConfig:
    return replace(make_config("gate"), epochs=9, trial_timeout_s=30.0, **changes)  # type: ignore[arg-type]


def contender(folder: Path, step_ms: str, **pipelines: PipelineSpec) -> Contender:
    """A side in a folder of its own, whose interpreter is a stand-in."""
    folder.mkdir()
    (folder / "step_ms").write_text(step_ms)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STUB}" "$@"\n')
    python.chmod(0o755)
    own = pipelines or {"in_model": VARIANTS["in_model"].pipeline}
    return Contender(Tree(folder, str(python), {"PYTHONPATH": str(ROOT)}), own)


def images() -> Images:
    files = WorkerFiles(SCHEMA_VERSION, ("a",), (), (), ())
    summary = DataSummary("leaves", "made", "0", ("a",), 150, 30, 0, {}, (), ())
    return Images(summary, files, files, ())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckStore]:
    with CheckStore.create(tmp_path / "check") as held:
        side = Side("HEAD")
        held.write_head(
            CheckRecord(
                schema_version=SCHEMA_VERSION,
                created_at="",
                leafbench_version="",
                command=(),
                reference=side,
                head=side,
                options=GateOptions(),
                environment=samples.environment(),
                config=None,
                data=None,
            )
        )
        yield held


def runner(
    store: CheckStore,
    sides: Mapping[Role, Contender],
    plants: Plants = SELF_TEST,
    run: RunConfig | None = None,
) -> ProcessRunner:
    return ProcessRunner(run or config(), images(), store, sides, lambda _: plants, lambda *_: None)


def both(tmp_path: Path, reference: str, head: str) -> dict[Role, Contender]:
    return {
        Role.REFERENCE: contender(tmp_path / "reference", reference),
        Role.HEAD: contender(tmp_path / "head", head),
    }


def measured(store: CheckStore, values: BlockValues) -> BlockRecord:
    """The record on disk that the values came from."""
    (block,) = read_blocks(store.folder)
    assert values.subject == block.subject
    return block


def test_each_side_trains_its_own_code(store: CheckStore, tmp_path: Path) -> None:
    values = runner(store, both(tmp_path, "100", "120")).measure(SUBJECT, 0, confirms=False)
    block = measured(store, values)
    assert {e.step_ns[0] for e in block.reference.epochs} == {100_000_000}
    assert {e.step_ns[0] for e in block.head.epochs} == {120_000_000}
    assert values.changes[Metric.STEP] == pytest.approx(0.1823, abs=1e-4)
    assert block.failed is None


def test_what_a_side_makes_once_the_other_does_not_find(store: CheckStore, tmp_path: Path) -> None:
    runner(store, both(tmp_path, "100", "100")).measure(SUBJECT, 0, confirms=False)
    requests = [
        decode(path.read_bytes(), TrialRequest, str(path))
        for path in store.work.glob("*.trial.json")
    ]
    folders = {list(Role)[item.spec.position]: Path(item.work).name for item in requests}
    assert folders == {Role.REFERENCE: "reference", Role.AGAIN: "reference", Role.HEAD: "head"}


def test_the_reference_again_is_slower_in_the_planted_turns_alone(
    store: CheckStore, tmp_path: Path
) -> None:
    values = runner(store, both(tmp_path, "100", "100")).measure(SUBJECT, 0, confirms=False)
    block = measured(store, values)
    assert block.again is not None
    slow = [e.epoch for e in block.again.epochs if e.step_ns[0] == 105_000_000]
    assert tuple(slow) == block.planted_turns == (1, 2, 5, 6, 7, 8)
    assert values.noise[Metric.STEP] == pytest.approx(0.0)
    assert values.planted == pytest.approx(0.04879, abs=1e-5)


def test_without_a_self_test_two_processes_train(store: CheckStore, tmp_path: Path) -> None:
    sides = both(tmp_path, "100", "100")
    values = runner(store, sides, Plants(None)).measure(SUBJECT, 0, confirms=True)
    block = measured(store, values)
    assert block.again is None
    assert block.confirms
    assert (values.noise, values.planted) == ({}, None)


def test_a_head_can_be_made_slower_to_try_the_gate(store: CheckStore, tmp_path: Path) -> None:
    plants = Plants(0.05, head=Turn(0.2, Place.MODEL))
    sides = both(tmp_path, "100", "100")
    block = measured(store, runner(store, sides, plants).measure(SUBJECT, 0, confirms=False))
    assert [e.step_ns[0] for e in block.head.epochs] == [100_000_000] + [120_000_000] * 8


def test_both_sides_train_from_equal_seeds_and_other_ones_in_the_next_block(
    store: CheckStore, tmp_path: Path
) -> None:
    measure = runner(store, both(tmp_path, "100", "100")).measure
    for block in range(2):
        measure(SUBJECT, block, confirms=False)
    seeds = [{trial.spec.seed for trial in block.trials} for block in read_blocks(store.folder)]
    assert seeds == [{plan.trial_seed(0, 0)}, {plan.trial_seed(0, 1)}]


def test_who_trains_first_is_another_one_in_the_next_block(
    store: CheckStore, tmp_path: Path
) -> None:
    measure = runner(store, both(tmp_path, "100", "100")).measure
    for block in range(2):
        measure(SUBJECT, block, confirms=False)
    positions = [{role: block.trial(role) for role in Role} for block in read_blocks(store.folder)]
    found = [[trial.spec.position for trial in roles.values() if trial] for roles in positions]
    assert found == [[0, 1, 2], [2, 1, 0]]


def test_a_side_has_the_pipeline_that_its_own_variant_stands_for(
    store: CheckStore, tmp_path: Path
) -> None:
    before, after = VARIANTS["in_model"].pipeline, VARIANTS["parallel"].pipeline
    sides = {
        Role.REFERENCE: contender(tmp_path / "reference", "100", in_model=before),
        Role.HEAD: contender(tmp_path / "head", "100", in_model=after),
    }
    block = measured(store, runner(store, sides).measure(SUBJECT, 0, confirms=False))
    assert block.reference.spec.pipeline == before
    assert block.head.spec.pipeline == after


def test_a_run_without_augmentation_has_none_on_either_side(
    store: CheckStore, tmp_path: Path
) -> None:
    sides = both(tmp_path, "100", "100")
    measure = runner(store, sides, run=config(augment=False)).measure
    block = measured(store, measure(SUBJECT, 0, confirms=False))
    expected = VARIANTS["in_model"].pipeline.without_augmentation()
    assert {trial.spec.pipeline for trial in block.trials} == {expected}


def test_a_side_that_crashes_is_named_with_its_last_words(
    store: CheckStore, tmp_path: Path
) -> None:
    values = runner(store, both(tmp_path, "100", "crash")).measure(SUBJECT, 0, confirms=False)
    assert values.failed is Role.HEAD
    assert "no layer called conv2d_9" in values.why
    assert measured(store, values).failed is Role.HEAD


def test_each_side_proves_its_own_variants(store: CheckStore, tmp_path: Path) -> None:
    found = runner(store, both(tmp_path, "100", "100")).prove()
    assert {role: list(proofs) for role, proofs in found.items()} == {
        Role.REFERENCE: ["in_model"],
        Role.HEAD: ["in_model"],
    }
    assert all(proof.ok for proofs in found.values() for proof in proofs.values())


def test_only_what_both_sides_have_is_compared() -> None:
    run = config(variants=("in_model", "plain"))
    assert subjects(run, ["plain"]) == (Subject("plain", "cnn"),)
