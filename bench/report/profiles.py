"""The report's section about profiles: what was profiled, where its steps went, who says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.profile_measures import ProfileResult
from bench.report import profile_tables
from bench.report.formats import joined
from bench.results import RunResults
from bench.schema import ProfileMode

TITLE = "## Where a step's time goes: profiles"
# More panels than this are more than a page; the others are in the trace viewer.
MOST_PANELS = 8


def profiles(results: RunResults) -> str:
    """Everything about profiles; one line where there is none."""
    if not results.profiles:
        return _none(results)
    return "\n\n".join(text for part in _PARTS if (text := part(results)))


def timelines(results: RunResults) -> Mapping[str, tuple[ProfileResult, ...]]:
    """The timelines' file names -> the profiles in them, one figure a phase."""
    phases = dict.fromkeys(item.phase for item in results.profiles)
    found = {
        "timeline.png" if len(phases) < 2 else f"timeline-{phase}.png": _with_spans(results, phase)
        for phase in phases
    }
    return {name: items[:MOST_PANELS] for name, items in found.items() if items}


def _with_spans(results: RunResults, phase: str) -> tuple[ProfileResult, ...]:
    found = (item for item in results.profiles if item.phase == phase)
    return tuple(item for item in found if item.reading.spans)


def _none(results: RunResults) -> str:
    if results.run.config.device:
        return "An emulated device has no step to profile: what it takes is listed further below."
    if results.run.config.profile is ProfileMode.NONE:
        return (
            "No step was profiled in this run, so what happens inside one is not shown: add "
            "`--profile auto` to `leafbench run` for that."
        )
    return (
        "No step's profile could be read, so what happens inside one is not shown; where one was "
        "made, the [findings](#findings) say why it could not be read."
    )


def _intro(results: RunResults) -> str:
    items = results.profiles
    names = joined(list(dict.fromkeys(item.variant for item in items)))
    steps = joined([str(number) for number in sorted({item.steps for item in items})], "or")
    batch = joined([str(number) for number in sorted({item.batch_size for item in items})], "or")
    return (
        f"{TITLE}\n\n"
        f"Of {names}, {steps} steps were profiled, each of a batch of {batch} images: every one "
        "in a trial of its own, apart from the timed ones. The training images are repeated there "
        "if an epoch would have too few steps. The profiler slows a training down, so nothing in "
        "this section counts for a speedup; it says where the time goes. To look into a step, "
        "open the traces with `leafbench trace RUN` (or `make trace`), where RUN is this report's "
        f"folder; `leafbench trace diff RUN {_pair(results)}` compares two of them."
    )


def _pair(results: RunResults) -> str:
    """Two variants to compare: those of the claim, if both were profiled."""
    found = {item.variant for item in results.profiles}
    claim = results.run.config.claim
    pair = claim.baseline, claim.candidate
    return " ".join(pair) if found.issuperset(pair) else "A B"


def _steps_figure(_results: RunResults) -> str:
    return (
        "![Milliseconds per image by cause](figures/steps.png)\n\n"
        "Thick bars are a mean step, divided by its images. A step that waits for its batch is "
        "parted by the pipeline stages at work meanwhile, and where several are, by their threads "
        "(*hand-over*: none is); one that computes, by the kinds of the model's operations; "
        "*idle* is neither. Red is augmentation, wherever it runs. Thin bars are all that the "
        "pipeline's threads did meanwhile, waited for or not: what is in the thin bar and not in "
        "the thick one was hidden behind the model's work. Several threads at once count several "
        "times there."
    )


def _timeline_figures(results: RunResults) -> str:
    return "\n\n".join(
        f"![Timeline of the first steps](figures/{name})\n\n{_timeline_text(results, items)}"
        for name, items in timelines(results).items()
    )


def _timeline_text(results: RunResults, items: tuple[ProfileResult, ...]) -> str:
    phase = items[0].phase
    one = len({item.phase for item in results.profiles}) < 2
    text = (
        f"The first profiled steps{'' if one else f' of {phase}'}, all on the same axis. Shaded: "
        "the step waits for its batch. A lane at work where nothing is shaded works ahead, and "
        "costs nothing but its cores. Pieces of work too near to be told apart are drawn as one."
    )
    left_out = [item.variant for item in _with_spans(results, phase) if item not in items]
    if left_out:
        text += f" Left out for want of room: {joined(left_out)}; the trace viewer has all."
    return text


_PARTS: tuple[Callable[[RunResults], str], ...] = (
    _intro,
    _steps_figure,
    _timeline_figures,
    profile_tables.parts,
    profile_tables.accounts,
    profile_tables.stages,
    profile_tables.operations,
)
