"""The report's section on models that are executed otherwise: no pipelines, so reported apart."""

from __future__ import annotations

from bench.measures import VariantResult
from bench.report import emulated, formats, tables
from bench.results import RunResults

TITLE = "Beyond the pipeline: how the model is executed"
HEADER = [
    "Variant",
    "Steady epoch",
    "Over its own pipeline",
    "Its ceiling",
    "Share of its ceiling",
    "Waiting for input",
    "Validation accuracy",
    "Trials",
]


def section(results: RunResults) -> str:
    """The table and what it means; nothing for a run without such variants."""
    if not results.beyond:
        return ""
    return "\n\n".join(
        [
            f"## {TITLE}",
            formats.table(HEADER, rows(results)),
            "These change what the device has to do for a step, and no input pipeline: they have "
            "no part in the claim, in the speedups above or in what bounds them. *Over its own "
            "pipeline*: how many times as fast as the same pipeline with the model executed as "
            "usual (the name without the change), in the same blocks. *Its ceiling*: the model, "
            "executed in this way, on a batch that already lies on the device.",
        ]
    )


def terminal_tables(results: RunResults) -> list[list[list[str]]]:
    """The same for a terminal, the header first; no table without such variants."""
    if not results.beyond:
        return []
    first, *rest = (word.lower() for word in HEADER)
    return [[[emulated.heading(results.run.config, first), *rest], *rows(results)]]


def rows(results: RunResults) -> list[list[str]]:
    """A row a (variant, phase)."""
    return [_row(results, item) for item in results.beyond]


def _row(results: RunResults, item: VariantResult) -> list[str]:
    share = item.share_of_ceiling
    return [
        tables.label(results, item),
        formats.seconds_interval(item.steady_epoch_s),
        formats.times_interval(item.speedup),
        formats.seconds(item.ceiling_s),
        formats.percent(share.median if share else None),
        formats.percent(item.input_wait_share),
        formats.accuracy(item.accuracy.value if item.accuracy else None),
        tables.trials(item),
    ]
