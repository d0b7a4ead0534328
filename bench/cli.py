"""The commands of `leafbench`: parse, call, print. Whatever a command needs is imported inside it,
so that `--help` answers at once.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bench.device_commands import device
from bench.errors import (
    EXIT_FAULT,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_UNREAD,
    EXIT_USAGE,
    BenchError,
)
from bench.gate.commands import check, compare
from bench.gate.history_commands import history
from bench.map_command import claim_map, sweep_like
from bench.service_commands import service
from bench.training.commands import evaluate, predict, train
from bench.tuning.commands import tune
from leafmodel.errors import LeafmodelError

EXIT_STATUSES = """
\b
Exit status:
  0    fine
  1    some trials failed; the report says which and why
  2    wrong usage; or images, a run or a machine that cannot be used
  130  interrupted; go on with: leafbench run --resume RUN
"""

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    try:
        return _status(arguments)
    except SystemExit:  # what click makes of a pipe that nobody reads; its 1 would be a verdict
        return EXIT_UNREAD
    except Exception:  # noqa: BLE001  Python's own status for it, 1, is a verdict of some commands
        traceback.print_exc()
        click.echo("leafbench: this is a fault of leafbench's own; nothing is decided", err=True)
        return EXIT_FAULT


def _status(arguments: Sequence[str] | None) -> int:
    """The exit status of what ends as foreseen."""
    try:
        return int(cli.main(arguments, prog_name="leafbench", standalone_mode=False) or EXIT_OK)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (BenchError, LeafmodelError) as error:
        click.echo(f"leafbench: {error}", err=True)
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("leafbench: interrupted", err=True)
        return EXIT_INTERRUPTED


def _print_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from bench.environment import leafbench_version

        click.echo(f"leafbench {leafbench_version()}")
        context.exit()


@click.group(epilog=EXIT_STATUSES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Checks, on your machine, the claim that an input pipeline makes training N times faster."""


@cli.group()
def data() -> None:
    """Make leaves, or check a folder of images."""


@data.command("make")
@click.option("--out", default="data/leaves", show_default=True, help="Folder to make.")
@click.option(
    "--images", default=17_728, show_default=True, type=click.IntRange(1), help="How many, in all."
)
@click.option("--size", default=256, show_default=True, type=click.IntRange(16), help="Pixels.")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Same seed, same leaves."
)
@_as_json
def data_make(out: str, images: int, size: int, seed: int, as_json: bool) -> None:
    """Generate leaves of 14 species, with all cores; goes on where it was stopped."""
    from bench import console
    from bench.progress import counting, shown
    from leafmodel.data.generate import generate

    with shown() as progress:
        counted = counting(progress, "leaves")
        made = generate(Path(out), images=images, size=size, seed=seed, progress=counted)
    console.generated(out, made, as_json)


@data.command("check")
@click.argument("folder", metavar="DIR")
@_as_json
def data_check(folder: str, as_json: bool) -> int:
    """Report counts, sizes, unreadable files and duplicates of a folder of images."""
    from bench import console
    from bench.progress import counting, shown
    from leafmodel.data.check import check
    from leafmodel.data.folder import scan

    with shown() as progress:
        found = check(scan(Path(folder)), progress=counting(progress, "images"))
    console.check_report(found, as_json)
    return EXIT_USAGE if found.problems else EXIT_OK


@cli.command(epilog=EXIT_STATUSES)
@click.option("--suite", metavar="NAME|FILE", help="What to run: a name or a TOML file.  [quick]")
@click.option("--data", metavar="DIR", help="Images, DIR/<class>/*.  [data/leaves]")
@click.option(
    "--variants", metavar="A,B", help="Variants; axes can be changed: in_model+prefetch=8."
)
@click.option(
    "--phases", metavar="P,Q", help="What to train; can be changed: finetune+mish,cnn+dropout=0.5."
)
@click.option("--blocks", type=int, help="Rounds in which every variant is tried once.")
@click.option("--epochs", type=int, help="Epochs a trial, the first (unsteady) one included.")
@click.option("--batch-size", type=int, help="Images a step.")
@click.option("--image-size", type=int, help="Pixels; images of another size are resized.")
@click.option("--images", type=int, help="Use so many of the images, each class by its share.")
@click.option("--seed", type=int, help="Of the split, the order of trials and the weights.")
@click.option("--out", metavar="DIR", help="Folder of the run.  [reports/<time>-<suite>]")
@click.option("--claim", "target", metavar="7x", help="The speedup to audit.")
@click.option("--baseline", metavar="A", help="The claim's slower variant.")
@click.option("--candidate", metavar="B", help="The claim's faster variant.")
@click.option("--skip-bad", is_flag=True, default=None, help="Leave out files that are broken.")
@click.option(
    "--no-augment", "augment", flag_value=False, default=None, help="Augment in no variant."
)
@click.option(
    "--profile",
    metavar="none|auto|all",
    help="Profile none, all, or baseline, candidate, plain and the fastest variant.  [auto]",
)
@click.option("--profile-steps", type=int, help="Steps of each profile, 40 at the most.  [8]")
@click.option("--backbone", metavar="B", help="Pretrained network.  [Lite0; B4 with a GPU]")
@click.option("--weights", metavar="W", help="imagenet, none, or a file.  [imagenet]")
@click.option("--start-epochs", type=int, help="Epochs of what finetune continues from.  [8]")
@click.option(
    "--until-accuracy",
    metavar="A",
    help="Count time and epochs to this validation accuracy; every trial trains all its epochs.",
)
@click.option("--seeds", type=int, help="Another name of --blocks: each block has its own seed.")
@click.option(
    "--audit-data",
    is_flag=True,
    default=None,
    help="Look for what makes accuracies optimistic: telling borders, near-duplicates.",
)
@click.option(
    "--device",
    metavar="D",
    help="Emulate: the real pipelines feed a device that only takes time, emulated:step=51ms or a "
    "profile (list devices); trains nothing.",
)
@click.option(
    "--backend", metavar="tensorflow|jax|torch", help="What Keras trains on.  [tensorflow]"
)
@click.option(
    "--sweep",
    metavar="T,U|none",
    help="Behind the trials, emulate devices that take so long a step, and map the claim: "
    "500ms,50ms,5ms.",
)
@click.option(
    "--service",
    metavar="HOST:PORT",
    help="Variants with service_workers use the tf.data service there, whose workers must be able "
    "to read the images under the same paths.  [each trial starts its own, on this machine]",
)
@click.option("--shard", metavar="I/N", help="Make only the I-th of N shares; see merge.")
@click.option("--resume", metavar="RUN", help="Go on with a run that was stopped.")
@_as_json
def run(as_json: bool, **given: Any) -> int:
    """Measure the variants of a suite and audit the claim."""
    from bench import console, launch
    from bench.progress import shown

    with shown() as progress:
        outcome = launch.run(given, tuple(sys.argv[1:]), progress)
    console.outcome(outcome, as_json)
    return outcome.exit_code


@cli.command()
@click.argument("out", metavar="OUT")
@click.argument("folders", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--across-machines", is_flag=True, help="Merge also what machines that differ measured."
)
@_as_json
def merge(out: str, folders: tuple[str, ...], across_machines: bool, as_json: bool) -> None:
    """Make one run, in the new folder OUT, of the shards that `run --shard I/N` made."""
    from datetime import UTC, datetime

    from bench import console, reporting
    from bench.merge_store import merge_folders

    shards = [Path(folder) for folder in folders]
    merge_folders(Path(out), shards, datetime.now(UTC), across_machines=across_machines)
    console.merged(reporting.make(Path(out)), as_json)


@cli.command()
@click.argument("folder", metavar="RUN")
@_as_json
def report(folder: str, as_json: bool) -> None:
    """Render the report of a run, a training or a study again, from its records alone."""
    from bench import console, rendering

    console.rendered(rendering.render(Path(folder)), as_json)


@cli.command()
@click.argument("folder", metavar="RUN")
@click.option("--phase", metavar="P", help="Of this phase only.  [every phase of the run]")
@_as_json
def explain(folder: str, phase: str | None, as_json: bool) -> None:
    """Take a run's speedup apart: which cause gives which factor, and what was not measured."""
    from bench import console
    from bench.explaining import of_run

    console.explained(of_run(Path(folder), phase), as_json)


class _Show(click.Group):
    """`trace RUN` is `trace show RUN`."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        known = {*self.commands, *self.get_help_option_names(context)}
        shown = arguments and arguments[0] not in known
        return super().parse_args(context, ["show", *arguments] if shown else arguments)


@cli.group(cls=_Show, subcommand_metavar="RUN | COMMAND [ARGS]...")
def trace() -> None:
    """Look at a run in TensorBoard: leafbench trace RUN [--port N] [--variant V].

    It prints the address of TensorBoard, on this machine only, and the link to the trace viewer of
    each profile; Ctrl-C ends it. The commands below are what else can be done with traces.
    """


@trace.command("show")
@click.argument("folder", metavar="RUN")
@click.option("--port", type=click.IntRange(1, 65535), help="Where to listen.  [any free port]")
@click.option("--variant", metavar="V", help="Link to the traces of this variant only.")
def trace_show(folder: str, port: int | None, variant: str | None) -> None:
    """Open a run in TensorBoard (this is what `trace RUN` does)."""
    from bench import console, tensorboard_server

    tensorboard_server.serve(Path(folder), variant, port, console.view, console.aside)


@trace.command("diff")
@click.argument("folder", metavar="RUN")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@_as_json
def trace_diff(folder: str, a: str, b: str, as_json: bool) -> None:
    """Say by which causes a step of profile B differs from one of A.

    A and B are profiled variants of RUN, or VARIANT,PHASE where it has several phases.
    """
    from bench import console
    from bench.trace_diff import of_run

    console.trace_diff(of_run(Path(folder), a, b), as_json)


@cli.command("list")
@click.argument(
    "what", type=click.Choice(["variants", "phases", "improvements", "suites", "devices"])
)
@_as_json
def list_(what: str, as_json: bool) -> None:
    """List what can be run."""
    from bench import console
    from bench.config import listing

    console.listing(listing(what), as_json)


@cli.command()
@_as_json
def doctor(as_json: bool) -> int:
    """Say what this machine is good for, what will not work and how to mend it."""
    from bench import console
    from bench.doctor import diagnose

    diagnosis = diagnose()
    console.diagnosis(diagnosis, as_json)
    return EXIT_OK if diagnosis.healthy else EXIT_USAGE


cli.add_command(tune)
cli.add_command(sweep_like(run))
for _command in (train, evaluate, predict, check, compare, history, claim_map, device, service):
    cli.add_command(_command)
