"""The tables of profiles: parts of a step, input wait by three means, stages, operations."""

from __future__ import annotations

from bench.profile_measures import AGREEMENT, AUGMENTATION, ProfileResult, WaitAccounts, Work
from bench.profile_schema import HAND_OVER, STAGES, OperationReading, Place
from bench.report import formats
from bench.report.formats import NOTHING
from bench.results import RunResults

OPERATIONS = 5
# Room for the layer's name in that of its gradient.
NAME_LETTERS = 84
PER_CENT = 100
MS_PER_S = 1000


def label(results: RunResults, item: ProfileResult) -> str:
    """The variant, and its phase where the run has several."""
    phases = {*results.phases, *(other.phase for other in results.profiles)}
    return item.variant if len(phases) < 2 else f"{item.variant} ({item.phase})"


def parts(results: RunResults) -> str:
    """Where a mean step goes, a row a profile."""
    header = ["Variant", "Step, ms", "Per image, ms", "Waiting", "Waits most for"]
    header += ["Augmentation in the model", "Rest of the model", "Idle", "Allocator peak"]
    rows = [_parts_row(results, item) for item in results.profiles]
    text = (
        "### Parts of a step\n\n"
        f"{formats.table(header, rows)}\n\n"
        "Waiting, the two parts of the model and idle add up to the step. *Allocator peak*: the "
        "most that one of the backend's allocators held in these steps."
    )
    devices = sorted({name for item in results.profiles for name in item.reading.devices})
    if devices:
        text += f" Operations on {formats.joined(devices)} are not parted by kind."
    return text


def _parts_row(results: RunResults, item: ProfileResult) -> list[str]:
    awaited = item.awaited
    most = NOTHING
    if awaited is not None:
        most = f"{awaited.name} ({share(item.share(awaited.place, awaited.name))})"
    return [
        label(results, item),
        ms(item.step_s),
        ms(item.per_image_s(item.step_s)),
        share(item.share(Place.INPUT)),
        most,
        share(item.share(Place.MODEL, AUGMENTATION)),
        share(item.rest_of_model),
        share(item.share(Place.IDLE)),
        formats.size(item.allocator_peak_bytes),
    ]


def accounts(results: RunResults) -> str:
    """The input wait by independent means, side by side."""
    header = ["Variant", "Our meter", "Raw events", "xprof", "Raw events, xprof's steps"]
    limit = f"{PER_CENT * AGREEMENT:g} points"
    header += ["Largest difference", f"Within {limit}", "Our meter, timed trials"]
    rows = [
        [label(results, item), *_accounts_cells(item.wait), share(item.wait.timed)]
        for item in results.profiles
    ]
    return "\n\n".join(
        [
            "### Input wait by three means",
            formats.table(header, rows),
            "The share of step time that the model waits for input: by *our meter*, stamps that "
            "the training step takes itself, as in every timed trial (from the step's begin on, so "
            "with the millisecond or so that Keras takes to dispatch it, which shows in short "
            "steps); by our reading of the trace's *raw events*, over the same steps; and by "
            "*xprof*, its input pipeline analyser, which may leave out steps at the ends and is "
            "therefore compared with the raw events of just the steps that it counts. The *timed "
            "trials* are other steps, without a profiler and with each epoch's first batches, "
            "which nothing can make ahead, so theirs may differ and is no part of the comparison.",
            *_notes(results),
        ]
    )


def _accounts_cells(wait: WaitAccounts) -> list[str]:
    apart = NOTHING if wait.difference is None else f"{PER_CENT * wait.difference:.1f} points"
    agree = {True: "yes", False: "**no**", None: NOTHING}[wait.agree]
    shares = (wait.meter, wait.events, wait.analyser, wait.analyser_events)
    return [*map(share, shares), apart, agree]


def _notes(results: RunResults) -> list[str]:
    """Why xprof has no account of a variant."""
    notes = [
        f"- xprof has no account of {label(results, item)}: {formats.cell(note)}"
        for item in results.profiles
        if (note := item.reading.analyser_note)
    ]
    return ["\n".join(notes)] if notes else []


def stages(results: RunResults) -> str:
    """The work of each stage of each pipeline, and whether it is waited for."""
    rows = [row for item in results.profiles for row in _stage_rows(results, item)]
    if not rows:
        return ""
    header = ["Variant", "Stage", "Thread time per image, ms", "Wall time per image, ms"]
    header += ["Mean threads", "Step waits for it"]
    return "\n\n".join(
        [
            "### Stages of the pipeline",
            formats.table(header, rows),
            "*Thread time* is the work of all threads together, *wall time* that in which at "
            "least one was at it, *mean threads* the one over the other. A stage whose work is "
            "long and never waited for is hidden behind the model.",
        ]
    )


def _stage_rows(results: RunResults, item: ProfileResult) -> list[list[str]]:
    """A row a stage with work, then those that were only waited for (the hand-over)."""
    worked = {work.stage for work in item.work}
    causes = {part.name for part in item.parts if part.place is Place.INPUT and part.seconds}
    waited = [name for name in (*STAGES, HAND_OVER) if name in causes - worked]
    first = label(results, item)
    return [
        *([first, *_work_cells(item, work)] for work in item.work),
        *(
            [first, name, NOTHING, NOTHING, NOTHING, share(item.share(Place.INPUT, name))]
            for name in waited
        ),
    ]


def _work_cells(item: ProfileResult, work: Work) -> list[str]:
    return [
        work.stage,
        ms(item.per_image_s(work.busy_s)),
        ms(item.per_image_s(work.wall_s)),
        f"{work.parallelism:.2f}",
        share(item.share(Place.INPUT, work.stage)),
    ]


def operations(results: RunResults) -> str:
    """The longest operations of each profile."""
    rows = [
        [label(results, item), *_operation_cells(item, operation)]
        for item in results.profiles
        for operation in sorted(item.operations, key=lambda op: -op.self_ns)[:OPERATIONS]
    ]
    if not rows:
        return ""
    header = ["Variant", "Operation", "Where", "Kind", "Self time per image, ms", "Calls"]
    return "\n\n".join(
        [
            "### Longest operations",
            formats.text_table(header, rows),
            "*Self time* is an operation's thread time without the operations inside it; *calls* "
            "are those of all profiled steps.",
        ]
    )


def _operation_cells(item: ProfileResult, operation: OperationReading) -> list[str]:
    return [
        f"`{shortened(operation.name)}`",
        "pipeline" if operation.place is Place.INPUT else "model",
        operation.kind,
        ms(item.per_image_s(item.self_s(operation))),
        f"{operation.calls:,}",
    ]


def shortened(name: str) -> str:
    """The name without the type behind it, and without its middle if it is still too long."""
    name = (name.rpartition(":")[0] or name).replace("`", "'")
    if len(name) <= NAME_LETTERS:
        return name
    half = (NAME_LETTERS - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def ms(seconds: float) -> str:
    """Milliseconds without their unit, which the header has: `1,234`, `12.3`, `0.45`, `0.004`."""
    value = MS_PER_S * seconds
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.3f}" if 0 < value < 0.1 else f"{value:.2f}"


def share(value: float | None) -> str:
    """`12.3%`."""
    return NOTHING if value is None else f"{value:.1%}"
