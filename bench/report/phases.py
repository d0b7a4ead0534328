"""The report's section on phases: in which of them a pipeline matters, and why."""

from __future__ import annotations

from bench.claim import ClaimAudit
from bench.measures import VariantResult
from bench.report import emulated, formats
from bench.results import RunResults


def phases(results: RunResults) -> str:
    """The matrix of speedups, as a figure and a table, and a sentence a phase; with two or more."""
    if len(results.phases) < 2:
        return ""
    baseline = results.run.config.claim.baseline
    drawn = any(item.speedup for item in results.variants)
    header = ["Variant", *results.phases]
    rows = [[name, *_cells(results, name)] for name in results.run.config.variants]
    return "\n\n".join(
        [
            "## In which phases does the pipeline matter?",
            *(["![Speedup by phase and variant](figures/matrix.png)"] if drawn else []),
            formats.table(header, rows),
            f"Speedup over {baseline} in the same phase, per steady epoch, with its 95% interval. "
            "*Not here*: the variant caches what a frozen backbone makes of an image, and this "
            "phase trains it or has none.",
            *(_sentence(results, audit) for audit in results.claims),
        ]
    )


def _cells(results: RunResults, variant: str) -> list[str]:
    return [_cell(results, variant, phase) for phase in results.phases]


def _cell(results: RunResults, variant: str, phase: str) -> str:
    if variant == results.run.config.claim.baseline:
        return "1"
    item = results.find(variant, phase)
    if item is None:
        planned = any(s.variant == variant and s.phase == phase for s in results.run.plan)
        return formats.NOTHING if planned else "not here"
    return formats.times_interval(item.speedup)


def _sentence(results: RunResults, audit: ClaimAudit) -> str:
    bound = emulated.place(results.run.config).bound
    parts = [_bound(audit, bound), _best(results, audit), _cached(results, audit)]
    return f"**{audit.phase}**: " + " ".join(part for part in parts if part)


def _bound(audit: ClaimAudit, bound: str) -> str:
    baseline, ceiling = audit.claim.baseline, audit.ceiling
    if ceiling is None:
        return "Its compute ceiling was not measured, so how much a pipeline could give is unknown."
    share = formats.percent(min(1.0, 1 / ceiling.median))
    matters = "little is left for a pipeline to gain" if ceiling.median < 1.2 else "the rest is "
    if ceiling.median >= 1.2:
        matters += "what a pipeline can gain"
    return (
        f"{bound} takes {share} of {baseline}'s epoch, so {matters}: at most "
        f"{formats.times_interval(ceiling)}."
    )


def _best(results: RunResults, audit: ClaimAudit) -> str:
    best = results.fastest(audit.phase)
    if best is None or best.speedup is None:
        return ""
    reached = formats.percent(best.share_of_ceiling.median if best.share_of_ceiling else None)
    text = f"The fastest pipeline, {best.variant}, gives {formats.times_interval(best.speedup)}"
    return f"{text} and runs at {reached} of its ceiling."


def _cached(results: RunResults, audit: ClaimAudit) -> str:
    found = [item for item in results.of_phase(audit.phase) if item.pipeline.needs_frozen_backbone]
    return " ".join(_cached_sentence(item) for item in found if item.speedup)


def _cached_sentence(item: VariantResult) -> str:
    one, twenty = (item.comparison.amortised.get(k) if item.comparison else None for k in (1, 20))
    return (
        f"{item.variant} is under no such bound, since it leaves the backbone out of every epoch "
        f"but the first: {formats.times_interval(item.speedup)} per steady epoch, "
        f"{formats.times(one.median if one else None)} for the first epoch alone and "
        f"{formats.times(twenty.median if twenty else None)} over 20 epochs."
    )
