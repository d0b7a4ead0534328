"""`report.md`: the verdict first, then one figure and one table, then everything else."""

from __future__ import annotations

from collections.abc import Callable

from bench.claim import ClaimAudit, ClaimVerdict
from bench.measures import VariantResult
from bench.report import (
    beyond,
    emulated,
    evaluation,
    formats,
    joint,
    learning,
    numbers,
    phases,
    profiles,
    provenance,
    reached,
    tables,
    verdict,
    waterfall,
)
from bench.report.formats import NOTHING
from bench.results import RunResults
from bench.stats import MIN_BLOCKS


def markdown(results: RunResults) -> str:
    """The whole report, ending in a newline."""
    text = "\n\n".join(text for section in _SECTIONS if (text := section(results))) + "\n"
    return emulated.marked(results.run.config, text)


def _opening(results: RunResults) -> str:
    claim = results.claim.claim
    title = (
        f"# Is {claim.candidate} {formats.target(claim.target)} times as fast as "
        f"{claim.baseline} {emulated.place(results.run.config).asked}? "
        f"**{results.claim.verdict.capitalize()}**"
    )
    parts = [
        title,
        emulated.banner(results.run.config),
        *(f"**{text}**" for text in joint.verdicts(results)[:1]),
        *joint.verdicts(results)[1:],
        reached.opening(results),
        " ".join(verdict.of_machine(results)) + _other_phases(results),
    ]
    if results.missing:
        done = f"{results.recorded} of {len(results.run.plan)}"
        parts.append(f"**This run is not complete**: {done} planned trials have a record.")
    if results.failed:
        failed = formats.plural(len(results.failed), "trial")
        parts.append(f"**{failed} failed** and count for nothing; see [below](#failed-trials).")
    if any(item.speedup for item in results.variants):
        parts.append("![Speedup of each variant](figures/speedup.png)")
    parts.append(_overview(results))
    return "\n\n".join(part for part in parts if part)


def _other_phases(results: RunResults) -> str:
    if len(results.phases) < 2:
        return ""
    others = " and ".join(results.phases[1:])
    return (
        f" Both sentences are about {results.phases[0]}. For {others} see "
        "[below](#in-which-phases-does-the-pipeline-matter)."
    )


def _overview(results: RunResults) -> str:
    if not results.variants:
        return "No trial has a record: there is nothing to show yet."
    baseline = results.run.config.claim.baseline
    header = [
        "Variant",
        "Steady epoch",
        "Images/s",
        f"Speedup over {baseline}",
        "Share of ceiling",
        "Waiting for input",
        "Validation accuracy",
        "Differs on purpose",
    ]
    rows = [_overview_row(results, item) for item in results.variants]
    return formats.table(header, rows) + "\n\n" + _words(results)


def _overview_row(results: RunResults, item: VariantResult) -> list[str]:
    share = item.share_of_ceiling.median if item.share_of_ceiling else None
    return [
        tables.label(results, item),
        formats.seconds(item.steady_epoch_s.median if item.steady_epoch_s else None),
        formats.rate(item.images_per_s),
        tables.speedup(results, item),
        formats.percent(share),
        formats.percent(item.input_wait_share),
        formats.accuracy(item.accuracy.value if item.accuracy else None),
        tables.on_purpose(results, item.variant) or NOTHING,
    ]


def _words(results: RunResults) -> str:
    if results.run.config.device:
        return emulated.words()
    images = max((item.images for item in results.variants), default=0)
    epochs = max((item.epochs for item in results.variants), default=0)
    return (
        "A *steady epoch* is any but the first, which also traces the model and fills caches. The "
        "*ceiling* is the same model fed with one batch that already lies on the device; 100% is "
        "as fast as a pipeline can be with augmentation in the same place, and a little more is "
        "the noise of both. In brackets: 95% "
        f"interval. Accuracy is after {formats.plural(epochs, 'epoch')} of "
        f"{formats.plural(images, 'image')}. {NOTHING} means not measured."
    )


def _claim(results: RunResults) -> str:
    parts = ["## The claim, audited", *(_audit(results, audit) for audit in results.claims)]
    return "\n\n".join(parts)


def _audit(results: RunResults, audit: ClaimAudit) -> str:
    claim = audit.claim
    rows = [
        [
            "claim",
            f"{claim.candidate} is {formats.target(claim.target)}x as fast as {claim.baseline}"
            + (f" ({audit.phase})" if len(results.phases) > 1 else ""),
        ],
        [
            "emulated speedup" if results.run.config.device else "measured speedup",
            formats.times_interval(audit.speedup),
        ],
        ["most that any pipeline could give", formats.times_interval(audit.ceiling)],
        ["verdict", audit.verdict],
    ]
    table = formats.text_table(["", ""], rows)
    return f"{table}\n\n{_reasoning(audit)} {_basis(audit)}".rstrip()


def _reasoning(audit: ClaimAudit) -> str:
    target = formats.target(audit.claim.target)
    if audit.verdict is ClaimVerdict.SUPPORTED:
        return f"*Supported*: the whole interval is at or above {target}."
    if audit.verdict is ClaimVerdict.REFUTED:
        ceiling = "The ceiling does not rule the claim out: another pipeline might reach it here."
        return f"*Refuted*: the whole interval is below {target}." + (
            f" {ceiling}" if audit.ceiling_holds else ""
        )
    if audit.verdict is ClaimVerdict.IMPOSSIBLE:
        return (
            f"*Impossible here*: even with a batch that already lies on the device and without "
            f"any augmentation, an epoch is only {formats.times_interval(audit.ceiling)} as fast "
            f"as {audit.claim.baseline}'s, and that whole interval is below {target}. Measured "
            f"was {formats.times_interval(audit.speedup)}. A device that computes faster, or "
            "images that are dearer to read, would change this."
        )
    return f"*Undecided*: {verdict.undecided_because(audit)}."


def _basis(audit: ClaimAudit) -> str:
    if audit.speedup is None:
        return ""
    blocks = audit.speedup.blocks
    text = f"The speedup rests on {formats.plural(blocks, 'block')}"
    if audit.speedup.low is None:
        return f"{text}; an interval needs {MIN_BLOCKS}."
    if blocks <= 2 * MIN_BLOCKS:
        return f"{text}, which is few: the interval is as wide as so few allow."
    return f"{text}."


def _leaks(results: RunResults) -> str:
    return evaluation.leaks(results.audit.leaks) if results.audit else ""


_SECTIONS: tuple[Callable[[RunResults], str], ...] = (
    _opening,
    _claim,
    phases.phases,
    waterfall.causes,
    joint.section,
    numbers.per_variant,
    profiles.profiles,
    numbers.first_and_amortised,
    numbers.ceilings,
    beyond.section,
    emulated.device,
    provenance.fairness,
    provenance.findings,
    learning.accuracy,
    _leaks,
    numbers.noise_floor,
    provenance.environment,
    provenance.data,
    provenance.failed_trials,
    provenance.how_to_read,
    provenance.reproduce,
)
