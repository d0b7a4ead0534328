"""Live decisions: the gate itself, as a user would call it, on a clone of this repository."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from bench.codec import decode, encode
from bench.gate import launch
from bench.gate.asked import Asked
from bench.gate.blocks import BlockRecord
from bench.gate.schema import VerdictRecord
from bench.gate.store import read_blocks
from bench.progress import Progress
from bench.store import write_whole
from bench.turns import Turn
from benchmarks.gate_campaign.plan import Case

VERDICT = "verdict.json"
BLOCKS = "blocks.jsonl.gz"
# A neighbour that is busy for a while and idle for a while, both at random: seconds, at the most.
BUSY_S = IDLE_S = 6.0


def pending(cases: Iterable[Case], folder: Path, may_begin: Callable[[], bool]) -> Iterator[Case]:
    """The cases that have no decision yet, until no more may begin.

    Asked between decisions only: one that was stopped after a look would be one dropped.
    """
    for case in cases:
        if (folder / case.name / VERDICT).is_file():
            continue
        if not may_begin():
            return
        yield case


def decide(
    cases: Iterable[Case],
    folder: Path,
    repository: Path,
    given: dict[str, object],
    progress: Progress,
) -> None:
    """Make a decision for each case, one after the other; each is kept when it is made.

    Args:
        folder: gets a folder a case.
        repository: a clean checkout; its HEAD is measured against itself.
        given: overrides of the suite, `data` among them.
    """
    for case in cases:
        kept = folder / case.name
        progress.note(f"--- {case.name}")
        scratch = folder.parent / "work"
        shutil.rmtree(scratch, ignore_errors=True)
        asked = Asked(
            against="HEAD",
            folder=repository,
            command=("leafbench", "check", "--against", "HEAD"),
            out=scratch,
            overrides={**given, "seed": case.number},
            plant=Turn(case.plant, case.place),
        )
        with _neighbour(case.number) if case.neighbour else contextlib.nullcontext():
            record, _ = launch.check(asked, progress)
        keep(kept, record, read_blocks(scratch))
        shutil.rmtree(scratch)
        progress.note(f"--- {case.name}: {record.verdict} after {record.spent_s:.0f} s")


def keep(folder: Path, record: VerdictRecord, blocks: Sequence[BlockRecord]) -> None:
    """Keep the decision and the raw epochs that it rests on; the verdict last: it means whole."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = b"\n".join(msgspec.json.encode(block) for block in blocks)
    write_whole(folder / BLOCKS, gzip.compress(lines, mtime=0))
    write_whole(folder / VERDICT, encode(record))


def kept_blocks(folder: Path) -> tuple[BlockRecord, ...]:
    """The blocks of a decision, in the order in which they were measured."""
    lines = gzip.decompress((folder / BLOCKS).read_bytes()).split(b"\n")
    return tuple(decode(line, BlockRecord, f"{folder.name}/{BLOCKS}") for line in lines if line)


def kept_verdict(folder: Path) -> VerdictRecord:
    """A decision."""
    return decode((folder / VERDICT).read_bytes(), VerdictRecord, f"{folder.name}/{VERDICT}")


@contextlib.contextmanager
def _neighbour(seed: int) -> Iterator[None]:
    command = (sys.executable, "-m", "benchmarks.gate_campaign.live", str(seed))
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _be_busy(seed: int) -> None:
    """Take a core for a while, let it go for a while, until killed, or left alone."""
    import time

    rng, parent = random.Random(seed), os.getppid()
    while os.getppid() == parent:
        until_s = time.monotonic() + rng.uniform(0, BUSY_S)
        while time.monotonic() < until_s:
            pass
        time.sleep(rng.uniform(0, IDLE_S))


if __name__ == "__main__":
    _be_busy(int(sys.argv[1]))
