"""Runs every benchmark of leafbench itself, one after the other (`make benchmarks`).

    python benchmarks/run_all.py [--photographs DIR]

Nothing else should run on the machine meanwhile. The results that are kept stand in
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--photographs", type=Path, help="a folder of photographs to compare with")
    photographs = parser.parse_args().photographs
    commands = [
        ["meter_overhead.py"],
        ["meter_overhead.py", "--size", "64", "--steps", "10", "--pairs", "31"],
        ["meter_accuracy.py"],
        ["help_time.py"],
        ["report_time.py"],
        ["fused_augmentation.py"],
        ["profiling_overhead.py"],
        ["profiling_overhead.py", "--variant", "in_model"],
        ["profile_reading.py"],
        ["leaf_generator.py"],
    ]
    if photographs:
        commands.append(["leaf_realism.py", "--photographs", str(photographs)])
    failed = 0
    for name, *arguments in commands:
        print(f"\n== {' '.join([name, *arguments])}", flush=True)
        failed += subprocess.run([sys.executable, HERE / name, *arguments], check=False).returncode
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
