"""What a check finds without a time: broken proofs, failed trainings, subjects never reached."""

from __future__ import annotations

from collections.abc import Sequence

from bench.gate.blocks import Role, Subject
from bench.gate.metrics import Unit
from bench.gate.pairs import BlockValues
from bench.gate.schema import Change, Verdict
from bench.schema import VariantProof
from leafmodel.pipelines.facts import ProofStatus


def faults(proof: VariantProof | None) -> str:
    """What of a variant is not what it says; empty if all is, or it was not proved."""
    if proof is None or proof.ok:
        return ""
    bad = (check for check in proof.checks if check.status is ProofStatus.FAILED)
    return "; ".join(f"{c.check}: expected {c.expected}, found {c.found}" for c in bad)


def _who(role: Role | None) -> str:
    """A role as the reader knows it: the reference runs twice."""
    return "the head" if role is Role.HEAD else "the reference"


def broken(variant: str, found: str) -> Change:
    """A variant whose proof failed at the head alone."""
    return _untimed(variant, "proof", Verdict.REGRESSION, f"no longer what it says: {found}")


def unproved(variant: str, roles: Sequence[Role]) -> Change:
    """A variant whose proof could not be made: whatever its times say, it is no pass."""
    sides = " and of ".join(map(_who, roles))
    why = f"the proof of {sides} could not be made: the log of that process says why"
    return _untimed(variant, "proof", Verdict.INCONCLUSIVE, why)


def failed(subject: Subject, blocks: Sequence[BlockValues]) -> Change:
    """A subject that was given up, because a side could not be trained."""
    lost = [block for block in blocks if block.failed]
    sides = dict.fromkeys(_who(block.failed) for block in lost)
    told = f"{next(iter(sides))} could not" if len(sides) == 1 else "neither side could"
    why = f"{told} be trained: {lost[-1].why}"
    return _untimed(str(subject), "training", Verdict.NOTHING, why)


def unmeasured(subject: Subject) -> Change:
    """A subject of which no block was measured."""
    why = "no block was measured within the budget"
    return _untimed(str(subject), "training", Verdict.NOTHING, why)


def _untimed(subject: str, metric: str, verdict: Verdict, why: str) -> Change:
    """Something that was found without a time."""
    return Change(
        subject=subject,
        metric=metric,
        unit=Unit.SHARE,
        verdict=verdict,
        why=why,
        change=None,
        sure_low=None,
        sure_high=None,
        threshold=0.0,
        before=None,
        after=None,
        blocks=0,
    )
