"""`leafbench train`, `evaluate` and `predict`: one model, trained properly and used.

What a command needs is imported inside it, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bench.progress import Progress
    from bench.training.records import TrainConfig
    from bench.training.session import TrainingOutcome, TrainingTools

EXIT_STATUSES = """
\b
Exit status:
  0    fine
  1    a phase could not be trained; the report says why
  2    wrong usage; or images, a model or a machine that cannot be used
  130  interrupted; go on with: leafbench train --resume DIR
"""

DEFAULTS: Mapping[str, Any] = {
    "data": "data/leaves",
    "variant": "in_model_cache",
    "epochs": 50,
    "batch_size": 32,
    "image_size": 224,
    "images": None,
    "seed": 0,
    "weights": "imagenet",
    "skip_bad": False,
    "audit_data": False,
}

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.command(epilog=EXIT_STATUSES)
@click.option(
    "--phase",
    "phases",
    metavar="P",
    multiple=True,
    help="What to train, as often as you like: cnn, transfer, finetune, improved; can be changed: "
    "finetune+mish.",
)
@click.option("--data", metavar="DIR", help="Images, DIR/<class>/*.  [data/leaves]")
@click.option("--variant", metavar="V", help="Input pipeline.  [in_model_cache]")
@click.option("--epochs", type=click.IntRange(1), help="At the most; it may stop before.  [50]")
@click.option("--batch-size", type=click.IntRange(1), help="Images a step.  [32]")
@click.option("--image-size", type=click.IntRange(32), help="Pixels.  [224]")
@click.option("--images", type=click.IntRange(1), help="Use so many, each class by its share.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Of split and weights.  [0]")
@click.option("--backbone", metavar="B", help="Pretrained network.  [Lite0; B4 with a GPU]")
@click.option("--weights", metavar="W", help="imagenet, none, or a file.  [imagenet]")
@click.option("--skip-bad", is_flag=True, default=None, help="Leave out files that are broken.")
@click.option(
    "--audit-data",
    is_flag=True,
    default=None,
    help="Look for what makes accuracies optimistic: telling borders, near-duplicates.",
)
@click.option("--out", metavar="DIR", help="Folder for it all.  [reports/<time>-train]")
@click.option(
    "--resume", metavar="DIR", help="Go on with a training; --phase trains more phases there."
)
@_as_json
def train(as_json: bool, phases: tuple[str, ...], **given: Any) -> int:
    """Train a model properly: all its epochs, the best one kept, and a report.

    A phase that continues another (finetune, improved) trains that one first. A training that was
    stopped, or killed, goes on behind its last epoch.
    """
    from bench.launch import interrupt_on_terminate
    from bench.progress import shown
    from bench.training import console

    interrupt_on_terminate()
    with shown() as progress:
        outcome = _carry_out(phases, given, ("leafbench", *sys.argv[1:]), real_tools(progress))
    console.outcome(outcome, as_json)
    return outcome.exit_code


def real_tools(progress: Progress) -> TrainingTools:
    """Processes, clocks and files as they are."""
    from datetime import UTC, datetime

    from bench import environment
    from bench.report import training
    from bench.training.process import ModelProcess
    from bench.training.session import TrainingTools

    return TrainingTools(
        worker=ModelProcess,
        progress=progress,
        environment=environment.read,
        now=lambda: datetime.now(UTC),
        report=training.make,
    )


def _carry_out(
    phases: tuple[str, ...],
    given: Mapping[str, Any],
    command: tuple[str, ...],
    tools: TrainingTools,
) -> TrainingOutcome:
    from bench.errors import ConfigError
    from bench.launch import REPORTS
    from bench.training import session

    options = {key: value for key, value in given.items() if value is not None}
    resume, out = options.pop("resume", None), options.pop("out", None)
    if resume is not None:
        if options or out:
            names = ", ".join(sorted({*options, *(["out"] if out else [])}))
            raise ConfigError(
                f"--resume goes on with a training exactly as it began: leave out {names}, or "
                "begin a new training without --resume. Only --phase may stand beside it."
            )
        return session.resume(Path(resume), phases, tools)
    folder = Path(out) if out else REPORTS / f"{tools.now():%Y%m%d-%H%M%S}-train"
    return session.start(_config(phases, options), folder, command, tools)


def _config(phases: tuple[str, ...], options: Mapping[str, Any]) -> TrainConfig:
    """The training that the options describe.

    Raises:
        ConfigError: no phase, or a variant that they cannot have.
        ModelError: there is no such phase or backbone.
    """
    from bench import environment
    from bench.errors import ConfigError
    from bench.training.plan import require_possible
    from bench.training.records import TrainConfig
    from leafmodel.models.catalogue import default_backbone

    if not phases:
        raise ConfigError("Say what to train: --phase cnn, transfer, finetune or improved.")
    values = {**DEFAULTS, **options, "phases": tuple(dict.fromkeys(phases))}
    values.setdefault("backbone", default_backbone(bool(environment.gpus())))
    config = TrainConfig(**values)
    require_possible(config)
    return config


@click.command(epilog=EXIT_STATUSES)
@click.argument("model", metavar="MODEL")
@click.argument("folder", metavar="DIR")
@click.option("--skip-bad", is_flag=True, help="Leave out files that are broken.")
@click.option("--out", metavar="DIR", help="Folder for figures and evaluation.json.")
@_as_json
def evaluate(model: str, folder: str, skip_bad: bool, out: str | None, as_json: bool) -> None:
    """Say how well a saved model names the images of a folder.

    Of DIR/test/<class>/* where there is such a part; else of all images in DIR.
    """
    from bench.progress import shown
    from bench.training import console, evaluation, use

    with shown() as progress:
        tools = use.real_tools(progress)
        found = evaluation.evaluate(Path(model), Path(folder), skip_bad, tools)
    if out is not None:
        evaluation.write(found, Path(out))
    console.evaluated(found, out, as_json)


@click.command(epilog=EXIT_STATUSES)
@click.argument("model", metavar="MODEL")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--top", default=3, show_default=True, type=click.IntRange(1), help="Classes shown.")
@_as_json
def predict(model: str, images: tuple[str, ...], top: int, as_json: bool) -> None:
    """Name the leaf on each image, and say how unsure the model is."""
    from bench.progress import shown
    from bench.training import console, prediction, use

    with shown() as progress:
        tools = use.real_tools(progress)
        found = prediction.predict(Path(model), [Path(image) for image in images], tools)
    console.predicted(found, top, as_json)
