"""`leafbench check` and `leafbench compare`: did it become slower?"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import ConfigError

if TYPE_CHECKING:
    from bench.gate.schema import VerdictRecord
    from bench.report.gate_outputs import Copies

EXIT_STATUSES = """
\b
Exit status:
  0    pass: each change of its threshold's size is excluded
  1    regression: slower beyond doubt, perhaps by the threshold, and confirmed
  2    wrong usage; or images or a machine that cannot be used
  3    inconclusive: the budget was spent before it was decided
  4    nothing measured: a side could not be installed or trained
  70   a fault of leafbench's own: nothing is decided
  130  interrupted
  141  nobody read the output; the verdict's files are written
Whoever calls this through make gets make's own status 2 for all but 0.
"""


@click.command(epilog=EXIT_STATUSES)
@click.option("--against", metavar="REF", help="Compare with this git revision.")
@click.option("--baseline", metavar="FILE", help="Compare with a run's summary.json instead.")
@click.option("--run", metavar="RUN", help="With --baseline: this run; else one is measured now.")
@click.option(
    "--microbench",
    nargs=2,
    metavar="OLD NEW",
    help="Compare two JSON files of pytest-benchmark instead.",
)
@click.option("--command", "training", metavar="TEXT", help="Measure your own training, not ours.")
@click.option("--suite", metavar="SUITE", help="Which variants and phases, and how.  [gate]")
@click.option("--data", metavar="DIR", help="Images, DIR/<class>/*.  [data/leaves]")
@click.option("--variants", metavar="A,B", help="Only these variants.")
@click.option("--phases", metavar="A,B", help="Only these phases.")
@click.option(
    "--budget", metavar="TIME", help="Begin no block that would not fit into this: 15m, 90s.  [15m]"
)
@click.option(
    "--threshold",
    "thresholds",
    metavar="SHARE",
    multiple=True,
    help="From which size on a change matters: 5%, epoch=8%, in_model.epoch=8%; repeatable.",
)
@click.option(
    "--floor",
    "floors",
    metavar="AMOUNT",
    multiple=True,
    help="Below this it never does: epoch=5ms, peak_memory=64MiB; repeatable.",
)
@click.option(
    "--self-test/--no-self-test",
    default=None,
    help="Plant a slowdown of the threshold's size, which must be seen for a pass.  [on]",
)
@click.option("--out", metavar="DIR", help="Folder of the records.  [reports/<time>-check]")
@click.option("--json", "json_file", metavar="FILE", help="Write the verdict there too, as JSON.")
@click.option(
    "--junit", "junit_file", metavar="FILE", help="Write the verdict there too, as JUnit."
)
def check(json_file: str | None, junit_file: str | None, **given: Any) -> int:
    """Say whether training became slower, and be able to be wrong only seldom.

    Against a revision, the working tree and REF are trained on this machine now, by turns, an epoch
    each, in fresh processes; after every block it is decided whether another one is needed.
    """
    from bench.progress import shown
    from bench.report.gate_outputs import Copies, prepare

    asked = {key: value for key, value in given.items() if value not in (None, ())}
    copies = Copies(*(Path(name) if name else None for name in (json_file, junit_file)))
    prepare(copies)
    with shown() as progress:
        record, folder = _decided(asked, progress)
    return _told(record, folder, copies)


@click.command()
@click.argument("reference", metavar="RUN")
@click.argument("head", metavar="RUN")
def compare(reference: str, head: str) -> int:
    """Compare two runs (or their summary.json) that were measured apart: what travels."""
    from bench.gate import launch
    from bench.progress import shown
    from bench.report.gate_outputs import Copies

    with shown() as progress:
        record = launch.check_summaries(Path(reference), Path(head), (), progress)
    return _told(record, None, Copies())


_SOURCES = ("against", "baseline", "microbench")
# What each way of checking understands beside its own name.
_FITTING: Mapping[str, tuple[str, ...]] = {
    "against": (
        *("training", "suite", "data", "variants", "phases", "budget", "thresholds", "floors"),
        *("self_test", "out"),
    ),
    "baseline": ("run", "thresholds"),
    "microbench": ("thresholds", "floors"),
}


def _decided(asked: dict[str, Any], progress: Any) -> tuple[VerdictRecord, Path | None]:
    from bench.gate import launch

    source = _source(asked)
    limits = asked.get("thresholds", ())
    if source == "microbench":
        old, new = map(Path, asked["microbench"])
        return launch.check_benchmarks(old, new, limits, asked.get("floors", ())), None
    if source == "baseline":
        run = Path(asked["run"]) if "run" in asked else None
        return launch.check_summaries(Path(asked["baseline"]), run, limits, progress), None
    return launch.check(_asked(asked), progress)


def _source(asked: Mapping[str, Any]) -> str:
    """Which of the ways to check is asked for."""
    named = [source for source in _SOURCES if source in asked]
    if len(named) != 1:
        found = " and ".join(f"--{source}" for source in named) or "none of them"
        raise ConfigError(
            "Say what to compare with, by one of --against REF, --baseline FILE or --microbench "
            f"OLD NEW; found {found}."
        )
    strange = [key for key in asked if key not in (named[0], *_FITTING[named[0]])]
    if strange:
        flags = ", ".join(_flag(key) for key in strange)
        raise ConfigError(f"--{named[0]} does not go with {flags}: leave that out.")
    return named[0]


def _flag(key: str) -> str:
    names = {"training": "command", "thresholds": "threshold", "floors": "floor"}
    return f"--{names.get(key, key.replace('_', '-'))}"


def _asked(asked: dict[str, Any]) -> Any:
    from bench.gate.asked import Asked

    of_suite = ("data", "variants", "phases")
    overrides: dict[str, Any] = {key: asked.pop(key) for key in of_suite if key in asked}
    out = asked.pop("out", None)
    return Asked(
        folder=Path.cwd(),
        command=("leafbench", *sys.argv[1:]),
        out=Path(out) if out else None,
        overrides=overrides,
        **asked,
    )


def _told(record: VerdictRecord, folder: Path | None, copies: Copies) -> int:
    from bench.report import gate_outputs

    try:  # neither a full disk nor a reader that went away may cost the other output
        click.echo(gate_outputs.printed(record, os.environ))
    finally:
        gate_outputs.write(record, folder, os.environ, copies)
    if folder is not None:
        click.echo(f"Records and verdict: {folder}")
    return record.verdict.exit_code
