"""The report's sections of numbers: epochs, amortised cost, ceilings, noise floor."""

from __future__ import annotations

from collections.abc import Sequence

from bench.compare import HORIZONS, NS_PER_S
from bench.measures import VariantResult
from bench.report import formats, tables
from bench.results import RunResults

LATER = tuple(epochs for epochs in HORIZONS if epochs > 1)


def per_variant(results: RunResults) -> str:
    """Steady epochs and where their time goes."""
    if not results.variants:
        return ""
    header = [
        "Variant",
        "Steady epoch",
        "Wait",
        "Compute",
        "Boundary",
        "Other",
        "Gap, median",
        "Gap, longest",
        "Peak memory",
        "CPU used",
        "Trials",
    ]
    shown = (*results.variants, *results.ceilings)
    rows = [_variant_row(results, item) for item in shown]
    drawn = any(item.breakdown for item in shown)
    return "\n\n".join(
        [
            "## Where an epoch's time goes",
            *(["![Parts of a steady epoch](figures/breakdown.png)"] if drawn else []),
            formats.table(header, rows),
            "Seconds of a steady epoch. *Wait*: a step has no batch yet. *Compute*: from its batch "
            "to updated weights. *Boundary*: before the first step and after the last one. "
            "*Other*: the rest. The four are means and add up to the mean epoch; the epoch in the "
            "first column is the geometric mean over blocks with its 95% interval. *Gap*: from an "
            "epoch's last step to the next one's first, validation apart. *CPU used*: share of "
            "all cores over the whole trial.",
            *_gpu(results, shown),
            *(["![Every epoch](figures/epochs.png)"] if drawn else []),
        ]
    )


def _gpu(results: RunResults, shown: Sequence[VariantResult]) -> list[str]:
    """What the GPU did, where it was sampled."""
    rows = [
        [
            tables.label(results, item),
            formats.percent(item.gpu.busy_share),
            formats.size(item.gpu.peak_memory_bytes),
            formats.NOTHING if item.gpu.clock_mhz is None else f"{item.gpu.clock_mhz:,.0f} MHz",
        ]
        for item in shown
        if item.gpu
    ]
    if not rows:
        return []
    table = formats.table(["Variant", "GPU busy", "GPU memory, most", "GPU clock, mean"], rows)
    return [
        table,
        "Sampled by the driver's own tool over whole trials, start and validation included. "
        "*Busy*: some kernel ran, whether or not it filled the GPU. Memory is what was taken, "
        "which a backend may do ahead of need.",
    ]


def _variant_row(results: RunResults, item: VariantResult) -> list[str]:
    parts = item.breakdown
    return [
        tables.label(results, item),
        formats.seconds_interval(item.steady_epoch_s),
        formats.seconds(parts.wait_s if parts else None),
        formats.seconds(parts.compute_s if parts else None),
        formats.seconds(parts.boundary_s if parts else None),
        formats.seconds(parts.other_s if parts else None),
        formats.seconds(item.boundary_gap_s),
        formats.seconds(item.longest_gap_s),
        formats.size(item.peak_rss_bytes),
        formats.percent(item.cpu_share),
        tables.trials(item),
    ]


def first_and_amortised(results: RunResults) -> str:
    """First batch, first epoch, and what an epoch costs if the first is spread over several."""
    if not results.variants:
        return ""
    header = ["Variant", "First batch", "First epoch"]
    header += [f"Per epoch, {formats.plural(epochs, 'epoch')}" for epochs in LATER]
    header += [f"Speedup, {formats.plural(epochs, 'epoch')}" for epochs in HORIZONS]
    rows = [_amortised_row(results, item) for item in results.variants]
    return "\n\n".join(
        [
            "## First epoch, and its cost spread over a training",
            formats.table(header, rows),
            "The first epoch traces the model and fills caches. *Per epoch, n epochs*: the first "
            "epoch and n - 1 steady ones, divided by n. A speedup that only shows in the last "
            "column has to be earned by a long training.",
            *filter(None, map(_made_once, results.variants)),
        ]
    )


def _made_once(item: VariantResult) -> str:
    """What a first epoch counts that only one trial's clock had in it; nothing for most."""
    made = item.made_once
    if made is None:
        return ""
    size, took = formats.size(made.size_bytes), formats.seconds(made.build_ns / NS_PER_S)
    return (
        f"{item.variant} ({item.phase}) trains from a file of {size} that took {took} to make. One "
        "trial of a run makes it and the others find it ready; the table counts that time in every "
        "first epoch, and a training that finds the file begins so much sooner."
    )


def _amortised_row(results: RunResults, item: VariantResult) -> list[str]:
    return [
        tables.label(results, item),
        formats.seconds(item.first_batch_s),
        formats.seconds(item.first_epoch_s),
        *(formats.seconds(item.amortised_s[epochs]) for epochs in LATER),
        *(_amortised_speedup(results, item, epochs) for epochs in HORIZONS),
    ]


def _amortised_speedup(results: RunResults, item: VariantResult, epochs: int) -> str:
    if item.variant == results.run.config.claim.baseline:
        return "1"
    found = item.comparison.amortised.get(epochs) if item.comparison else None
    return formats.times(found.median if found else None)


def ceilings(results: RunResults) -> str:
    """What bounds each variant: its model alone, its pipeline alone."""
    if not results.variants:
        return ""
    title = "## Ceilings"
    if not results.ceilings:
        return f"{title}\n\nNo ceiling was measured, so how much a pipeline could give is unknown."
    header = ["Variant", "Epoch", "Model alone", "Pipeline alone", "Bound", "Share of model alone"]
    rows = [
        [
            tables.label(results, item),
            formats.seconds(item.steady_epoch_s.median if item.steady_epoch_s else None),
            formats.seconds(item.ceiling_s),
            formats.seconds(item.loader_epoch_s),
            formats.seconds(item.bound_s),
            _share(item),
        ]
        for item in results.variants
    ]
    return "\n\n".join(
        [
            title,
            formats.table(header, rows),
            "*Model alone*: the same model, augmentation in the same place, on a batch that "
            "already lies on the device. *Pipeline alone*: the same pipeline with no model. "
            "*Bound*: the longer of the two; no epoch of this pipeline can be shorter. Where both "
            "use the same cores, the bound cannot be reached either, since they share them. A "
            "resident variant has no pipeline, and one with cached features leaves out most of the "
            "model, so neither bound holds for it.",
        ]
    )


def _share(item: VariantResult) -> str:
    share = item.share_of_ceiling
    if share is None:
        return formats.NOTHING
    if share.low is None or share.high is None:
        return f"{formats.percent(share.median)} (no interval)"
    ends = f"{formats.percent(share.low)} to {formats.percent(share.high)}"
    return f"{formats.percent(share.median)} ({ends})"


def noise_floor(results: RunResults) -> str:
    """The baseline against itself."""
    if not results.variants:
        return ""
    baseline = results.run.config.claim.baseline
    lines = ["## Noise floor", ""]
    for phase, floor in results.noise_floor.items():
        which = baseline if len(results.phases) < 2 else f"{baseline} ({phase})"
        if floor is None:
            lines.append(
                f"- {which} was not measured twice in any block: how large a difference this "
                "machine shows by itself is unknown."
            )
            continue
        inside = {True: "contains 1, as it should", False: "does not contain 1", None: ""}
        says = inside[floor.contains(1.0)]
        text = f"- {which} against itself, in the same blocks: {formats.times_interval(floor)}"
        lines.append(f"{text}; the interval {says}." if says else f"{text}: {floor.why}.")
    return "\n".join(lines)
