"""What the commands print: tables for people, JSON for programs. Formatting only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

if TYPE_CHECKING:
    from bench.doctor import Diagnosis
    from bench.explaining import Explained
    from bench.mapping import Sweep
    from bench.rendering import Rendered
    from bench.reporting import Report
    from bench.session import Outcome
    from bench.sweep import Swept
    from bench.tensorboard_server import View
    from bench.trace_diff import TraceDiff
    from bench.waterfall import Waterfall
    from leafmodel.data.check import CheckReport
    from leafmodel.data.generate_manifest import Manifest

LISTED = 20


def json(value: object) -> None:
    """Print a value as JSON."""
    encoded = msgspec.json.encode(value, enc_hook=str)
    click.echo(msgspec.json.format(encoded, indent=2).decode())


def text(line: str = "") -> None:
    """Print a line."""
    click.echo(line)


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> None:
    """Print rows in columns, with a header if there is one."""
    from rich.console import Console
    from rich.table import Table

    made = Table(show_header=bool(header), box=None, pad_edge=False, header_style="bold")
    for name in header:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*row)
    width = None if sys.stdout.isatty() else 160
    Console(markup=False, highlight=False, width=width).print(made)


def generated(out: str, made: Manifest, as_json: bool) -> None:
    """Say what was generated, and its fingerprint."""
    if as_json:
        json(made)
        return
    text(f"{made.images} leaves of {made.size}x{made.size} pixels in {out}")
    text(f"fingerprint: {made.fingerprint}")


def check_report(report: CheckReport, as_json: bool) -> None:
    """Print what a folder of images holds, and what is wrong with it."""
    values = _check_values(report)
    if as_json:
        json(values)
        return
    counts = zip(report.training_counts, report.training_counts.values(), strict=True)
    table(
        [(name, str(n), str(report.test_counts.get(name, 0))) for name, n in counts],
        ("class", "training", "test"),
    )
    text(f"largest class / smallest class: {report.imbalance:.1f}")
    text(f"sizes: {_counted(values['sizes'])}")
    text(f"modes: {_counted(values['modes'])}")
    _listed("files that cannot be used", values["problems"])
    _listed("duplicates across classes", values["duplicates_across_classes"])
    _listed("duplicates across training and test", values["duplicates_across_splits"])
    text(f"fingerprint: {report.fingerprint}")


def _summary(row: Mapping[str, Any]) -> str:
    why = row.get("unavailable")
    return f"{row['summary']} [unavailable: {why}]" if why else str(row["summary"])


def listing(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print variants, phases or suites with the sentence that introduces each."""
    if as_json:
        json(rows)
        return
    table([(row["name"], _summary(row)) for row in rows])
    if any("pipeline" in row for row in rows):
        from leafmodel.pipelines.axes import axes
        from leafmodel.training.execution import axes as execution_axes

        text("\nAny other point on the axes is NAME+AXIS=VALUE, as in in_model+prefetch=8. Axes:")
        table([(f"  {axis}", values) for axis, values in axes().items()])
        text("\nBeyond the pipeline, reported apart, how the model is executed:")
        table([(f"  {axis}", values) for axis, values in execution_axes().items()])


def diagnosis(found: Diagnosis, as_json: bool) -> None:
    """Print what the machine is, then what to mend."""
    from bench.doctor import rows

    if as_json:
        json(found)
        return
    table(rows(found))
    text()
    for item in found.advice:
        text(f"{item.severity}: {item.what}")
        text(f"  mend: {item.remedy}")
    if not found.advice:
        text("Nothing to mend.")


def outcome(ended: Outcome, as_json: bool) -> None:
    """Print how a run ended and, where anything was measured, its verdict."""
    if ended.report is not None:
        report(ended.report, as_json)
    if ended.failed:
        aside(f"{ended.failed} of {ended.recorded} trials failed; the report says why.")
    if ended.interrupted:
        left = ended.planned - ended.recorded
        aside(
            f"Interrupted with {left} of {ended.planned} trials to go; nothing measured is lost. "
            f"Go on with: leafbench run --resume {ended.folder}"
        )


def rendered(made: Report | Rendered, as_json: bool) -> None:
    """Print a report that was rendered again; of trainings and studies, where it lies."""
    from bench.rendering import Rendered

    if not isinstance(made, Rendered):
        report(made, as_json)
    elif as_json:
        json(made.results)
    else:
        text(f"Report: {made.path}")


def report(made: Report, as_json: bool) -> None:
    """Print the verdict of a report that was rendered, where it lies, and what it lacks."""
    from bench.report.beyond import TITLE, terminal_tables
    from bench.report.tables import verdict_rows
    from bench.report.verdict import sentences

    if as_json:
        text(made.summary.read_text(encoding="utf-8").rstrip())
    else:
        header, *rows = verdict_rows(made.results)
        table(rows, header)
        for header, *rows in terminal_tables(made.results):
            text(f"\n{TITLE}:\n")
            table(rows, header)
        text(f"\n{' '.join(sentences(made.results))}")
        text(f"\nReport: {made.path}")
    for error in made.broken:
        aside(f"Left out of the report: {error}")


def explained(found: Explained, as_json: bool) -> None:
    """Print a run's speedup in factors, by cause, and the command that measures what is missing."""
    from bench.report import reached, summary, waterfall

    if as_json:
        json(
            {
                "run_id": found.run.run_id,
                "causes": [summary.causes(item) for item in found.causes],
                "ceiling_reached": [reached.plain(item) for item in found.reached],
            }
        )
    else:
        if found.run.config.device:
            text(f"Emulated, not measured: {found.run.config.device.title}\n")
        for item in found.causes:
            for why in item.obstacles:
                text(f"{item.phase}: no waterfall, since {why}.\n")
            for ladder in item.longest:
                _waterfall(found, ladder)
        for sentence in reached.sentences(found.reached):
            text(f"{sentence}\n")
        text("\n".join(waterfall.notes(found.causes)).replace("*", ""))
        command = waterfall.missing_command(found.run.config, found.causes)
        if command:
            text(f"A run that measures what is missing:\n  {command}")
    if found.failed:
        aside(f"{found.failed} trials failed and count for nothing; the report says why.")
    for error in found.broken:
        aside(f"Left out: {error}")


def claim_map(sweep: Sweep, out: str | None, as_json: bool) -> None:
    """Print for which devices the claim holds, and where the map lies if it was written."""
    from bench.report import claim_map as maps
    from bench.report import claim_map_files

    path = claim_map_files.write(sweep, Path(out)) if out else None
    if as_json:
        json(maps.summary(sweep))
        return
    for item in sweep.maps:
        table(maps.rows(item), maps.HEADER)
        text(f"\n{item.phase}: {' '.join(maps.sentences(item))}\n")
    text(f"Claim map: {path}" if path else "With --out DIR the map is written, with its figure.")


def swept(ended: Swept, as_json: bool) -> None:
    """Print the map of a sweep that ended, or how to go on with one that did not."""
    if ended.sweep is None:
        aside("Interrupted; nothing that was timed is lost. Go on with the same command.")
        return
    claim_map(ended.sweep, str(ended.folder), as_json)
    failed = sum(run.failed for run in ended.runs)
    if failed:
        aside(f"{failed} trials failed; the reports of their runs say why.")


def _waterfall(found: Explained, ladder: Waterfall) -> None:
    from bench.report import waterfall

    text(f"{ladder.phase}: from {ladder.baseline} to {ladder.target}\n")
    table(waterfall.rows(ladder), waterfall.HEADER)
    if ladder.left_out:
        text(f"\nTaken from {ladder.target}, one at a time:\n")
        table(waterfall.out_rows(ladder), waterfall.OUT_HEADER)
    text()
    for sentence in waterfall.sentences(found.run.config, ladder):
        text(sentence)
    text()


def merged(made: Report, as_json: bool) -> None:
    """Print the report of a merged run, and whether its shards brought all of it."""
    report(made, as_json)
    lacking = len(made.results.missing)
    if lacking:
        planned = len(made.results.run.plan)
        aside(
            f"Not complete: {lacking} of {planned} planned trials have no record. The report names "
            "their blocks."
        )


def trace_diff(found: TraceDiff, as_json: bool) -> None:
    """Print by which causes two profiles' steps differ, their sum, and what has no cause."""
    from bench.report import diff_tables

    if as_json:
        json(found)
        return
    text(f"{diff_tables.heading(found)}\n")
    table(diff_tables.cause_rows(found), diff_tables.CAUSE_HEADER)
    text(f"\n{diff_tables.total(found)}\n{diff_tables.unattributed(found)}")
    if found.stages:
        text("\nThread time of the pipelines' stages for a step, waited for or not:\n")
        table(diff_tables.stage_rows(found), diff_tables.STAGE_HEADER)


def view(shown: View) -> None:
    """Print where TensorBoard shows a run, a link a page, and what is missing."""
    text(f"TensorBoard: {shown.address}")
    for link in (*shown.pages, *shown.traces):
        text(f"  {link.title}: {link.address}")
    for note in shown.notes:
        aside(note)
    text("Ctrl-C ends it.")
    sys.stdout.flush()


def aside(line: str) -> None:
    """Print a line that is no part of the answer."""
    click.echo(line, err=True)


def _check_values(report: CheckReport) -> dict[str, Any]:
    return {
        "root": str(report.folder.root),
        "training": dict(report.training_counts),
        "test": dict(report.test_counts),
        "imbalance": report.imbalance,
        "sizes": {f"{width}x{height}": n for (width, height), n in report.sizes.items()},
        "modes": dict(report.modes),
        "problems": [f"{p.path}: {p.kind}, {p.detail}" for p in report.problems],
        "duplicates_across_classes": _groups(report.duplicates_across_classes),
        "duplicates_across_splits": _groups(report.duplicates_across_splits),
        "fingerprint": report.fingerprint,
    }


def _groups(groups: Iterable[Iterable[Path]]) -> list[str]:
    return [" = ".join(map(str, group)) for group in groups]


def _counted(values: Mapping[str, int]) -> str:
    return ", ".join(f"{n} of {name}" for name, n in values.items()) or "none"


def _listed(title: str, lines: Sequence[str]) -> None:
    text(f"{title}: {len(lines) or 'none'}")
    for line in lines[:LISTED]:
        text(f"  {line}")
    if len(lines) > LISTED:
        text(f"  and {len(lines) - LISTED} more (--json lists all)")
