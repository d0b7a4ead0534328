"""A run that is split over machines: which blocks a shard makes, and who measured what. Pure.

A shard has whole blocks, because a ratio is only formed inside a block: block k of a run is of
shard k mod n. The plan stays the whole run's, with the same names and seeds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.environment import must_match
from bench.errors import ConfigError
from bench.schema import Environment, RunRecord, Shard, TrialSpec

ACROSS = "--across-machines"  # merge blocks of machines that differ


def parse(text: str, blocks: int) -> Shard:
    """The shard that `--shard I/N` names, of a run of so many blocks.

    Raises:
        ConfigError: not of that form, no such shard, or one without a block.
    """
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    number, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= of:
        raise ConfigError(
            f"--shard must be I/N with I from 1 to N, such as 2/3 for the second of three shards; "
            f"found {text!r}."
        )
    if of > blocks:
        raise ConfigError(
            f"--shard {text}: a block is never split, and this run has {blocks}: make at most "
            f"{blocks} shards of it, or give every shard more --blocks."
        )
    return Shard(number, of)


def blocks_of(shard: Shard, blocks: int) -> tuple[int, ...]:
    """The blocks that a shard makes, of a run of so many."""
    return tuple(range(shard.number - 1, blocks, shard.of))


def shard_of(block: int, of: int) -> Shard:
    """The shard that makes a block."""
    return Shard(block % of + 1, of)


def own_trials(run: RunRecord) -> tuple[TrialSpec, ...]:
    """The trials of the plan that a run's folder is to hold."""
    if run.shard is None:
        return run.plan
    own = blocks_of(run.shard, run.config.blocks)
    return tuple(spec for spec in run.plan if spec.block in own)


def makes_extras(run: RunRecord) -> bool:
    """Whether a folder gets what a run needs only once: profiles, the look through the images."""
    return run.shard is None or run.shard.number == 1


def machine_of(run: RunRecord, block: int) -> Environment:
    """The machine on which a block was measured."""
    found = (part.environment for part in run.parts if block in part.blocks)
    return next(found, run.environment)


def profiling_machine(run: RunRecord) -> Environment:
    """The machine on which a run was profiled: the first shard's, which has the first block."""
    return machine_of(run, 0)


def block_names(run: RunRecord, blocks: Iterable[int]) -> str:
    """Blocks as the names of their records begin: `b00, b02`."""
    wanted = set(blocks)
    names = (spec.name.partition("-")[0] for spec in run.plan if spec.block in wanted)
    return ", ".join(dict.fromkeys(names))


def machines(run: RunRecord) -> tuple[tuple[Environment, tuple[int, ...]], ...]:
    """The kinds of machine that a run was measured on, each with its blocks."""
    if not run.parts:
        return ((run.environment, tuple(range(run.config.blocks))),)
    kinds: list[tuple[Environment, list[int]]] = []
    for part in run.parts:
        like = (blocks for known, blocks in kinds if not must_match(known, part.environment))
        blocks = next(like, None)
        if blocks is None:
            kinds.append((part.environment, list(part.blocks)))
        else:
            blocks.extend(part.blocks)
    return tuple((environment, tuple(sorted(blocks))) for environment, blocks in kinds)
