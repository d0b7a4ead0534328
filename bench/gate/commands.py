"""`leafbench check`: did a commit make training slower?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

EXIT_STATUSES = """
\b
Exit status:
  0    pass: each change of its threshold's size is excluded
  1    regression: slower beyond doubt, perhaps by the threshold, and confirmed
  2    wrong usage; or images or a machine that cannot be used
  3    inconclusive: the budget was spent before it was decided
  4    nothing measured: a side could not be installed or trained
  130  interrupted
Whoever calls this through make gets make's own status 2 for all but 0.
"""


@click.command(epilog=EXIT_STATUSES)
@click.option("--against", metavar="REF", required=True, help="The git revision to compare with.")
@click.option("--suite", default="gate", show_default=True, help="Which variants and phases, how.")
@click.option("--data", metavar="DIR", help="Images, DIR/<class>/*.  [data/leaves]")
@click.option("--variants", metavar="A,B", help="Only these variants.")
@click.option("--phases", metavar="A,B", help="Only these phases.")
@click.option("--budget", metavar="TIME", help="Measure no longer than this: 15m, 90s.  [15m]")
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
    """Say whether the working tree trains slower than REF, on this machine, now.

    Both are trained by turns, an epoch each, in fresh processes; after every block it is decided
    whether another one is needed.
    """
    import os

    from bench.gate import launch
    from bench.progress import shown
    from bench.report import gate, gate_outputs

    with shown() as progress:
        record, folder = launch.check(_asked(given), progress)
    copies = gate_outputs.Copies(
        json=Path(json_file) if json_file else None,
        junit=Path(junit_file) if junit_file else None,
    )
    gate_outputs.write(record, folder, os.environ, copies)
    click.echo(gate.text(record))
    return record.verdict.exit_code


def _asked(given: dict[str, Any]) -> Any:
    from bench.gate.launch import Asked

    out = given.pop("out")
    names = ("suite", "budget", "self_test", "thresholds", "floors", "against")
    return Asked(
        repository=Path.cwd(),
        command=("leafbench", *sys.argv[1:]),
        out=Path(out) if out else None,
        overrides={k: v for k, v in given.items() if k not in names},
        **{name: given[name] for name in names},
    )
