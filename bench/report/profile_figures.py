"""The figures of profiles: a step by cause, per image, and the first steps as a timeline.

One family of colours for the pipeline, one for the model, and one colour of its own for
augmentation, wherever it runs; hatches tell the members of a family apart without colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.profile_measures import AUGMENTATION, Part, ProfileResult, merged
from bench.profile_schema import HAND_OVER, IDLE, KINDS, STAGES, Place, Span
from bench.report import canvas, formats, profiles
from bench.report.canvas import INK
from bench.report.profile_tables import label, ms
from bench.results import RunResults

MS_PER_S = 1000
NS_PER_MS = 1_000_000
# A part that is thinner than this of the longest bar cannot be seen, let alone told apart.
THINNEST = 0.015
AUGMENT_COLOUR = "#e4405a"
WAIT_COLOUR = "#f4d58d"
COMPUTE_COLOUR = "#7ea8be"
Cause = tuple[Place, str]
# Colour and hatch.
_INPUT: Mapping[str, tuple[str, str]] = {
    "read": ("#fbeecb", ""),
    "decode": (WAIT_COLOUR, "///"),
    "resize": ("#e2b04a", "|||"),
    "python": ("#e2b04a", "..."),
    "cache": ("#fbeecb", "---"),
    "shuffle": (WAIT_COLOUR, "xxx"),
    "convert": ("#e2b04a", "---"),
    "augment": (AUGMENT_COLOUR, "///"),
    "batch": ("#b07d1c", ""),
    "prefetch": (WAIT_COLOUR, "+++"),
    HAND_OVER: ("#7a5410", ""),
    "other": ("#fbeecb", "..."),
}
_MODEL: Mapping[str, tuple[str, str]] = {
    AUGMENTATION: (AUGMENT_COLOUR, "xxx"),
    "convolution": (COMPUTE_COLOUR, ""),
    "normalisation": ("#cfe0e8", "///"),
    "activation": ("#cfe0e8", "..."),
    "pooling": ("#a9c6d5", "|||"),
    "dense": ("#a9c6d5", "---"),
    "optimiser": ("#2f4858", ""),
    "copy": ("#cfe0e8", "xxx"),
    "other": ("#a9c6d5", ""),
}
STYLES: Mapping[Cause, tuple[str, str]] = {
    **{(Place.INPUT, name): _INPUT[name] for name in (*STAGES, HAND_OVER)},
    **{(Place.MODEL, name): _MODEL[name] for name in KINDS},
    (Place.IDLE, IDLE): ("#ffffff", ""),
}
ORDER = tuple(STYLES)
UNKNOWN = ("#ffffff", "ooo")
# Place, side of the figure, and words over its legend.
GROUPS = (
    (Place.INPUT, "left", "the step waits for its batch,\nwhile the pipeline is at:"),
    (Place.MODEL, "center", "\nthe model computes:"),
    (Place.IDLE, "right", "\nneither:"),
)
LANES: Mapping[str, str] = {
    "step": "step",
    "wait": "input wait",
    **{f"input/{stage}": f"pipeline: {stage}" for stage in STAGES},
    "model/augmentation": "model: augmentation",
    "model/compute": "model: compute",
}
# Shown even where nothing happens there: their emptiness is the news.
ALWAYS = ("step", "wait", "model/compute")


def figures(results: RunResults) -> dict[str, Figure]:
    """File name -> figure, for each that the profiles have data for."""
    if not results.profiles:
        return {}
    drawn = {"steps.png": steps(results)}
    drawn |= {
        name: timeline([(label(results, item), item) for item in items])
        for name, items in profiles.timelines(results).items()
    }
    return drawn


def steps(results: RunResults) -> Figure:
    """Per profile a thick bar, its mean step by cause, over a thin one, its pipeline's work."""
    items = results.profiles
    labels = [label(results, item) for item in items]
    longest = max(item.per_image_s(max(item.step_s, item.work_s)) for item in items)
    figure, axes = canvas.rows_figure(labels, extra=2.5, row=0.62)
    drawn: set[Cause] = set()
    for row, item in enumerate(items):
        least_s = THINNEST * longest * item.batch_size
        work = [Part(Place.INPUT, stage.stage, stage.busy_s) for stage in item.work]
        drawn |= _bar(axes, item, merged(item.parts, least_s), row - 0.12, 0.42)
        drawn |= _bar(axes, item, merged(work, least_s), row + 0.22, 0.2)
        _totals(axes, item, row)
    axes.set_xlim(0, 1.27 * longest * MS_PER_S)
    axes.set_xlabel(
        "milliseconds per image; thin bars: the pipeline's own work, on all its threads"
    )
    _legends(figure, drawn)
    return figure


def _bar(
    axes: Axes, item: ProfileResult, parts: Sequence[Part], middle: float, height: float
) -> set[Cause]:
    """One stacked bar; returns what is in it."""
    left = 0.0
    for part in sorted(parts, key=_rank):
        colour, hatch = _style((part.place, part.name))
        width = item.per_image_s(part.seconds) * MS_PER_S
        axes.barh(
            middle, width, height, left, color=colour, hatch=hatch, edgecolor=INK, linewidth=0.7
        )
        left += width
    return {(part.place, part.name) for part in parts if part.seconds}


def _rank(part: Part) -> int:
    cause = part.place, part.name
    return ORDER.index(cause) if cause in STYLES else len(ORDER)


def _style(cause: Cause) -> tuple[str, str]:
    return STYLES.get(cause, UNKNOWN)


def _totals(axes: Axes, item: ProfileResult, row: int) -> None:
    """What each of the two bars adds up to, at its end."""
    step, work = (item.per_image_s(seconds) for seconds in (item.step_s, item.work_s))
    _total(axes, step, row - 0.12, f"{ms(step)} ms", fontsize=9.5, weight="bold", color=INK)
    if item.work:
        _total(axes, work, row + 0.22, f"pipeline: {ms(work)} ms", fontsize=8, color="#555555")


def _total(axes: Axes, end_s: float, y: float, text: str, **style: Any) -> None:
    at: dict[str, Any] = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
    axes.annotate(text, (end_s * MS_PER_S, y), **at, **style)


def _legends(figure: Figure, drawn: set[Cause]) -> None:
    """A legend a place, side by side over the bars, with what is in any bar."""
    for place, side, title in GROUPS:
        shown = [_patch(cause) for cause in ORDER if cause in drawn and cause[0] is place]
        style: dict[str, Any] = {"loc": f"outside upper {side}", "alignment": "left"}
        style |= {"ncols": 2 if len(shown) > 5 else 1, "title_fontsize": 9}
        if shown:
            figure.legend(handles=shown, title=title, **style, **canvas.LEGEND)


def _patch(cause: Cause) -> Patch:
    colour, hatch = _style(cause)
    return Patch(facecolor=colour, hatch=hatch, edgecolor=INK, linewidth=0.7, label=cause[1])


def timeline(items: Sequence[tuple[str, ProfileResult]]) -> Figure:
    """A panel a profile, all on one axis: who is at work, and who waits for whom."""
    lanes = [_lanes(item.reading.spans) for _, item in items]
    heights = [len(found) + 1 for found in lanes]
    figure = canvas.figure(1.0 + 0.19 * sum(heights) + 0.1 * len(items))
    panels = figure.subplots(
        len(items), 1, sharex=True, squeeze=False, height_ratios=heights
    ).ravel()
    for axes, (name, item), shown in zip(panels, items, lanes, strict=True):
        _panel(axes, name, item, shown)
    end_ns = max(_end_ns(item.reading.spans) for _, item in items)
    panels[-1].set_xlim(0, end_ns / NS_PER_MS)
    panels[-1].set_xlabel("milliseconds from the begin of the first step shown")
    shade = Patch(facecolor=WAIT_COLOUR, alpha=0.45, label="shaded: the step waits for its batch")
    figure.legend(handles=[shade], loc="outside upper right", **canvas.LEGEND)
    return figure


def _lanes(spans: Sequence[Span]) -> tuple[str, ...]:
    found = {*ALWAYS, *(span.lane for span in spans)}
    return tuple(lane for lane in LANES if lane in found)


def _end_ns(spans: Sequence[Span]) -> int:
    """The end of the last step shown; of everything, where no step is."""
    ends = [span.end_ns for span in spans if span.lane == "step"]
    return max(ends or [span.end_ns for span in spans])


def _panel(axes: Axes, name: str, item: ProfileResult, lanes: Sequence[str]) -> None:
    spans = item.reading.spans
    canvas.clean(axes)
    axes.set_yticks(range(len(lanes)), [LANES[lane] for lane in lanes])
    axes.set_ylim(len(lanes) - 0.4, -0.6)
    axes.tick_params(axis="y", labelsize=8.5, length=0)
    _shade(axes, lanes, _of(spans, "wait"))
    for row, lane in enumerate(lanes):
        colour = _lane_colour(lane)
        # An edge, so that the shortest span is seen; a thin one, so that it looks short.
        bars = _bars(_of(spans, lane))
        axes.broken_barh(bars, (row - 0.38, 0.76), color=colour, lw=0.4, gid=lane)
    _number(axes, item)
    steps = _of(spans, "step")
    took = (
        f": {formats.plural(len(steps), 'step')} in {_end_ns(spans) / NS_PER_MS:,.0f} ms"
        if steps
        else ""
    )
    axes.set_title(f"{name}{took}", loc="left", fontsize=10, weight="bold")


def _of(spans: Sequence[Span], lane: str) -> list[Span]:
    return sorted((s for s in spans if s.lane == lane), key=lambda span: span.begin_ns)


def _bars(spans: Sequence[Span]) -> list[tuple[float, float]]:
    """Begin and width in milliseconds."""
    return [(s.begin_ns / NS_PER_MS, (s.end_ns - s.begin_ns) / NS_PER_MS) for s in spans]


def _lane_colour(lane: str) -> str:
    place, _, name = lane.partition("/")
    if lane == "step":
        return "#e6e6e6"
    if lane == "wait":
        return "#d9a520"
    if name in ("augment", AUGMENTATION):
        return AUGMENT_COLOUR
    return "#8a6a1c" if place == "input" else "#2f6f94"


def _shade(axes: Axes, lanes: Sequence[str], waits: Sequence[Span]) -> None:
    """The waits across the pipeline's lanes, where the cause of each is at work."""
    below = max((row for row, lane in enumerate(lanes) if lane.startswith("input/")), default=1)
    axes.broken_barh(
        _bars(waits),
        (0.5, below),
        color=WAIT_COLOUR,
        alpha=0.45,
        lw=0,
        zorder=0.6,
        gid="shade",
    )


def _number(axes: Axes, item: ProfileResult) -> None:
    """The steps' boxes in two shades, with the trace's numbers."""
    boxes = _of(item.reading.spans, "step")
    axes.broken_barh(_bars(boxes[1::2]), (-0.38, 0.76), color="#bdbdbd", gid="step, odd")
    for span, step in zip(boxes, item.reading.steps, strict=False):
        middle = (span.begin_ns + span.end_ns) / (2 * NS_PER_MS)
        axes.text(middle, 0, f"{step.number}", ha="center", va="center", fontsize=8, clip_on=True)
