"""The difference of two profiles as rows and sentences: formatting only."""

from __future__ import annotations

from bench.report.formats import NOTHING, joined
from bench.report.profile_tables import ms
from bench.trace_diff import CauseChange, StageChange, TraceDiff

CAUSE_HEADER = ("cause", "A, ms", "B, ms", "change, ms", "± noise, ms", "")
STAGE_HEADER = ("stage", "A, ms", "B, ms", "change, ms")


def heading(found: TraceDiff) -> str:
    """What is compared."""
    return (
        f"A: {found.a} ({found.a_steps} steps). B: {found.b} ({found.b_steps} steps). "
        f"Where a mean step of {found.batch_size} images goes:"
    )


def cause_rows(found: TraceDiff) -> list[tuple[str, ...]]:
    """A row a cause, the largest change first."""
    return [_cause_row(row) for row in found.causes]


def stage_rows(found: TraceDiff) -> list[tuple[str, ...]]:
    """A row a stage of the pipelines."""
    return [_stage_row(row) for row in found.stages]


def total(found: TraceDiff) -> str:
    """The step's change, which the causes' changes add up to."""
    noise = "no noise known" if found.noise_s is None else f"± {ms(found.noise_s)} ms"
    return (
        f"Step: {ms(found.a_step_s)} ms in A, {ms(found.b_step_s)} ms in B. The difference, "
        f"{signed_ms(found.change_s)} ms ({noise}), is the sum of the changes."
    )


def unattributed(found: TraceDiff) -> str:
    """The part of the sum that has no stage and no operation to look at."""
    names = [_called(row) for row in found.causes if not row.attributed]
    if not names:
        return "All of it is attributed to a stage or to operations."
    return (
        f"Of it, {signed_ms(found.unattributed_s)} ms cannot be attributed: nobody was at work "
        f"({joined(names)})."
    )


def _cause_row(row: CauseChange) -> tuple[str, ...]:
    marks = ["beyond noise"] if row.beyond_noise else []
    marks += [] if row.attributed else ["not attributed"]
    noise = NOTHING if row.noise_s is None else ms(row.noise_s)
    change = signed_ms(row.change_s)
    return _called(row), ms(row.a_s), ms(row.b_s), change, noise, ", ".join(marks)


def _called(row: CauseChange) -> str:
    """`input: decode`; plain `idle`."""
    return row.name if row.name == row.place else f"{row.place}: {row.name}"


def _stage_row(row: StageChange) -> tuple[str, ...]:
    return row.stage, ms(row.a_s), ms(row.b_s), signed_ms(row.change_s)


def signed_ms(seconds: float) -> str:
    """Milliseconds with their sign, unless they are nothing once rounded."""
    size = ms(abs(seconds))
    sign = "+" if seconds > 0 else "-"
    return f"{sign}{size}" if size.strip("0.") else size
