"""What a GPU does while a trial trains, sampled from outside by its driver's own tool.

`nvidia-smi` runs beside the trial and writes a line every half second into a file that is read when
the trial is over: nothing of it runs in the trial's own process. Without the tool there is nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.schema import GpuUse

PERIOD_MS = 500
MIB = 2**20
_GRACE_S = 5.0


def command() -> tuple[str, ...]:
    """What samples the GPU that a training of this process uses: the first that it may see."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"
    return (
        "nvidia-smi",
        f"--id={first}",
        "--query-gpu=utilization.gpu,memory.used,clocks.sm",
        "--format=csv,noheader,nounits",
        f"--loop-ms={PERIOD_MS}",
    )


@dataclass
class Sampled:
    """What was sampled; None until the sampling is over, and without a GPU."""

    use: GpuUse | None = field(default=None)


@contextmanager
def sampling(sampler: Sequence[str] | None = None) -> Iterator[Sampled]:
    """Sample while the block runs; what was found is in the value afterwards."""
    words = tuple(sampler or command())
    found = Sampled()
    if shutil.which(words[0]) is None:
        yield found
        return
    with tempfile.TemporaryFile() as lines:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=lines, stderr=subprocess.DEVNULL
        )
        try:
            yield found
        finally:
            _end(process)
            lines.seek(0)
            found.use = parse(lines.read().decode("utf-8", "replace"))


@dataclass(frozen=True)
class GpuMeans:
    """What the GPU did over whole trials, start and validation included; None: not told."""

    busy_share: float | None
    peak_memory_bytes: int | None
    clock_mhz: float | None


def means(uses: Sequence[GpuUse]) -> GpuMeans | None:
    """Over all samples of some trials; None where nothing was sampled."""
    if not uses:
        return None
    busy = [share / 100 for use in uses for share in use.busy_percent]
    clocks = [clock for use in uses for clock in use.clock_mhz]
    memory = [size for use in uses for size in use.memory_bytes]
    return GpuMeans(
        sum(busy) / len(busy) if busy else None,
        max(memory, default=None),
        sum(clocks) / len(clocks) if clocks else None,
    )


def parse(text: str) -> GpuUse | None:
    """The lines of `nvidia-smi`; None if no whole one is there.

    What the driver does not tell (`[N/A]`, as under MIG) leaves its series empty, and so does a
    last line that was cut off.
    """
    rows = [[part.strip() for part in line.split(",")] for line in text.splitlines()]
    series = [[int(value) for value in column if value.isdecimal()] for column in _columns(rows)]
    if not any(series):
        return None
    busy, memory, clock = series
    return GpuUse(PERIOD_MS, tuple(busy), tuple(MIB * mib for mib in memory), tuple(clock))


def _columns(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    whole = [row for row in rows if len(row) == 3]
    return [tuple(row[index] for row in whole) for index in range(3)]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
