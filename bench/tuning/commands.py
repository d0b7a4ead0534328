"""`leafbench tune`: which hyperparameters of the CNN matter, and which setting is best."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bench.progress import Progress
    from bench.tuning.session import StudyOutcome, StudyTools

EXIT_STATUSES = """
\b
Exit status:
  0    fine
  1    some trainings failed; the report says which and why
  2    wrong usage; or images, a study or a machine that cannot be used
  130  interrupted; go on with: leafbench tune --resume DIR
"""

DEFAULTS: Mapping[str, Any] = {
    "data": "data/leaves",
    "trials": 20,
    "epochs": 8,
    "images": None,
    "image_size": 64,
    "variant": "in_model_cache",
    "seed": 0,
}


@click.command(epilog=EXIT_STATUSES)
@click.option("--data", metavar="DIR", help="Images, DIR/<class>/*.  [data/leaves]")
@click.option("--trials", type=click.IntRange(1, 500), help="Settings to try.  [20]")
@click.option("--epochs", type=click.IntRange(1), help="Epochs of each training.  [8]")
@click.option("--images", type=click.IntRange(1), help="Use so many, each class by its share.")
@click.option("--image-size", type=click.IntRange(32), help="Pixels.  [64]")
@click.option("--variant", metavar="V", help="Pipeline of all trainings.  [in_model_cache]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Of split, settings, weights.  [0]")
@click.option("--out", metavar="DIR", help="Folder of the study.  [reports/<time>-tune]")
@click.option("--resume", metavar="DIR", help="Go on with a study that was stopped.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def tune(as_json: bool, **given: Any) -> int:
    """Study the CNN's dropout, learning rate, batch size and dense units.

    Settings are proposed by KerasTuner; each is trained in a process of its own. The best one and
    the default are trained again with three other seeds. The report says which hyperparameters
    matter beyond chance; best.toml beside it is a suite for `leafbench run`.
    """
    from bench.progress import shown

    _interrupt_on_terminate()
    with shown() as progress:
        outcome = _carry_out(given, tuple(sys.argv[1:]), real_tools(progress))
    _print(outcome, as_json)
    return outcome.exit_code


def _interrupt_on_terminate() -> None:
    """Stop as cleanly for a cancelled job or a closed terminal as for Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def real_tools(progress: Progress) -> StudyTools:
    """Processes, clocks and files as they are."""
    from bench import environment, plan
    from bench.executor import ProcessExecutor
    from bench.report import tuning
    from bench.tuning.proposer import ProcessProposer
    from bench.tuning.results import SEARCH_BLOCK
    from bench.tuning.session import StudyTools

    return StudyTools(
        executor=ProcessExecutor,
        proposer=lambda config, store: ProcessProposer(
            plan.trial_seed(config.seed, SEARCH_BLOCK), config.trials, store.work, store.logs
        ),
        progress=progress,
        environment=environment.read,
        now=lambda: datetime.now(UTC),
        report=tuning.make,
    )


def _carry_out(
    given: Mapping[str, Any], command: tuple[str, ...], tools: StudyTools
) -> StudyOutcome:
    from bench.launch import REPORTS
    from bench.tuning import session
    from bench.tuning.schema import StudyConfig

    options = {key: value for key, value in given.items() if value is not None}
    resume, out = options.pop("resume", None), options.pop("out", None)
    if resume is not None:
        _refuse_beside_resume(options | ({"out": out} if out else {}))
        return session.resume(Path(resume), tools)
    folder = Path(out) if out else REPORTS / f"{tools.now():%Y%m%d-%H%M%S}-tune"
    config = StudyConfig(**{**DEFAULTS, **options})
    return session.start(config, folder, ("leafbench", *command), tools)


def _refuse_beside_resume(options: Mapping[str, Any]) -> None:
    from bench.errors import ConfigError

    if options:
        names = ", ".join(f"--{key.replace('_', '-')}" for key in sorted(options))
        raise ConfigError(
            f"--resume goes on with a study exactly as it began: leave out {names}, or begin a new "
            "study without --resume."
        )


def _print(outcome: StudyOutcome, as_json: bool) -> None:
    """What matters and whether the best setting holds, and where the rest is."""
    from bench import console
    from bench.report import tuning
    from bench.report.tuning_words import sentences

    results = outcome.results
    if results is not None and as_json:
        console.json(results)
    elif results is not None:
        if results.decomposition.explained is not None:
            header, rows = tuning.importance_rows(results)
            console.table(rows, header)
            console.text()
        console.text("\n".join(sentences(results)))
        console.text(f"\nReport: {outcome.folder / 'report.md'}")
    if outcome.interrupted:
        console.aside(
            "Interrupted; nothing trained is lost. Go on with: leafbench tune --resume "
            f"{outcome.folder}"
        )
