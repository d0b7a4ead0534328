"""`leafbench history`: verdicts over commits."""

from __future__ import annotations

from pathlib import Path

import click

HISTORY = "history.jsonl"


@click.group()
def history() -> None:
    """Keep verdicts over commits, and draw them.

    The history is a file of lines that only ever grows, so it can live in a branch.
    """


@history.command("add")
@click.argument("verdicts", metavar="VERDICT...", nargs=-1, required=True, type=Path)
@click.option(
    "--to", metavar="FILE", default=HISTORY, show_default=True, type=Path, help="The history."
)
def history_add(verdicts: tuple[Path, ...], to: Path) -> None:
    """Append verdict files (`leafbench check --json FILE`), all of them or none.

    One that is in the history already is left out, so a job may be run again.
    """
    from bench.gate.history import add
    from bench.report import history_words

    outcome = add(verdicts, to)
    _warn(outcome.broken)
    click.echo("\n".join(history_words.added(outcome, str(to))))


@history.command("plot")
@click.argument("file", metavar="[FILE]", default=HISTORY, type=Path)
@click.option(
    "--out", metavar="PNG", default="history.png", show_default=True, type=Path, help="The figure."
)
@click.option("--metric", metavar="M", default="epoch", show_default=True, help="What is drawn.")
@click.option(
    "--subject",
    "subjects",
    metavar="S",
    multiple=True,
    help="Of what, as in `in_model, cnn`; repeatable.  [all]",
)
def history_plot(file: Path, out: Path, metric: str, subjects: tuple[str, ...]) -> None:
    """Draw a metric over commits, relative to the first one, with its change points.

    Each verdict says how far a commit is from its reference, so levels are chained through
    references; a commit whose reference is not in the history begins a new line. Change points are
    found by PELT (Killick et al. 2012).
    """
    from bench.gate.history import read
    from bench.gate.history_view import view
    from bench.report import history_figure, history_words
    from bench.store import storing, write_whole

    found = read(file)
    _warn(found.broken)
    shown = view(found.entries, metric, subjects, str(file))
    image = history_figure.draw(shown)
    with storing(out):
        write_whole(out, image)
    click.echo("\n".join(history_words.seen(shown, str(out))))


def _warn(broken: tuple[str, ...]) -> None:
    for sentence in broken:
        click.echo(f"leafbench: {sentence}", err=True)
