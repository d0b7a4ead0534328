from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import plan, shards
from bench.codec import decode, encode
from bench.errors import ConfigError
from bench.schema import RunPart, RunRecord, Shard
from tests.bench.samples import environment, run_config, run_record

NUMBERS = st.integers(1, 40)


def shard_of_run(number: int, of: int, blocks: int = 5) -> RunRecord:
    return replace(run_record(blocks=blocks), shard=Shard(number, of))


@given(blocks=NUMBERS, of=NUMBERS)
def test_every_block_is_of_exactly_one_shard(blocks: int, of: int) -> None:
    made = [b for n in range(1, of + 1) for b in shards.blocks_of(Shard(n, of), blocks)]
    assert sorted(made) == list(range(blocks))


@given(block=NUMBERS, of=NUMBERS)
def test_the_shard_of_a_block_has_it(block: int, of: int) -> None:
    assert block in shards.blocks_of(shards.shard_of(block, of), block + 1)


@given(blocks=NUMBERS, data=st.data())
def test_a_shard_that_is_not_refused_has_a_block(blocks: int, data: st.DataObject) -> None:
    of = data.draw(st.integers(1, blocks))
    number = data.draw(st.integers(1, of))
    shard = shards.parse(f"{number}/{of}", blocks)
    assert shard == Shard(number, of)
    assert shards.blocks_of(shard, blocks)


def test_blocks_go_to_shards_by_turns() -> None:
    assert shards.blocks_of(Shard(1, 2), 5) == (0, 2, 4)
    assert shards.blocks_of(Shard(2, 2), 5) == (1, 3)


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b", "1 of 3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--shard must be I/N with I from 1 to N"):
        shards.parse(text, 9)


def test_a_block_is_never_split() -> None:
    with pytest.raises(ConfigError) as caught:
        shards.parse("1/4", 3)
    assert "--shard 1/4: a block is never split, and this run has 3" in str(caught.value)
    assert "at most 3 shards" in str(caught.value)


def test_shards_share_the_plan_and_every_block_is_whole() -> None:
    run = replace(shard_of_run(2, 2), plan=plan.build(run_config(blocks=5)))
    own = shards.own_trials(run)
    whole = [spec for spec in run.plan if spec.block in (1, 3)]
    assert list(own) == whole
    assert len(own) == 2 * len(run.plan) // 5


def test_a_run_that_is_no_shard_has_all_of_its_plan() -> None:
    run = run_record()
    assert shards.own_trials(run) == run.plan
    assert shards.makes_extras(run)


def test_only_the_first_shard_makes_what_is_made_once() -> None:
    assert shards.makes_extras(shard_of_run(1, 3))
    assert not shards.makes_extras(shard_of_run(2, 3))


def test_an_old_head_still_reads_and_a_new_one_comes_back() -> None:
    old = encode(run_record()).replace(b',\n "shard": null,\n "parts": []', b"")
    assert b"shard" not in old
    assert decode(old, RunRecord, "run.json") == run_record()
    new = shard_of_run(2, 3)
    assert decode(encode(new), RunRecord, "run.json") == new


@pytest.mark.parametrize(("number", "of"), [(0, 2), (3, 2)])
def test_a_shard_that_cannot_be_is_no_record(number: int, of: int) -> None:
    with pytest.raises(ValueError, match=f"there is no shard {number} of {of}"):
        Shard(number, of)


def merged(*cores: int) -> RunRecord:
    """A merged run of three blocks, a part a block."""
    parts = tuple(
        RunPart("run", "", (), Shard(n + 1, 3), (n,), environment(cores=count, noise=n / 100))
        for n, count in enumerate(cores)
    )
    return replace(run_record(), parts=parts)


def test_machines_that_are_alike_are_one_kind() -> None:
    kinds = shards.machines(merged(2, 8, 2))
    assert [(machine.cores, blocks) for machine, blocks in kinds] == [(2, (0, 2)), (8, (1,))]
    assert [blocks for _, blocks in shards.machines(run_record())] == [(0, 1, 2)]


def test_each_block_has_its_machine() -> None:
    run = merged(2, 8, 4)
    assert [shards.machine_of(run, block).cores for block in range(4)] == [2, 8, 4, 2]
    assert shards.profiling_machine(run).cores == 2


def test_blocks_are_named_as_their_records_are() -> None:
    assert shards.block_names(run_record(), (2, 0)) == "b00, b02"
    assert shards.block_names(run_record(), ()) == ""
