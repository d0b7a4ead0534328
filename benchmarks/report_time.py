"""How long a report takes, in a fresh process: `python benchmarks/report_time.py`.

Made-up records, rendered as `leafbench report` does it: imports, statistics, figures, files. An
ordinary run has 10 variants and 2 ceilings in 3 blocks; the large one has 1,000 trials or more.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 5
GOAL_S = 2.0

CHILD = "--child"


def child(blocks: int) -> None:
    """In a process of its own: make records, then time what a report does with them."""
    sys.path.insert(0, str(ROOT))  # the samples are the tests'
    from bench.codec import decode, encode
    from bench.schema import TrialRecord
    from tests.bench.samples import EPOCH_S, proof_records, run_record, trial_records

    names = tuple(name for name in EPOCH_S if not name.startswith("ceiling_"))
    run = run_record(variants=names, blocks=blocks)
    files = [encode(trial) for trial in trial_records(run)]
    proofs = proof_records(run)
    begin = time.perf_counter()
    trials = [decode(data, TrialRecord, "") for data in files]
    read = time.perf_counter()
    from bench.results import compute

    results = compute(run, trials, proofs)
    computed = time.perf_counter()
    from bench.report.render import render

    with tempfile.TemporaryDirectory() as folder:
        render(results, Path(folder))
        end = time.perf_counter()
    print(len(trials), read - begin, computed - read, end - computed)


def measure(blocks: int) -> tuple[int, list[tuple[float, float, float]]]:
    """Trials, and seconds to decode, compute and render, once a fresh process."""
    rows = []
    trials = 0
    for _ in range(REPEATS):
        command = [sys.executable, __file__, CHILD, str(blocks)]
        out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        count, *parts = out.split()
        trials = int(count)
        rows.append((float(parts[0]), float(parts[1]), float(parts[2])))
    return trials, rows


def main() -> int:
    """Print a line a size; 1 if the ordinary run misses the goal."""
    if CHILD in sys.argv:
        child(int(sys.argv[-1]))
        return 0
    slow = False
    for label, blocks in (("ordinary", 3), ("large", 77)):
        begin = time.perf_counter()
        trials, rows = measure(blocks)
        decode, compute, render = (statistics.median(column) for column in zip(*rows, strict=True))
        total = statistics.median(sum(row) for row in rows)
        slow |= label == "ordinary" and total > GOAL_S
        print(
            f"{label}: {trials} trials in {total:.2f} s (decode {decode:.2f}, compute "
            f"{compute:.2f}, render {render:.2f}; median of {REPEATS} processes, goal "
            f"{GOAL_S:g} s; {time.perf_counter() - begin:.0f} s in all)"
        )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
