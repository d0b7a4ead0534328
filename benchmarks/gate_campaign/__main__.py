"""The gate's error rates, measured: see the report that it writes.

    python -m benchmarks.gate_campaign live      # hours; goes on where it was stopped
    python -m benchmarks.gate_campaign simulate  # minutes, from what `live` recorded
    python -m benchmarks.gate_campaign report

`live` clones this repository at HEAD and measures the clone against itself: nobody edits it.
"""

from __future__ import annotations

import argparse
import gzip
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from bench.codec import encode
from bench.config import make_config
from bench.gate.asked import SUITE, Asked
from bench.progress import PlainProgress
from bench.store import write_whole
from bench.turns import Place
from benchmarks.gate_campaign import live, render, simulate
from benchmarks.gate_campaign.plan import SIZES, Case, cases

ROOT = Path(__file__).parents[2]
OUT = ROOT / "reports" / "gate-campaign"
SIMULATED = "simulated.json.gz"
VALIDATION_PART = 6  # one image in so many validates


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=sorted(_WHAT))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--data", default="data/leaves", help="folder of images")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="after so many, begin no live decision"
    )
    parser.add_argument("--simulations", type=int, default=1000, help="a kind")
    given = parser.parse_args()
    _WHAT[given.what](given)


def _live(given: argparse.Namespace) -> None:
    folder = given.out / "live"
    until_s = time.monotonic() + given.minutes * 60
    left = live.pending(cases(), folder, lambda: time.monotonic() < until_s)
    overrides: Mapping[str, object] = {"data": str(Path(given.data).resolve())}
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "clone"
        subprocess.run(("git", "clone", "--quiet", ROOT, clone), check=True)
        live.decide(left, folder, clone, dict(overrides), PlainProgress(sys.stderr))


def _simulate(given: argparse.Namespace) -> None:
    quiet, neighbour = (_recorded(given.out, kind) for kind in (render.SAME, render.NEIGHBOUR))
    options = Asked("HEAD", ROOT, ()).options()
    images = (make_config(SUITE).images or 0) // VALIDATION_PART
    kinds = [Case(0, size, place, False) for place in Place for size in SIZES]
    kinds += [Case(0, 0.0, Place.MODEL, False), Case(0, 0.0, Place.MODEL, True)]
    recorded = [neighbour if case.neighbour else quiet for case in kinds]
    same = (repeat(given.simulations), repeat(options), repeat(images))
    with ProcessPoolExecutor() as pool:
        each = pool.map(simulate.simulate, recorded, kinds, *same)
        found = [item for items in each for item in items]
    made = simulate.Simulations(1, quiet.recording, neighbour.recording, found)
    write_whole(given.out / SIMULATED, gzip.compress(encode(made), mtime=0))


def _recorded(out: Path, kind: str) -> simulate.Recorded:
    """The blocks of the live decisions of a kind."""
    folders = [folder for folder in _decisions(out) if folder.name.partition("-")[2] == kind]
    if not folders:
        sys.exit(f"There is no live decision `{kind}` in {out}: run `live` first.")
    return simulate.Recorded([live.kept_blocks(folder) for folder in folders])


def _report(given: argparse.Namespace) -> None:
    made = {
        folder.name: (live.kept_verdict(folder), live.kept_blocks(folder))
        for folder in _decisions(given.out)
    }
    render.write(given.out, made, given.out / SIMULATED)


def _decisions(out: Path) -> list[Path]:
    return sorted(path.parent for path in (out / "live").glob(f"*/{live.VERDICT}"))


_WHAT: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "live": _live,
    "simulate": _simulate,
    "report": _report,
}

if __name__ == "__main__":
    main()
