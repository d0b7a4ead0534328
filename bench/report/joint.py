"""The joint verdict in words: what was measured here, and for which devices emulation says more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.claim import ClaimAudit, ClaimVerdict
from bench.joint import Elsewhere, Joint
from bench.report import claim_map, formats
from bench.results import RunResults
from bench.schema import RunRecord
from bench.shards import machines

TITLE = "## For which devices does the claim hold?"
SPEEDS = (
    "A device of the sweep takes the same for a step of every variant, so its speed is that of the "
    "whole step on a full batch, augmentation in the model included."
)

SHARED = "this CPU shares its cores with the pipeline, and an emulated device uses none"

_CAUTION = f" At the speed of this machine the map is not what was measured: {SHARED}."


def verdicts(results: RunResults) -> list[str]:
    """A sentence for the claim in the run's first phase, and one for each other swept variant."""
    swept = results.swept
    if swept is None:
        return []
    own = [item for item in swept.joints if item.audit.phase == results.claim.phase]
    if not own:
        return [f"For which devices the claim holds is not known: {' '.join(swept.notes)}"]
    return [verdict(item, results.run) for item in own]


def verdict(joint: Joint, run: RunRecord) -> str:
    """Both verdicts on one candidate of a run."""
    claim = joint.audit.claim
    subject = f"{claim.candidate} {formats.target(claim.target)} times as fast as {claim.baseline}"
    is_own = claim.candidate == run.config.claim.candidate
    text = (
        f"{'The claim' if is_own else 'The same of another candidate'}, {subject}, is "
        f"{_measured(joint.audit, here(run))}; with these cores and files "
        f"{_ELSEWHERE[joint.elsewhere](joint)} (emulated)."
    )
    if not joint.differs:
        return text
    if run.environment.gpus:
        return f"{text} The two contradict each other: believe neither before you know why."
    return f"{text} Both can be: {SHARED}."


def here(run: RunRecord) -> str:
    """Where a run was measured: `on this CPU`."""
    if len(machines(run)) > 1:
        return "over several machines"
    place = "on this GPU" if run.environment.gpus else "on this CPU"
    if run.shard is None or run.shard.of == 1:
        return place
    return f"{place}, in shard {run.shard.number} of {run.shard.of} alone,"


def section(results: RunResults) -> str:
    """The claim maps of a run's sweep; nothing for a run without one."""
    swept = results.swept
    if swept is None:
        return ""
    parts = [TITLE, claim_map.BANNER]
    several = len(swept.joints) > 1
    for item in swept.joints:
        claim, phase = item.audit.claim, f", {item.audit.phase}" if len(results.phases) > 1 else ""
        parts += [f"### {claim.candidate}{phase}"] if several else []
        figure = f"figures/{claim_map.figure_name(item.found, results.claim.claim)}"
        parts += claim_map.one(item.found, figure)
    if swept.joints:
        parts.append(claim_map.known_table(swept.joints[0].found))
        links = ", ".join(f"[{step}]({path}/report.md)" for step, path in swept.runs)
        caution = "" if results.run.environment.gpus else _CAUTION
        parts.append(
            f"{claim_map.HOW_TO_READ} {SPEEDS}{caution} The emulated runs, by what a step takes: "
            f"{links}."
        )
    parts += [f"- {note}" for note in swept.notes]
    return "\n\n".join(parts)


def summary(results: RunResults) -> dict[str, Any]:
    """The joint verdicts and maps as plain values; no key for a run without a sweep."""
    swept = results.swept
    if swept is None:
        return {}
    return {
        "sweep": {
            "emulated": True,
            "runs": [{"step": step, "folder": path} for step, path in swept.runs],
            "planned": swept.planned,
            "notes": swept.notes,
            "candidates": [
                {
                    "phase": item.audit.phase,
                    "candidate": item.audit.claim.candidate,
                    "target": item.audit.claim.target,
                    "verdict": verdict(item, results.run),
                    "measured": item.audit.verdict,
                    "elsewhere": item.elsewhere,
                    "holds_from_images_per_s": item.found.crossing,
                    "most_of_pipelines_alone": item.limit,
                    "map": claim_map.plain(item.found),
                }
                for item in swept.joints
            ],
        }
    }


_MEASURED = {
    ClaimVerdict.SUPPORTED: "supported",
    ClaimVerdict.REFUTED: "refuted",
    ClaimVerdict.IMPOSSIBLE: "impossible",
    ClaimVerdict.UNDECIDED: "undecided",
}


def _measured(audit: ClaimAudit, place: str) -> str:
    """`refuted on this CPU (1.54x, 95% interval 1.31 to 1.80; at most 1.99x is possible)`."""
    if audit.speedup is None:
        return f"undecided {place} ({'; '.join(audit.reasons)})".replace(",)", ")")
    said = [formats.times(audit.speedup.median) + _ends(audit)]
    if audit.verdict is not ClaimVerdict.SUPPORTED and audit.ceiling_holds and audit.ceiling:
        said.append(f"at most {formats.times(audit.ceiling.median)} is possible")
    if audit.verdict is ClaimVerdict.UNDECIDED:
        said += audit.reasons
    return f"{_MEASURED[audit.verdict]} {place} ({'; '.join(said)})"


def _ends(audit: ClaimAudit) -> str:
    if audit.speedup is None or audit.speedup.low is None:
        return ""
    return f", 95% interval {formats.span(audit.speedup)}"


def _faster(joint: Joint) -> str:
    where, slowest = joint.found.crossing, joint.found.slowest.images_per_s
    low = formats.rate(where.earliest)
    if where.earliest is not None and where.earliest <= slowest:
        low = f"less than {formats.rate(slowest)}"
    return (
        f"it holds on devices that train more than about {formats.rate(where.at)} images/s "
        f"(95% interval {low} to {formats.rate(where.latest)})"
    )


def _everywhere(joint: Joint) -> str:
    return f"it holds on every device of the sweep ({_range(joint)} images/s)"


def _beyond(joint: Joint) -> str:
    claim, fastest = joint.audit.claim, joint.found.fastest
    text = (
        f"it holds on no device of the sweep ({_range(joint)} images/s; on the fastest "
        f"{formats.times_interval(fastest.speedup)})"
    )
    if joint.limit is None:
        return f"{text}, and what the pipelines alone would give was not timed"
    if joint.baseline_keeps_up:
        own = formats.rate(joint.baseline_images_per_s)
        return (
            f"{text}: {claim.baseline}'s own pipeline makes {own} images/s and keeps up with all "
            "of them, so the sweep ends too early"
        )
    alone = formats.times(joint.limit)
    return f"{text}, though the pipelines alone would give {alone}: a faster device may reach it"


def _nowhere(joint: Joint) -> str:
    claim, limit = joint.audit.claim, joint.limit or 0.0
    if limit <= 1:
        return (
            f"it holds at no device speed: {claim.candidate}'s own pipeline is no faster than "
            f"{claim.baseline}'s ({formats.times(limit)} with no model at all)"
        )
    return (
        "it holds at no device speed: the pipelines alone, with no model at all, give "
        f"{formats.times(limit)}"
    )


def _undecided(joint: Joint) -> str:
    where, fastest = joint.found.crossing, joint.found.fastest
    if any(point.speedup.low is None for point in joint.found.points):
        centre = (
            f"beyond about {formats.rate(where.at)} images/s"
            if where.at is not None
            else f"on no device of the sweep ({_range(joint)} images/s)"
        )
        return (
            "it is undecided for other devices, since too few blocks were timed for an interval; "
            f"by the centres alone it would hold {centre}"
        )
    refuted = ""
    if where.earliest is not None and where.earliest > joint.found.slowest.images_per_s:
        refuted = f"it does not hold below {formats.rate(where.earliest)} images/s, and "
    return (
        f"{refuted}it is undecided up to {formats.rate(fastest.images_per_s)} images/s, the "
        f"fastest device of the sweep ({formats.times_interval(fastest.speedup)} there)"
    )


def _range(joint: Joint) -> str:
    ends = (joint.found.slowest.images_per_s, joint.found.fastest.images_per_s)
    return " to ".join(map(formats.rate, ends))


_ELSEWHERE: dict[Elsewhere, Callable[[Joint], str]] = {
    Elsewhere.FASTER: _faster,
    Elsewhere.EVERYWHERE: _everywhere,
    Elsewhere.BEYOND: _beyond,
    Elsewhere.NOWHERE: _nowhere,
    Elsewhere.UNDECIDED: _undecided,
}
