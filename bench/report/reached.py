"""How near the best variants come to their ceilings, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.reached import GOAL, Reached, reached
from bench.report import formats
from bench.report.plain import interval
from bench.results import RunResults


def opening(results: RunResults) -> str:
    """A sentence a phase, in the report of a run that also asks how far one could go elsewhere."""
    if results.swept is None:
        return ""
    return " ".join(sentences(reached(results)))


def sentences(found: Sequence[Reached]) -> list[str]:
    """A sentence a phase: the share of the ceiling, and why it is no more."""
    several = len(found) > 1
    return [_sentence(item, f" in {item.phase}" if several else "") for item in found]


def summary(results: RunResults) -> dict[str, Any]:
    """The same for programs; no key for a run without a sweep."""
    if results.swept is None:
        return {}
    return {"ceiling_reached": [plain(item) for item in reached(results)]}


def plain(item: Reached) -> dict[str, Any]:
    """A phase's best as plain values, for programs."""
    return {
        "phase": item.phase,
        "variant": item.variant,
        "share_of_ceiling": interval(item.share),
        "goal": GOAL,
        "reason": item.reason,
        "is_profiled": item.is_profiled,
    }


def _sentence(item: Reached, phase: str) -> str:
    text = f"The fastest variant{phase}, {item.variant}, runs at"
    share = item.share
    if share is None:
        return f"{text} an unknown share of its compute ceiling, which was not measured."
    ends = " (no interval)"
    if share.low is not None and share.high is not None:
        ends = f" (95% interval {formats.percent(share.low)} to {formats.percent(share.high)})"
    text = f"{text} {formats.percent(share.median)} of its compute ceiling{ends}"
    if item.is_reached:
        return f"{text}: no pipeline with its augmentation there could be much faster here."
    return f"{text}, less than {formats.percent(GOAL)}{_why(item)}"


def _why(item: Reached) -> str:
    if item.reason is None:
        return "; nothing that was measured says why, and a profile might (--profile all)."
    if item.is_profiled:
        return f". Its profile says why: {item.reason.what}."
    return f". By its timed trials {item.reason.what}; a profile would say more (--profile all)."
