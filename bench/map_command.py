"""`leafbench claim-map` and `leafbench sweep`; what they need is imported inside them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

STEPS = "800ms,200ms,100ms,50ms,25ms,10ms"
# Options of `leafbench run` that a sweep's runs share.
SHARED = (
    *("suite", "data", "variants", "phases", "blocks", "epochs", "batch_size", "image_size"),
    *("images", "seed", "target", "baseline", "candidate", "skip_bad", "augment"),
)

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.command("claim-map")
@click.argument("folders", metavar="RUN...", nargs=-1, required=True)
@click.option("--out", metavar="DIR", help="Write the map there: Markdown, JSON, a figure a phase.")
@_as_json
def claim_map(folders: tuple[str, ...], out: str | None, as_json: bool) -> None:
    """Say for which devices the claim holds, from emulated runs with different steps.

    Each RUN was made with the same options but another leafbench run --device emulated:step=...
    """
    from bench import console
    from bench.mapping import of_runs

    console.claim_map(of_runs([Path(folder) for folder in folders]), out, as_json)


@click.option("--out", required=True, metavar="DIR", help="Folder of the runs and of the map.")
@click.option(
    "--steps",
    default=STEPS,
    show_default=True,
    metavar="T,U",
    help="What a step takes, each a run.",
)
@click.option("--transfer", metavar="T", help="Of each batch.  [0ms]")
@click.option("--augment", "augment_time", metavar="T", help="In the model, a step.  [0ms]")
@click.option("--ahead", metavar="N", help="Batches handed over and not done.  [2]")
@_as_json
def _sweep(out: str, augment_time: str | None, as_json: bool, **given: Any) -> int:
    """Emulate one device after the other, and map for which of them the claim holds.

    Runs the claim's two variants on devices that only take time; goes on where it was stopped.
    """
    from bench import console, sweep
    from bench.progress import shown

    times = {key: given.pop(key) for key in ("steps", "transfer", "ahead")}
    device = {**times, "augment": augment_time}
    with shown() as progress:
        ended = sweep.run(given, device, Path(out), tuple(sys.argv[1:]), progress)
    console.swept(ended, as_json)
    return ended.exit_code


def sweep_like(run: click.Command) -> click.Command:
    """The command `sweep`, with those options of `run` that a sweep's runs share."""
    command = click.command("sweep")(_sweep)
    command.params[:0] = [option for option in run.params if option.name in SHARED]
    return command
