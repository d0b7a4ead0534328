"""The verdict in words: two sentences that need no other knowledge."""

from __future__ import annotations

from dataclasses import replace

from bench.claim import ClaimAudit, ClaimVerdict
from bench.report import emulated, formats, joint, parts
from bench.report.emulated import Place
from bench.results import RunResults
from bench.stats import MAX_FORESEEABLE_BLOCKS


def sentences(results: RunResults) -> tuple[str, ...]:
    """All that is to be said first: the joint verdict where there is one, then the measured."""
    return (*joint.verdicts(results), *of_machine(results))


def of_machine(results: RunResults) -> tuple[str, str]:
    """What was measured beside the claim, and the most that was to be had: in the first phase."""
    phase = f" of {results.claim.phase}" if len(results.phases) > 1 else ""
    place = emulated.place(results.run.config)
    place = replace(place, opening=parts.opening(results.run, place.opening))
    return measured(results.claim, place, phase), possible(results.claim, place)


def measured(audit: ClaimAudit, place: Place, phase: str = "") -> str:
    """The speedup of the claim's candidate and what follows; `phase` says which phase's epochs."""
    claim, speedup = audit.claim, audit.speedup
    if speedup is None:
        return (
            f"Whether {claim.candidate} is {formats.target(claim.target)} times as fast as "
            f"{claim.baseline} cannot be told: {'; '.join(audit.reasons)}."
        )
    fast = (
        f"{place.opening} {claim.candidate} is {formats.times(speedup.median)[:-1]} times as fast "
        f"as {claim.baseline} per epoch{phase}"
    )
    if speedup.low is not None:
        fast += f" (95% interval {formats.span(speedup)})"
    return f"{fast}{_consequence(audit, place)}."


def possible(audit: ClaimAudit, place: Place) -> str:
    """The most that any input pipeline could give here."""
    ceiling = audit.ceiling
    if ceiling is None:
        return f"How much any input pipeline could give {place.here} was not measured."
    times = formats.times(ceiling.median)[:-1]
    share = formats.percent(min(1.0, 1 / ceiling.median))
    because = f"{place.bound} takes {share} of {audit.claim.baseline}'s epoch"
    if ceiling.low is None:
        return (
            f"The most that any input pipeline could give {place.here} is about {times} times (too "
            f"few blocks to be sure), because {because}."
        )
    if not audit.ceiling_holds:
        return (
            f"How much any input pipeline could give {place.here} is not known: the candidate was "
            "faster than the measured ceiling, so one of the two is wrong."
        )
    return (
        f"No input pipeline can be more than about {times} times as fast {place.here} "
        f"({formats.span(ceiling)}), because {because}."
    )


def _consequence(audit: ClaimAudit, place: Place) -> str:
    wanted = f"{formats.target(audit.claim.target)} times"
    if audit.verdict is ClaimVerdict.SUPPORTED:
        return f", so the claim of {wanted} holds {place.here}"
    if audit.verdict is ClaimVerdict.UNDECIDED:
        return f"; the claim of {wanted} is undecided, because {undecided_because(audit)}"
    return f", not {wanted}"


def undecided_because(audit: ClaimAudit) -> str:
    """Why a claim is undecided, and how many more blocks would decide it."""
    if audit.reasons:
        return "; ".join(audit.reasons)
    spans = f"the interval holds {formats.target(audit.claim.target)}"
    if audit.blocks_needed is None or audit.speedup is None:
        return f"{spans} and not even {MAX_FORESEEABLE_BLOCKS} blocks are foreseen to decide it"
    more = audit.blocks_needed - audit.speedup.blocks
    return f"{spans}; about {formats.plural(more, 'more block')} would decide it"
