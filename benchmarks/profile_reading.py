"""What reading a profile back costs: `python benchmarks/profile_reading.py [REPEATS]`.

Profiles eight steps of the claim's CNN (256 px, batches of 32, the pipeline `plain`: the one with
the most events), then reads the trace back in fresh processes, imports and xprof's tools included.
The steps are of the first epoch, in which TensorFlow records cheap operations too: a run's own
profiles, of a later epoch, have about half the events.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.requests import ReadingRequest

ROOT = Path(__file__).resolve().parents[1]
VARIANT = "plain"
REPEATS = 5
GOAL_S = 2.0
GOAL_MB = 300


def main(repeats: int) -> int:
    """Print seconds and peak memory of the reading; 1 if either goal is missed."""
    sys.path.insert(0, str(ROOT))  # the trace's maker is the tests'
    from bench.codec import decode, encode
    from bench.profile_schema import ReadingOutcome

    with tempfile.TemporaryDirectory() as folder:
        request = _profiled(Path(folder))
        path = Path(folder) / "request.json"
        path.write_bytes(encode(request))
        runs = [_read(path) for _ in range(repeats)]
        outcome = decode(Path(request.out).read_bytes(), ReadingOutcome, request.out)
        size_mb = Path(request.trace).stat().st_size / 1e6
    if outcome.reading is None:
        print(outcome.failure)
        return 1
    seconds, peaks_mb = zip(*runs, strict=True)
    median_s, peak_mb = statistics.median(seconds), max(peaks_mb)
    print(
        f"a profile of {len(outcome.reading.steps)} steps of 32 images ({size_mb:.1f} MB, "
        f"{outcome.reading.events} events) is read in {median_s:.2f} s (least {min(seconds):.2f}, "
        f"most {max(seconds):.2f}; median of {repeats} processes, goal {GOAL_S:g} s)"
    )
    print(f"peak memory of the process: {peak_mb:.0f} MB (goal {GOAL_MB} MB)")
    return int(median_s > GOAL_S or peak_mb > GOAL_MB)


def _profiled(folder: Path) -> ReadingRequest:
    """Profile the variant; the request to read its trace."""
    from bench.requests import ReadingRequest
    from bench.schema import SCHEMA_VERSION
    from tests.bench.tiny_trace import Size, make

    made = make(folder, (VARIANT,), Size(image_size=256, batch_size=32, steps=8))[VARIANT]
    return ReadingRequest(
        schema_version=SCHEMA_VERSION,
        trace=str(made.path),
        steps=made.steps,
        begin_real_ns=made.begin_real_ns,
        end_real_ns=made.end_real_ns,
        devices=True,
        out=str(folder / "outcome.json"),
    )


def _read(request: Path) -> tuple[float, float]:
    """Wall time and peak resident memory (MB) of one reading process."""
    command = [sys.executable, "-m", "bench.profile_reader", str(request)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, usage.ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS))
