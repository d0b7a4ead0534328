"""The tf.data service on this machine: from one worker to four, and with a worker that is killed.

    python -m benchmarks.service_scaling [--data DIR] [--out reports/service-scaling] [--readme]

(a) An ordinary run against an emulated device, `in_model` and the variant `service` with 1 to 4
workers, each worker one image after the other, every one in every block; behind its epochs each
trial drains its loader alone. (b) Epochs in which one of two workers is killed (`service_kill.py`).
The run goes to `OUT/run`, the raw numbers to benchmarks/service_scaling.json; `--readme` puts the
section into benchmarks/README.md. Stopped, it goes on with the same command. About 9 minutes on two
idle cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import stats
from bench.compare import NS_PER_S, steady_epochs
from bench.errors import BenchError
from bench.progress import shown
from bench.report import formats
from bench.schema import TrialStatus
from bench.stats import BlockTimes
from benchmarks.ordinary_run import exit_code, made
from benchmarks.readme_section import README, Section
from leafmodel.errors import LeafmodelError

HERE = Path(__file__).parent
RAW = HERE / "service_scaling.json"
SECTION = Section("<!-- service: made by service_scaling.py -->", "<!-- end of service -->")
ALONE = "in_model+map_parallelism=1"
WORKERS = (1, 2, 3, 4)
SERVED = tuple(f"service+map_parallelism=1+service_workers={count}" for count in WORKERS)
DEVICE = "emulated:step=20ms"
KILLS = (("dynamic", False), ("off", False), ("dynamic", True))
SCALING_HEADER = ("decoded by", "images/s, emulated device", "against one worker")
LOADER_HEADER = ("images/s, loader alone", "against one worker, alone")
KILL_HEADER = (
    *("sharding", "the killed worker", "epochs", "images", "lost", "repeated"),
    *("epoch ended", "after the kill"),
)


def main() -> int:
    given = _arguments()
    try:
        trials = _scaling(given)
    except (BenchError, LeafmodelError) as error:
        return exit_code(error)
    kept = json.loads(RAW.read_text(encoding="utf-8")) if given.keep_kills else None
    raw = {**trials, "kills": kept["kills"] if kept else _kills(given)}
    RAW.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    text = section(raw)
    print(text)
    if given.readme:
        SECTION.write(text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", default="data/leaves", help="a folder of images")
    parser.add_argument("--out", type=Path, default=Path("reports/service-scaling"))
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--kills", type=int, default=3, help="epochs a mode")
    parser.add_argument("--keep-kills", action="store_true", help=f"take those of {RAW.name}")
    parser.add_argument("--readme", action="store_true", help=f"write into {README.name}")
    return parser.parse_args()


def _scaling(given: argparse.Namespace) -> dict[str, Any]:
    """The run, made or gone on with, as plain numbers."""
    folder = given.out / "run"
    options = {
        "suite": "quick",
        "data": given.data,
        "variants": ",".join((ALONE, *SERVED)),
        "baseline": SERVED[0],
        "candidate": SERVED[1],
        "target": "1x",
        "blocks": given.blocks,
        "epochs": 4,
        "images": given.images,
        "batch_size": 32,
        "image_size": 256,
        "device": DEVICE,
    }
    with shown() as progress:
        stored = made(folder, options, progress)
    trials = [
        {
            "variant": trial.spec.variant,
            "block": trial.spec.block,
            "images": trial.epochs[0].images,
            "steady_s": [epoch.epoch_ns / NS_PER_S for epoch in steady_epochs(trial)],
            "loader_s": [epoch_ns / NS_PER_S for epoch_ns in trial.loader_epoch_ns],
        }
        for trial in stored.trials
        if trial.status is TrialStatus.OK and trial.loader_epoch_ns and not trial.spec.replica
    ]
    machine = stored.run.environment
    return {
        "machine": f"{machine.cpu_model}, {formats.plural(machine.cores, 'core')}",
        "versions": dict(machine.versions),
        "trials": trials,
    }


def _kills(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Each mode as often as asked; a worker that stays away once: waiting is all that happens."""
    return [
        _kill(given.data, sharding, gone, seed)
        for sharding, gone in KILLS
        for seed in range(1 if gone else given.kills)
    ]


def _kill(data: str, sharding: str, gone: bool, seed: int) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "service_kill.py"), "--data", data]
    command += ["--sharding", sharding, "--seed", str(seed), *(["--gone"] if gone else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def section(raw: dict[str, Any]) -> str:
    """The two tables, from the raw numbers alone."""
    images = raw["trials"][0]["images"]
    blocks = len({trial["block"] for trial in raw["trials"]})
    rows = [_row(raw["trials"], name) for name in (ALONE, *SERVED)]
    modes = [
        [kill for kill in raw["kills"] if (kill["sharding"], kill["gone"]) == mode]
        for mode in KILLS
    ]
    return "\n\n".join(
        [
            f"{raw['machine']}, {images} images an epoch at 256 px, batches of 32, "
            f"{formats.plural(blocks, 'block')}; the device: {DEVICE}, 1,600 images/s; "
            "every worker decodes one image after the other; 95 % intervals.",
            formats.table((*SCALING_HEADER, *LOADER_HEADER), rows),
            "One of two workers killed (SIGKILL) after a third of the epoch; all the epochs of a "
            "row together:",
            formats.table(KILL_HEADER, [_kill_row(kills) for kills in modes if kills]),
        ]
    )


def _row(trials: Sequence[dict[str, Any]], name: str) -> list[str]:
    cells = []
    for key in ("steady_s", "loader_s"):
        times, one = _times(trials, name, key), _times(trials, SERVED[0], key)
        rate = formats.rate_interval(trials[0]["images"], stats.level(times))
        faster = "1" if name == SERVED[0] else formats.times_interval(stats.ratio(one, times))
        cells += [rate, faster]
    served = name.rpartition("=")[2]
    return ["the process that trains" if name == ALONE else f"{served} of the service", *cells]


def _times(trials: Sequence[dict[str, Any]], name: str, key: str) -> tuple[BlockTimes, ...]:
    return tuple(
        BlockTimes(trial["block"], trial[key][0], tuple(trial[key]))
        for trial in trials
        if trial["variant"] == name
    )


def _kill_row(kills: Sequence[dict[str, Any]]) -> list[str]:
    slowest = formats.seconds(max(kill["after_kill_s"] for kill in kills))
    ended = all(kill["ended"] for kill in kills)
    return [
        kills[0]["sharding"],
        "stayed away" if kills[0]["gone"] else "was started again",
        str(len(kills)),
        *(f"{sum(kill[key] for kill in kills):,}" for key in ("images", "lost", "repeated")),
        "yes" if ended else "no",
        f"at most {slowest}" if ended else f"given up after {slowest}",
    ]


if __name__ == "__main__":
    sys.exit(main())
