"""Does a pipeline's time per image, or its memory, grow with the number of images?

    python -m benchmarks.scale --data DIR [--out reports/scale] [--readme]

One ordinary run for each number of images: an epoch of every variant's pipeline against an emulated
device that trains 1,250 images/s, and one more of the loader alone. The runs go to `OUT/<images>`,
the raw numbers to benchmarks/scale.json; `--readme` puts the section into benchmarks/README.md.
Stopped, it goes on with the same command. About half an hour on two idle cores, most of it the
default and the variants that augment in the pipeline. DIR needs 17,728 images:

    leafbench data make --out leaves-17k --images 17728
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.compare import NS_PER_S
from bench.errors import BenchError
from bench.progress import shown
from bench.report import formats
from bench.schema import TrialKind, TrialStatus
from bench.store import StoredRun
from bench.variants import VARIANTS
from benchmarks.ordinary_run import exit_code, made
from benchmarks.readme_section import README, Section
from leafmodel.errors import LeafmodelError
from leafmodel.pipelines.extras import lacking

HERE = Path(__file__).parent
RAW = HERE / "scale.json"
SUITE = HERE / "scale.toml"
SECTION = Section("<!-- scale: made by scale.py -->", "<!-- end of scale -->")
SIZES = (1_000, 4_000, 17_728)  # the last one: what the claim's group trained on
DEVICE = "emulated:step=25.6ms"
BYTES_PER_KB = 1_000


def main() -> int:
    given = _arguments()
    try:
        names = _present()
        with shown() as progress:
            runs = [
                _plain(made(given.out / str(size), _options(given.data, size, names), progress))
                for size in given.sizes
            ]
    except (BenchError, LeafmodelError) as error:
        return exit_code(error)
    RAW.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    text = section(runs)
    print(text)
    if given.readme:
        SECTION.write(text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", required=True, help="a folder of images")
    parser.add_argument("--out", type=Path, default=Path("reports/scale"))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="IMAGES")
    parser.add_argument("--readme", action="store_true", help=f"write into {README.name}")
    return parser.parse_args()


def _present() -> list[str]:
    """Every variant that can run here without a model."""
    able = {n: v.pipeline for n, v in VARIANTS.items() if not v.pipeline.needs_frozen_backbone}
    absent = {name: why for name, pipeline in able.items() if (why := lacking(pipeline))}
    for name, why in absent.items():
        print(f"{name} {why}; it is left out.", file=sys.stderr)
    return [name for name in able if name not in absent]


def _options(data: str, size: int, names: Sequence[str]) -> dict[str, Any]:
    """What `leafbench run` is told."""
    return {
        "suite": str(SUITE),
        "data": data,
        "variants": ",".join(names),
        "images": size,
        "device": DEVICE,
    }


def _plain(stored: StoredRun) -> dict[str, Any]:
    """A run as plain numbers: what each trial took for its one epoch, its loader, its memory."""
    machine = stored.run.environment
    return {
        "machine": f"{machine.cpu_model}, {formats.plural(machine.cores, 'core')}",
        "images": stored.run.config.images,
        "image_size": stored.run.config.image_size,
        "trained": stored.run.data.train_images,
        "trials": {
            trial.spec.variant: {
                "epoch_s": trial.epochs[0].epoch_ns / NS_PER_S,
                "loader_s": [epoch_ns / NS_PER_S for epoch_ns in trial.loader_epoch_ns],
                "peak_rss_bytes": trial.peak_rss_bytes,
            }
            for trial in stored.trials
            if trial.status is TrialStatus.OK and trial.spec.kind is TrialKind.TRAIN
            if not trial.spec.replica
        },
    }


def section(runs: Sequence[Mapping[str, Any]]) -> str:
    """Both tables, from the raw numbers alone."""
    names = [name for name in VARIANTS if any(name in run["trials"] for run in runs)]
    counts = [f"{run['images']:,}" for run in runs]
    return "\n\n".join(
        [
            f"{runs[0]['machine']}; {', '.join(counts)} images, of which "
            f"{', '.join(format(run['trained'], ',') for run in runs)} are trained on, at "
            f"{runs[0]['image_size']} px, in batches of 32; the device: {DEVICE}, 1,250 "
            "images/s. One epoch each, the first one: no intervals. Milliseconds an image:",
            formats.table(
                (
                    "variant",
                    *(f"epoch of {count}" for count in counts),
                    *(f"loader alone, {count}" for count in counts),
                    "loader alone, most images over fewest",
                ),
                [_speed_row(name, runs) for name in names],
            ),
            "Peak memory:",
            formats.table(
                ("variant", *(f"{count} images" for count in counts), "for each further image"),
                [_memory_row(name, runs) for name in names],
            ),
        ]
    )


def _speed_row(name: str, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    epochs = [_per_image_ms(run, _trial(run, name).get("epoch_s")) for run in runs]
    loaders = [_per_image_ms(run, _loader_s(_trial(run, name))) for run in runs]
    least, most = loaders[0], loaders[-1]
    grown = formats.NOTHING if least is None or most is None else f"{most / least:.2f}x"
    return [f"`{name}`", *(_ms(value) for value in (*epochs, *loaders)), grown]


def _memory_row(name: str, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    peaks = [_trial(run, name).get("peak_rss_bytes") for run in runs]
    more = runs[-1]["trained"] - runs[0]["trained"]
    least, most = peaks[0], peaks[-1]
    slope = formats.NOTHING
    if least is not None and most is not None and more:
        slope = f"{(most - least) / more / BYTES_PER_KB:.1f} kB"
    return [f"`{name}`", *(formats.size(peak) for peak in peaks), slope]


def _trial(run: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = run["trials"].get(name, {})
    return found


def _loader_s(trial: Mapping[str, Any]) -> float | None:
    """The device's own images have no loader."""
    epochs = trial.get("loader_s")
    return epochs[0] if epochs else None


def _per_image_ms(run: Mapping[str, Any], seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1_000 / run["trained"]


def _ms(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
