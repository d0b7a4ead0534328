"""How long `leafbench --help` takes, against a Python that does nothing.

    python benchmarks/help_time.py [REPEATS]

The two are run alternately, each in a fresh process; the medians are compared. The aim is 0.3 s.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

BARE = (sys.executable, "-c", "pass")
HELP = (sys.executable, "-m", "bench", "--help")
AIM_S = 0.3


def main(repeats: int) -> int:
    """Print both medians with their spread; exit status 1 if the aim is missed."""
    times: dict[tuple[str, ...], list[float]] = {BARE: [], HELP: []}
    for _ in range(repeats):
        for command, found in times.items():
            found.append(seconds(command))
    bare, asked = (statistics.median(found) for found in times.values())
    print(f"leafbench --help takes {asked / bare:.1f} times as long as an empty Python program")
    for name, found in zip(("python -c pass", "leafbench --help"), times.values(), strict=True):
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{name:16}  median {middle:.3f} s, middle half {low:.3f} to {high:.3f} s")
    print(f"aim: under {AIM_S} s: {'reached' if asked < AIM_S else 'missed'}")
    return int(asked >= AIM_S)


def seconds(command: tuple[str, ...]) -> float:
    """Wall time of one process."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
