"""The report's figures: legible in black and white (markers and hatches, not colour alone)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.measures import VariantResult
from bench.report import (
    canvas,
    claim_map_figure,
    emulated,
    formats,
    phase_figures,
    profile_figures,
    tables,
    waterfall_figure,
)
from bench.report.canvas import GREY, INK
from bench.results import RunResults

MARKERS = "osD^vPX*<>"
LINES = ("-", "--", ":")
# Light to dark, so that they differ without colour; each has its hatch besides.
PARTS = (
    ("wait_s", "waiting for input", "#f4d58d", "///"),
    ("compute_s", "compute", "#7ea8be", ""),
    ("boundary_s", "epoch boundary", "#2f4858", ""),
    ("other_s", "other", "#ffffff", "..."),
)
LEGEND_LETTERS = 16  # of a label, so that four stand side by side


def figures(results: RunResults) -> Mapping[str, bytes]:
    """File name -> PNG, for each figure that there is data for."""
    made = {name: draw(results) for name, draw in _FIGURES.items()}
    drawn = {name: figure for name, figure in made.items() if figure is not None}
    drawn |= profile_figures.figures(results) | waterfall_figure.figures(results)
    drawn |= claim_map_figure.figures(results)
    emulated.stamp(results.run.config, drawn)
    return {name: canvas.png(figure) for name, figure in drawn.items()}


def speedup(results: RunResults) -> Figure | None:
    """Each variant's speedup with its interval; 1, the claim and the ceiling marked."""
    rows = [item for item in results.variants if item.speedup is not None]
    if not rows:
        return None
    figure, axes = canvas.rows_figure([tables.label(results, item) for item in rows], extra=1.5)
    for row, item in enumerate(rows):
        _interval_row(axes, row, item)
    _log_axis(axes, results, rows)
    _marks(axes, results)
    axes.set_xlabel(f"times as fast as {results.claim.claim.baseline} per steady epoch (log scale)")
    return figure


def _interval_row(axes: Axes, row: int, item: VariantResult) -> None:
    value = item.speedup
    if value is None:
        return
    if value.low is not None and value.high is not None:
        axes.plot([value.low, value.high], [row, row], color=INK, lw=2.2, solid_capstyle="butt")
        for end in (value.low, value.high):
            axes.plot([end, end], [row - 0.17, row + 0.17], color=INK, lw=1.4)
    hollow = value.low is None
    axes.plot(value.median, row, "o", color=INK, mfc="white" if hollow else INK, ms=6)
    axes.annotate(
        formats.times_interval(value),
        (1.0, row),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )


def _log_axis(axes: Axes, results: RunResults, rows: Sequence[VariantResult]) -> None:
    """A log axis that holds every interval, 1, the claim and the ceiling, with room for labels."""
    shown = [1.0, results.claim.claim.target]
    for value in (*(item.speedup for item in rows), results.claim.ceiling):
        if value is not None:
            shown += [value.low or value.median, value.high or value.median]
    canvas.ratio_axis(axes, min(shown) / 1.1, max(shown) * 1.1)


def _marks(axes: Axes, results: RunResults) -> None:
    """1, the claim and the ceiling, each named above the plot on a line of its own."""
    claim, ceiling = results.claim.claim, results.claim.ceiling
    marks = [(claim.target, "--", f"claim: {formats.target(claim.target)}x")]
    if ceiling is not None:
        if ceiling.low is not None and ceiling.high is not None:
            axes.axvspan(ceiling.low, ceiling.high, color="#dddddd", lw=0, zorder=0)
        where = "here" if len(results.phases) < 2 else f"in {results.claim.phase}"
        text = f"most that any pipeline could give {where}: {formats.times(ceiling.median)}"
        marks.append((ceiling.median, ":", text))
    _mark(axes, 1.0, "-", f"{claim.baseline} = 1", 0)
    # A line leads up to each name; in this order none crosses another's name.
    all_right = all(not _is_left(axes, x) for x, _, _ in marks)
    marks.sort(key=lambda mark: mark[0], reverse=not all_right)
    for line, (x, style, text) in enumerate(marks, 1):
        _mark(axes, x, style, text, line)


def _is_left(axes: Axes, x: float) -> bool:
    """Whether `x` lies in the left half of a log axis."""
    low, high = axes.get_xlim()
    return x * x < low * high


def _mark(axes: Axes, x: float, style: str, text: str, line: int) -> None:
    """A vertical line that leads up to its name."""
    axes.axvline(x, color=INK, ls=style, lw=1.3, zorder=1)
    top = 6 + 14 * line
    above: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    is_left = line > 0 and _is_left(axes, x)
    axes.annotate(
        "", (x, 1), xytext=(0, top + 9), arrowprops={"arrowstyle": "-", "ls": style}, **above
    )
    axes.annotate(
        text,
        (x, 1),
        xytext=(4 if is_left else -4, top),
        ha="left" if is_left else "right",
        va="bottom",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        **above,
    )


def epochs(results: RunResults) -> Figure | None:
    """Every raw epoch as a mark, one kind a block; first epochs in grey."""
    rows = [item for item in (*results.variants, *results.ceilings) if item.dots]
    if not rows:
        return None
    figure, axes = canvas.rows_figure([tables.label(results, item) for item in rows], extra=1.4)
    blocks = sorted({dot.block for item in rows for dot in item.dots})
    for index, block in enumerate(blocks):
        offset = 0.6 * ((index + 0.5) / len(blocks) - 0.5)
        named = f"block {block}" if len(blocks) <= len(MARKERS) else None
        for steady, colour, label in ((True, INK, named), (False, "#b0b0b0", None)):
            dots = _dots(rows, block, steady=steady)
            axes.plot(
                [x for x, _ in dots],
                [y + offset for _, y in dots],
                MARKERS[index % len(MARKERS)],
                ms=4.5,
                mfc="none",
                mec=colour,
                mew=0.9,
                label=label,
            )
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds of each epoch (grey: first epochs, which also trace and fill caches)")
    if len(blocks) <= len(MARKERS):
        canvas.legend_above(axes, min(len(blocks), 5))
    return figure


def _dots(rows: Sequence[VariantResult], block: int, *, steady: bool) -> list[tuple[float, int]]:
    return [
        (dot.seconds, row)
        for row, item in enumerate(rows)
        for dot in item.dots
        if dot.block == block and (dot.epoch > 0) == steady
    ]


def breakdown(results: RunResults) -> Figure | None:
    """Where a mean steady epoch's seconds go, stacked."""
    rows = [item for item in (*results.variants, *results.ceilings) if item.breakdown]
    if not rows:
        return None
    figure, axes = canvas.rows_figure([tables.label(results, item) for item in rows], extra=1.2)
    left = [0.0] * len(rows)
    for name, label, colour, hatch in PARTS:
        widths = [max(0.0, getattr(item.breakdown, name) or 0.0) for item in rows]
        axes.barh(
            range(len(rows)),
            widths,
            left=left,
            height=0.62,
            color=colour,
            hatch=hatch,
            edgecolor=INK,
            lw=0.7,
            label=label,
        )
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.set_xlabel("seconds of a mean steady epoch")
    canvas.legend_above(axes, len(PARTS))
    return figure


def accuracy(results: RunResults) -> Figure | None:
    """Validation accuracy over epochs, and over training time."""
    rows = [item for item in results.variants if item.curve]
    if not rows:
        return None
    figure = canvas.figure(3.7 + 0.2 * ((len(rows) + 2) // 3))
    left, right = figure.subplots(1, 2, sharey=True)
    for index, item in enumerate(rows):
        style = {
            "marker": MARKERS[index % len(MARKERS)],
            "ls": LINES[index % len(LINES)],
            "color": (INK, GREY, "#1b6ca8", "#b5651d")[index % 4],
            "ms": 4.5,
            "mfc": "white",
            "lw": 1.1,
        }
        value = [100 * point.val_accuracy for point in item.curve]
        label = tables.label(results, item)
        left.plot([point.epoch for point in item.curve], value, label=label, **style)
        right.plot([point.wall_s for point in item.curve], value, **style)
    left.set_xlabel("epochs")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.set_ylabel("validation accuracy, %")
    right.set_xlabel("seconds of training (validation apart)")
    right.set_xlim(left=0)
    for axes in (left, right):
        canvas.clean(axes)
    handles, labels = left.get_legend_handles_labels()
    columns = 4 if max(map(len, labels)) <= LEGEND_LETTERS else 3
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, **canvas.LEGEND)
    return figure


_FIGURES: Mapping[str, Callable[[RunResults], Figure | None]] = {
    "speedup.png": speedup,
    "epochs.png": epochs,
    "breakdown.png": breakdown,
    "accuracy.png": accuracy,
    "matrix.png": phase_figures.matrix,
}
