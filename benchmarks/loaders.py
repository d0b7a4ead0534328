"""Our loaders against what people would use instead: same files, same cores, same work.

    python -m benchmarks.loaders [--data data/leaves] [--out reports/loaders] [--readme]

Two ordinary runs, each variant in every block, go to `OUT/alone` and `OUT/training`: one against an
emulated device that takes no time, which leaves the loader alone, and one that trains the claim's
CNN. Stopped, it goes on with the same command; with both runs whole, it only renders them again.
`--readme` puts the table into benchmarks/README.md. About 25 minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import stats
from bench.compare import block_times
from bench.errors import BenchError
from bench.measures import VariantResult
from bench.progress import shown
from bench.report import formats
from bench.results import RunResults, compute
from bench.schema import TrialRecord
from bench.stats import Interval
from bench.store import StoredRun
from bench.variants import variant
from benchmarks.ordinary_run import exit_code, made
from benchmarks.readme_section import README, Section
from leafmodel.errors import LeafmodelError
from leafmodel.pipelines.extras import lacking
from leafmodel.pipelines.spec import Cache

HERE = Path(__file__).parent
SECTION = Section("<!-- loaders: made by loaders.py -->", "<!-- end of loaders -->")
OURS = ("in_model", "in_model_cache", "uint8_model", "in_model_cache+delivers=uint8")
ALTERNATIVES = (
    *("autotuned", "autotuned_cache", "keras_stock", "py_dataset", "py_dataset_processes"),
    *("grain", "grain_processes", "grain_keras", "torch_loader"),
)
ALONE = {"device": "emulated:step=10us", "images": 640, "epochs": 5}
TRAINING = {"profile": "none", "images": 115, "epochs": 3}
HEADER = (
    "variant",
    "images/s, alone",
    "speed against ours, alone",
    "steady epoch, training",
    "speed against ours, training",
    "waiting for input",
)


@dataclass(frozen=True)
class Measured:
    """A run, computed, with its raw trials."""

    results: RunResults
    trials: Sequence[TrialRecord]

    def find(self, name: str) -> VariantResult | None:
        """A variant, if it has a trial that went well."""
        found = self.results.find(name, self.results.run.config.phases[0])
        return found if found and found.trials else None

    def speed(self, base: str, name: str) -> Interval | None:
        """How many times as fast a variant is as another, steady epochs, inside blocks."""
        return stats.ratio(block_times(self._trials(base)), block_times(self._trials(name)))

    def _trials(self, name: str) -> list[TrialRecord]:
        return [t for t in self.trials if t.spec.variant == name and not t.spec.replica]


def main() -> int:
    given = _arguments()
    names = [*given.ours, *given.against]
    absent = {name: why for name in names if (why := lacking(variant(name).pipeline))}
    for name, why in absent.items():
        print(f"{name} {why}; it is left out.", file=sys.stderr)
    present = [name for name in names if name not in absent]
    try:
        with shown() as progress:
            alone, training = (
                _measured(made(given.out / part, _options(given, present, options), progress))
                for part, options in (("alone", ALONE), ("training", TRAINING))
            )
    except (BenchError, LeafmodelError) as error:
        return exit_code(error)
    text = section(alone, training, given.ours)
    print(text)
    if given.readme:
        SECTION.write(text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", default="data/leaves", help="a folder of images")
    parser.add_argument("--out", type=Path, default=Path("reports/loaders"))
    parser.add_argument("--ours", type=_names, default=OURS)
    parser.add_argument("--against", type=_names, default=ALTERNATIVES)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--readme", action="store_true", help=f"write the table into {README.name}")
    return parser.parse_args()


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _options(
    given: argparse.Namespace, names: Sequence[str], part: Mapping[str, Any]
) -> dict[str, Any]:
    """What `leafbench run` is told."""
    return {
        "suite": "quick",
        "data": given.data,
        "variants": ",".join(names),
        "baseline": names[0],
        "candidate": names[1],
        "target": "1x",
        "blocks": given.blocks,
        "image_size": given.image_size,
        "batch_size": given.batch_size,
        **part,
    }


def _measured(stored: StoredRun) -> Measured:
    results = compute(stored.run, stored.trials, stored.proofs, stored.profiles)
    return Measured(results, stored.trials)


def section(alone: Measured, training: Measured, ours: Sequence[str]) -> str:
    """The table, and the sentences that it needs."""
    names = alone.results.run.config.variants
    rows = [_row(name, _reference(name, ours), alone, training) for name in names]
    summaries = "\n".join(f"- `{name}`: {variant(name).summary}" for name in names)
    return f"{_heading(alone, training)}\n\n{formats.table(HEADER, rows)}\n\n{summaries}"


def _heading(alone: Measured, training: Measured) -> str:
    machine, config = alone.results.run.environment, alone.results.run.config
    versions = ", ".join(f"{name} {number}" for name, number in sorted(_versions(training).items()))
    drained, trained = (item.results.run.data.train_images for item in (alone, training))
    return (
        f"{machine.cpu_model}, {formats.plural(machine.cores, 'core')}; {config.image_size} px, "
        f"batches of {config.batch_size}, {formats.plural(config.blocks, 'block')}; 95 % "
        f"intervals. Alone: {drained} images an epoch, no model. Training: "
        f"the claim's CNN on {trained}. Speed is against ours with "
        f"the same cache: above 1 is faster than ours. {versions}."
    )


def _versions(measured: Measured) -> dict[str, str]:
    return {name: number for trial in measured.trials for name, number in trial.versions.items()}


def _reference(name: str, ours: Sequence[str]) -> str:
    """Ours with the same cache; the first of ours if none has it."""
    cache = variant(name).pipeline.cache
    same = (item for item in ours if variant(item).pipeline.cache is cache)
    return next(same, ours[0])


def _row(name: str, base: str, alone: Measured, training: Measured) -> list[str]:
    drained, trained = alone.find(name), training.find(name)
    epoch = drained.steady_epoch_s if drained else None
    cached = ", cached" if variant(name).pipeline.cache is not Cache.NONE else ""
    return [
        f"`{name}`{cached}",
        formats.rate_interval(drained.images if drained else 0, epoch),
        _speed(alone, base, name),
        formats.seconds_interval(trained.steady_epoch_s if trained else None),
        _speed(training, base, name),
        formats.percent(trained.input_wait_share if trained else None),
    ]


def _speed(measured: Measured, base: str, name: str) -> str:
    return "1 (ours)" if base == name else formats.times_interval(measured.speed(base, name))


if __name__ == "__main__":
    sys.exit(main())
