from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import MergeError
from bench.merge import Merged, Share, merge
from bench.requests import WorkerFiles
from bench.schema import (
    SCHEMA_VERSION,
    ClaimSpec,
    RunRecord,
    Shard,
    TrialRecord,
)
from bench.shards import own_trials
from bench.store import StoredRun
from leafmodel.pipelines.facts import ProofStatus
from tests.bench.samples import (
    data_summary,
    environment,
    failed_record,
    proof_check,
    proof_record,
    proof_records,
    run_record,
    trial_records,
)

OUT = Path("reports/whole")
NOW = "2026-01-03T00:00:00+00:00"
SPLIT = WorkerFiles(SCHEMA_VERSION, ("Apple", "Corn"), (("Apple/1.jpg", 0),), (), ())
WHOLE = run_record(blocks=4)
TRIALS = trial_records(WHOLE)


def share(number: int, of: int = 2, run: RunRecord = WHOLE, **stored: Any) -> Share:
    """A shard that is complete, unless told otherwise."""
    head = replace(run, shard=Shard(number, of), run_id=f"shard-{number}")
    own = {spec.name for spec in own_trials(head)}
    values: dict[str, Any] = {
        "run": head,
        "trials": tuple(trial for trial in TRIALS if trial.spec.name in own),
        "proofs": proof_records(run),
        "profiles": (),
        "starts": (),
        "audit": None,
        "broken": (),
    }
    return Share(Path(f"reports/shard-{number}"), StoredRun(**(values | stored)), SPLIT)


def done(shares: Sequence[Share], **options: Any) -> Merged:
    return merge(shares, OUT, NOW, **options)


def refusal(*shares: Share, **options: Any) -> str:
    with pytest.raises(MergeError) as caught:
        done(shares, **options)
    return str(caught.value)


def names(merged: Merged) -> list[str]:
    return [record.spec.name for _, record in merged.trials]


def test_all_shards_make_the_run_that_was_planned() -> None:
    merged = done([share(2), share(1)])
    assert names(merged) == [spec.name for spec in WHOLE.plan]
    assert sorted((r for _, r in merged.trials), key=lambda r: r.spec.name) == sorted(
        TRIALS, key=lambda r: r.spec.name
    )
    run = merged.run
    assert (run.config, run.plan, run.data) == (WHOLE.config, WHOLE.plan, WHOLE.data)
    assert (run.run_id, run.created_at, run.shard) == ("whole", NOW, None)
    assert run.leafbench_version == WHOLE.leafbench_version
    assert run.environment == WHOLE.environment
    assert merged.split == SPLIT
    assert [(p.run_id, p.shard, p.blocks) for p in run.parts] == [
        ("shard-1", Shard(1, 2), (0, 2)),
        ("shard-2", Shard(2, 2), (1, 3)),
    ]
    assert run.command == (
        "leafbench", "merge", "reports/whole", "reports/shard-2", "reports/shard-1",
    )  # fmt: skip


def test_a_missing_shard_leaves_its_blocks_out() -> None:
    merged = done([share(2)])
    assert {record.spec.block for _, record in merged.trials} == {1, 3}
    assert [part.shard for part in merged.run.parts] == [Shard(2, 2)]
    assert merged.run.plan == WHOLE.plan


def test_suites_and_images_may_lie_elsewhere() -> None:
    other = replace(WHOLE, config=replace(WHOLE.config, suite="my/own.toml", data="/mnt/leaves"))
    other = replace(other, data=data_summary(root="/mnt/leaves"))
    assert len(done([share(1), share(2, run=other)]).trials) == len(WHOLE.plan)


CONFIG = WHOLE.config


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (replace(WHOLE, config=replace(CONFIG, seed=2)), "seed: 1 -> 2"),
        (replace(WHOLE, config=replace(CONFIG, batch_size=32)), "batch_size: 64 -> 32"),
        (replace(WHOLE, config=replace(CONFIG, claim=ClaimSpec(2.0))), "claim.target: 7.0 -> 2.0"),
        (replace(WHOLE, config=replace(CONFIG, backbone="B4")), "backbone:  -> B4"),
        (
            replace(WHOLE, plan=(replace(WHOLE.plan[0], seed=9), *WHOLE.plan[1:])),
            f"plan, from trial {WHOLE.plan[0].name} on: seed 1 -> 9",
        ),
        (
            replace(WHOLE, data=data_summary(fingerprint="sha256:else")),
            "fingerprint: sha256:0123456789abcdef0123456789abcdef -> sha256:else",
        ),
        (replace(WHOLE, leafbench_version="9.9"), "leafbench: 0.1.0 -> 9.9"),
        (
            replace(WHOLE, environment=environment(versions={"keras": "9", "numpy": "2.1.0"})),
            "keras: 3.13.0 -> 9",
        ),
        (replace(WHOLE, environment=environment(python="3.12.1")), "python: 3.11.9 -> 3.12.1"),
        (replace(WHOLE, environment=environment(backend="jax")), "backend: tensorflow -> jax"),
    ],
)
def test_what_is_not_of_one_run_is_refused_by_its_key(other: RunRecord, line: str) -> None:
    stored = {"trials": ()} if other.plan != WHOLE.plan else {}
    message = refusal(share(1), share(2, run=other, **stored), across_machines=True)
    assert message.startswith("reports/shard-1 and reports/shard-2 are not shards of one run.")
    assert f"  {line}\n" in message or f", {line}\n" in message


def test_shards_of_another_number_of_shards_are_refused() -> None:
    assert "shard: of 2 -> of 3" in refusal(share(1), share(2, of=3))


def test_another_split_of_the_same_images_is_refused() -> None:
    other = share(2)
    swapped = Share(other.folder, other.stored, replace(SPLIT, train=(), validation=SPLIT.train))
    assert "split.json: which images train" in refusal(share(1), swapped)


def test_a_whole_run_is_no_shard() -> None:
    whole = Share(Path("reports/mine"), replace(share(1).stored, run=WHOLE), SPLIT)
    message = refusal(share(1), whole)
    assert "reports/mine is a whole run, no shard of one" in message


def test_a_merged_run_is_not_merged_again() -> None:
    run = done([share(1)]).run
    merged = Share(OUT, replace(share(1).stored, run=run), SPLIT)
    message = refusal(merged, share(2))
    assert "reports/whole was merged already: name the shards that it was made from (shard-1)" in (
        message
    )


def faster(number: int, block: int) -> Share:
    """A shard with other numbers in one of its blocks."""
    found = share(number)
    trials = tuple(
        replace(trial, wall_ns=1) if trial.spec.block == block else trial
        for trial in found.stored.trials
    )
    return Share(Path("reports/again"), replace(found.stored, trials=trials), SPLIT)


def test_the_same_block_twice_with_other_records_is_refused() -> None:
    message = refusal(share(1), faster(1, 2))
    assert "reports/shard-1 and reports/again have the same block, measured differently" in message
    assert "b02-00-" in message
    assert "b00-00-" not in message
    assert "leave one of the two out" in message


def test_a_block_is_never_mixed_from_two_folders() -> None:
    found = share(1)
    one, *rest = found.stored.trials
    other = Share(Path("reports/rest"), replace(found.stored, trials=tuple(rest)), SPLIT)
    first = Share(found.folder, replace(found.stored, trials=(one,)), SPLIT)
    assert "have the same block, measured differently" in refusal(first, other)


def test_an_equal_copy_of_a_shard_adds_nothing() -> None:
    copy = Share(Path("reports/copy"), share(1).stored, SPLIT)
    merged = done([share(1), copy, share(2)])
    assert names(merged) == [spec.name for spec in WHOLE.plan]
    assert len(merged.run.parts) == 2


def of_blocks(found: Share, block: int, folder: str) -> Share:
    trials = tuple(trial for trial in found.stored.trials if trial.spec.block == block)
    return Share(Path(folder), replace(found.stored, trials=trials), SPLIT)


def test_one_shard_begun_in_two_places_gives_each_block_from_one_of_them() -> None:
    parts = [of_blocks(share(1), 2, "reports/b"), of_blocks(share(1), 0, "reports/a"), share(2)]
    merged = done(parts)
    assert len(merged.trials) == len(WHOLE.plan)
    assert [part.blocks for part in merged.run.parts] == [(2,), (0,), (1, 3)]


def test_a_record_of_another_shard_or_plan_is_refused() -> None:
    found = share(1)
    foreign = next(trial for trial in TRIALS if trial.spec.block == 1)
    trials = (*found.stored.trials, foreign)
    stray = Share(found.folder, replace(found.stored, trials=trials), SPLIT)
    assert f"trials/{foreign.spec.name}.json is no trial of shard 1/2" in refusal(stray)
    changed = replace(TRIALS[0], spec=replace(TRIALS[0].spec, epochs=9))
    stray = Share(found.folder, replace(found.stored, trials=(changed,)), SPLIT)
    assert f"trials/{changed.spec.name}.json is no trial" in refusal(stray)


def test_shards_without_a_record_are_nothing() -> None:
    assert "nothing to merge" in refusal(share(1, trials=()), share(2, trials=()))
    merged = done([share(1, trials=()), share(2)])
    assert [part.shard for part in merged.run.parts] == [Shard(2, 2)]


FAST = environment(
    cpu_model="Other CPU", cores=8, memory_bytes=64 * 2**30, gpus=("GPU 1",), noise=0.2
)


def on(machine: Any, number: int) -> Share:
    return share(number, run=replace(WHOLE, environment=machine))


def test_other_machines_are_refused_key_by_key() -> None:
    message = refusal(share(1), on(FAST, 2))
    assert "measured on machines that differ:" in message
    for line in (
        "cpu_model: Example CPU @ 2.5GHz -> Other CPU",
        "cores: 2 -> 8",
        "memory: 8 GiB -> 64 GiB",
        "gpus: none -> GPU 1",
    ):
        assert f"  {line}\n" in message
    assert "Give --across-machines" in message


def test_other_machines_are_merged_if_asked_and_their_environment_is_no_single_one() -> None:
    run = done([share(1), on(FAST, 2)], across_machines=True).run
    assert run.command[-1] == "--across-machines"
    assert run.environment.cpu_model == "Example CPU @ 2.5GHz | Other CPU"
    assert (run.environment.cores, run.environment.memory_bytes) == (2, 8 * 2**30)
    assert run.environment.gpus == ("GPU 1",)
    assert run.environment.noise == 0.2
    assert [part.environment for part in run.parts] == [WHOLE.environment, FAST]


def test_machines_that_are_alike_need_no_leave_whatever_their_noise() -> None:
    noisy = replace(WHOLE.environment, noise=0.3, load_1min=4.0, platform="Linux-6.2")
    run = done([share(1), on(noisy, 2)]).run
    assert (run.environment.noise, run.environment.load_1min) == (0.3, 4.0)
    assert run.environment.platform == "Linux-6.1-x86_64 | Linux-6.2"
    assert run.environment.cpu_model == WHOLE.environment.cpu_model


REFUTED = proof_record("in_model", checks=(proof_check(status=ProofStatus.FAILED),))


def proofs(merged: Merged) -> dict[str, bool]:
    return {proof.variant: proof.ok for proof in merged.proofs}


def test_one_failed_proof_outweighs_the_others() -> None:
    assert proofs(done([share(1), share(2)])) == {"default": True, "in_model": True}
    refuted = (proof_record("default"), REFUTED)
    for first, second in ((refuted, proof_records(WHOLE)), (proof_records(WHOLE), refuted)):
        merged = done([share(1, proofs=first), share(2, proofs=second)])
        assert proofs(merged) == {"default": True, "in_model": False}


def unmeasured(trials: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    return tuple(failed_record(t.spec) if t.spec.variant == "in_model" else t for t in trials)


def test_a_variant_that_was_timed_somewhere_without_a_proof_is_not_proved() -> None:
    lacking = proof_records(WHOLE, without=["in_model"])
    assert proofs(done([share(1), share(2, proofs=lacking)])) == {"default": True}
    untimed = share(2, proofs=lacking, trials=unmeasured(share(2).stored.trials))
    assert proofs(done([share(1), untimed])) == {"default": True, "in_model": True}
