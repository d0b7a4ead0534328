"""Findings about a run that is split over machines: what is missing, where the rest was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.evidence import Evidence, Finding, Severity
from bench.schema import Environment, ProfileMode, RunRecord
from bench.shards import block_names, blocks_of, machines, makes_extras, shard_of

GIB = 2**30


def find(evidence: Evidence) -> Iterator[Finding]:
    """All that speaks against taking a shard for a run, or a merged run for one of one machine."""
    for check in _CHECKS:
        yield from check(evidence)


def machine_text(found: Environment) -> str:
    """A machine in words: `Example CPU, 2 cores, 8 GiB, no GPU`."""
    cores = f"{found.cores} core{'s' if found.cores > 1 else ''}"
    gpus = ", ".join(found.gpus) or "no GPU"
    return f"{found.cpu_model}, {cores}, {round(found.memory_bytes / GIB)} GiB, {gpus}"


def _shard(evidence: Evidence) -> Iterator[Finding]:
    run, shard = evidence.run, evidence.run.shard
    if shard is None or shard.of == 1:
        return
    own = blocks_of(shard, run.config.blocks)
    others = [block for block in range(run.config.blocks) if block not in own]
    elsewhere = not makes_extras(run) and run.config.profile is not ProfileMode.NONE
    yield Finding(
        "shard",
        Severity.WARNING,
        f"this is only shard {shard.number} of {shard.of} of a run: it makes {len(own)} of "
        f"{run.config.blocks} blocks ({block_names(run, own)}); {block_names(run, others)} "
        f"{'is' if len(others) == 1 else 'are'} missing here"
        + ("; shard 1 makes the profiles" if elsewhere else ""),
        "the run",
        "bring the folders of all shards together, then: leafbench merge OUT RUN RUN...",
        cost_share=len(others) / run.config.blocks,
    )


def _missing_blocks(evidence: Evidence) -> Iterator[Finding]:
    """Of a merged run: the blocks that no shard brought, or not whole."""
    run = evidence.run
    done = {trial.spec.name for trial in evidence.trials}
    lacking = [spec for spec in run.plan if spec.name not in done]
    if not run.parts or not lacking:
        return
    begun = {trial.spec.block for trial in evidence.trials}
    absent = {spec.block for spec in lacking} - begun
    partial = {spec.block for spec in lacking} & begun
    said = [
        f"{what}: {_by_shard(run, blocks)}"
        for what, blocks in (("no shard brought", absent), ("not whole", partial))
        if blocks
    ]
    yield Finding(
        "missing-blocks",
        Severity.WARNING,
        f"{len(lacking)} of {len(run.plan)} planned trials have no record ({'; '.join(said)})",
        "the run",
        "go on with the shards that are not whole (leafbench run --resume SHARD), make those that "
        "are missing (leafbench run --shard I/N), and merge all of them into another folder",
        cost_share=len(lacking) / len(run.plan),
    )


def _by_shard(run: RunRecord, blocks: set[int]) -> str:
    """`b01 of shard 2/3, b02 of shard 3/3`."""
    of = run.parts[0].shard.of
    by_number: dict[int, list[int]] = {}
    for block in sorted(blocks):
        by_number.setdefault(shard_of(block, of).number, []).append(block)
    return ", ".join(
        f"{block_names(run, own)} of shard {number}/{of}"
        for number, own in sorted(by_number.items())
    )


def _merged(evidence: Evidence) -> Iterator[Finding]:
    run = evidence.run
    if not run.parts:
        return
    kinds = machines(run)
    if len(kinds) == 1:
        yield Finding(
            "merged",
            Severity.INFO,
            f"merged from {len(run.parts)} runs on machines that are alike: {_runs(run)}",
            "the run",
            "nothing to mend: each ratio was formed inside a block, on one machine",
        )
        return
    named = "; ".join(f"{block_names(run, blocks)} on {machine_text(m)}" for m, blocks in kinds)
    yield Finding(
        "several-machines",
        Severity.PROBLEM,
        f"its blocks were measured on {len(kinds)} kinds of machine ({named}): each ratio is of "
        "one of them, and what is said over blocks is an average over machines in the proportion "
        "of their blocks, true of none",
        "the run",
        "look at each machine's blocks alone (leafbench report on its shard), or measure the whole "
        "run on machines that are alike",
    )


def _runs(run: RunRecord) -> str:
    return "; ".join(f"{block_names(run, part.blocks)} from {part.run_id}" for part in run.parts)


_CHECKS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (_shard, _missing_blocks, _merged)
