"""What a report says of a run that was split over machines: its parts, and how to make them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from bench.report import formats
from bench.schema import RunRecord
from bench.shard_findings import machine_text
from bench.shards import ACROSS, block_names, machines


def opening(run: RunRecord, words: str) -> str:
    """How a verdict begins: a shard never passes for its run, nor several machines for one."""
    if len(machines(run)) > 1:
        words = words.replace("On this machine", "Over several machines")
        words = words.replace("this machine's", "several machines'")
    if run.shard is None or run.shard.of == 1:
        return words
    return f"In shard {run.shard.number} of {run.shard.of} alone, {words[0].lower()}{words[1:]}"


def table(run: RunRecord) -> str:
    """The runs that a merged one was made from, and on what each was measured; else empty."""
    if not run.parts:
        return ""
    header = ["Part", "Shard", "Blocks", "Machine", "Unsteadiness", "Load (1 min)"]
    rows = [
        [
            f"{part.run_id}, {part.created_at}",
            str(part.shard),
            block_names(run, part.blocks),
            machine_text(part.environment),
            formats.percent(part.environment.noise),
            f"{part.environment.load_1min:.2f}",
        ]
        for part in run.parts
    ]
    return (
        "This run was merged. Above are every name, the least cores and memory, and the most "
        f"noise of its parts:\n\n{formats.text_table(header, rows)}"
    )


def commands(run: RunRecord, words: Sequence[str]) -> list[str]:
    """The commands that make such a run again; `words` are those of the whole run."""
    if run.parts:
        of = run.parts[0].shard.of
        folders = [f"reports/shard-{number}" for number in range(1, of + 1)]
        shards = [
            [*words, "--shard", f"{number}/{of}", "--out", folder]
            for number, folder in enumerate(folders, 1)
        ]
        across = [ACROSS] if ACROSS in run.command else []
        merge = ["leafbench", "merge", run.command[2], *folders, *across]
        return [shlex.join(line) for line in (*shards, merge)]
    shard = ["--shard", str(run.shard)] if run.shard else []
    return [shlex.join([*words, *shard])]
