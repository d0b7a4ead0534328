"""Tables as rows of strings, and `results.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from bench.compare import HORIZONS
from bench.measures import VariantResult
from bench.report import emulated, formats
from bench.results import RunResults
from leafmodel.pipelines.facts import ProofStatus

Row = list[str]

VERDICT_HEADER = [
    "variant",
    "steady epoch",
    "images/s",
    "speedup",
    "share of ceiling",
    "waiting",
    "accuracy",
    "trials",
]


def verdict_rows(results: RunResults) -> list[Row]:
    """The table that a terminal shows: the header first, then a row a (variant, phase)."""
    first, *rest = VERDICT_HEADER
    header = [emulated.heading(results.run.config, first), *rest]
    return [header, *(_verdict_row(results, item) for item in results.variants)]


def _verdict_row(results: RunResults, item: VariantResult) -> Row:
    share = item.share_of_ceiling.median if item.share_of_ceiling else None
    return [
        label(results, item),
        formats.seconds(item.steady_epoch_s.median if item.steady_epoch_s else None),
        formats.rate(item.images_per_s),
        speedup(results, item),
        formats.percent(share),
        formats.percent(item.input_wait_share),
        formats.accuracy(item.accuracy.value if item.accuracy else None),
        trials(item),
    ]


def label(results: RunResults, item: VariantResult) -> str:
    """The variant, and its phase where the run has several."""
    return item.variant if len(results.phases) < 2 else f"{item.variant} ({item.phase})"


def speedup(results: RunResults, item: VariantResult) -> str:
    """Over the baseline, with its interval; the baseline says that it is one."""
    if item.variant == results.run.config.claim.baseline:
        return "1 (the baseline)"
    return formats.times_interval(item.speedup)


def trials(item: VariantResult) -> str:
    """`3`, or `2 of 3, 1 failed`."""
    text = f"{item.trials}"
    if item.trials != item.planned:
        text += f" of {item.planned}"
    return f"{text}, {item.failed} failed" if item.failed else text


def on_purpose(results: RunResults, variant: str) -> str:
    """Names of the differences on purpose, to stand beside a number; fairness explains them."""
    proof = results.proofs.get(variant)
    if proof is None:
        return "not proved"
    if not proof.ok:
        return "proof failed"
    found = [check for check in proof.checks if check.status is ProofStatus.DIFFERS]
    return ", ".join(check.check for check in found)


def csv_text(results: RunResults) -> str:
    """One row a (variant, phase) and ceiling, with every number unrounded.

    `speedup` is over `compared_with`: the claim's baseline, or (last) the same pipeline with the
    model executed as usual. The emulated device is empty where everything was measured.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_COLUMNS, "compared_with", "emulated_device", "backend"])
    config = results.run.config
    device = config.device.name if config.device else None
    for item in (*results.variants, *results.ceilings, *results.beyond):
        over = item.comparison.baseline if item.comparison else None
        values = [*(get(item) for get in _COLUMNS.values()), over, device, config.backend]
        writer.writerow(["" if value is None else value for value in values])
    return out.getvalue()


def _amortised(epochs: int) -> Callable[[VariantResult], object]:
    return lambda item: item.amortised_s[epochs]


_COLUMNS: dict[str, Callable[[VariantResult], object]] = {
    "variant": lambda item: item.variant,
    "phase": lambda item: item.phase,
    "trials": lambda item: item.trials,
    "failed": lambda item: item.failed,
    "epochs": lambda item: item.epochs,
    "images": lambda item: item.images,
    "steady_epoch_s": lambda item: item.steady_epoch_s and item.steady_epoch_s.median,
    "steady_epoch_low_s": lambda item: item.steady_epoch_s and item.steady_epoch_s.low,
    "steady_epoch_high_s": lambda item: item.steady_epoch_s and item.steady_epoch_s.high,
    "images_per_s": lambda item: item.images_per_s,
    "speedup": lambda item: item.speedup and item.speedup.median,
    "speedup_low": lambda item: item.speedup and item.speedup.low,
    "speedup_high": lambda item: item.speedup and item.speedup.high,
    "first_batch_s": lambda item: item.first_batch_s,
    "first_epoch_s": lambda item: item.first_epoch_s,
    **{f"amortised_{epochs}_s": _amortised(epochs) for epochs in HORIZONS},
    "boundary_gap_s": lambda item: item.boundary_gap_s,
    "longest_gap_s": lambda item: item.longest_gap_s,
    "input_wait_share": lambda item: item.input_wait_share,
    "wait_s": lambda item: item.breakdown and item.breakdown.wait_s,
    "compute_s": lambda item: item.breakdown and item.breakdown.compute_s,
    "boundary_s": lambda item: item.breakdown and item.breakdown.boundary_s,
    "other_s": lambda item: item.breakdown and item.breakdown.other_s,
    "compute_ceiling_s": lambda item: item.ceiling_s,
    "loader_ceiling_s": lambda item: item.loader_epoch_s,
    "share_of_ceiling": lambda item: item.share_of_ceiling and item.share_of_ceiling.median,
    "val_accuracy": lambda item: item.accuracy and item.accuracy.value,
    "test_accuracy": lambda item: item.test_accuracy,
    "peak_rss_bytes": lambda item: item.peak_rss_bytes,
    "cpu_share": lambda item: item.cpu_share,
    "other_load_share": lambda item: item.other_load_share,
}
