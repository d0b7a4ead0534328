"""The waterfall: a bar a rung on a log axis, so that equal factors are equally long."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.report import canvas, formats, waterfall
from bench.report.canvas import GREY, INK
from bench.results import RunResults
from bench.stats import Interval
from bench.waterfall import Rung, Waterfall

# Fill and hatch, and what they say; legible without colour.
SHOWN = ("#7ea8be", "", "beyond chance")
UNSHOWN = ("#ffffff", "///", "not beyond chance: holds 1, or has no interval")
TOTAL = ("#2f4858", "", "")
HEIGHT = 0.56
LETTERS = 32  # of a row's name


def figures(results: RunResults) -> dict[str, Figure]:
    """File name -> figure, for each ladder that is not the lower part of another one."""
    shown = [found for item in results.causes for found in item.longest]
    several = len(results.phases) > 1
    return {waterfall.file_name(found): draw(found, several=several) for found in shown}


def draw(found: Waterfall, *, several: bool = False) -> Figure:
    """One ladder: from 1 to the total, each rung from where the one before it ended.

    Args:
        several: the run has several phases, so the axis names this one.
    """
    names = [_name(rung) for rung in found.rungs]
    figure, axes = canvas.rows_figure([*names, f"all together\n{found.target}"], extra=1.5, row=0.5)
    start = 1.0
    for row, rung in enumerate(found.rungs):
        end = rung.so_far.median
        style = SHOWN if _is_shown(rung.factor) else UNSHOWN
        _bar(axes, row, start, rung.factor, style)
        axes.plot([end, end], [row + HEIGHT / 2, row + 1 - HEIGHT / 2], color=GREY, lw=0.8)
        start = end
    _bar(axes, len(found.rungs), 1.0, found.total, TOTAL if _is_shown(found.total) else UNSHOWN)
    axes.axvline(1.0, color=INK, lw=1.0, zorder=1)
    canvas.ratio_axis(axes, *_reach(found))
    phase = f" in {found.phase}" if several else ""
    axes.set_xlabel(f"times as fast as {found.baseline}{phase} per steady epoch (log scale)")
    _legend(axes, found)
    return figure


def _bar(axes: Axes, row: int, start: float, factor: Interval, style: tuple[str, str, str]) -> None:
    """From `start` to `start` times the factor, with the factor's interval around its end."""
    fill, hatch, _ = style
    end = start * factor.median
    axes.barh(
        row,
        end - start,
        left=start,
        height=HEIGHT,
        color=fill,
        hatch=hatch,
        edgecolor=INK,
        lw=0.8,
        zorder=2,
    )
    if factor.low is not None and factor.high is not None:
        low, high = start * factor.low, start * factor.high
        for colour, extra in (("white", 2.0), (INK, 0.0)):
            axes.plot([low, high], [row, row], color=colour, lw=1.6 + extra, zorder=3)
            for x in (low, high):
                axes.plot([x, x], [row - 0.12, row + 0.12], color=colour, lw=1.4 + extra, zorder=3)
    axes.annotate(
        formats.times_interval(factor),
        (1.0, row),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )


def _is_shown(factor: Interval) -> bool:
    return factor.contains(1.0) is False


def _reach(found: Waterfall) -> tuple[float, float]:
    """An axis that holds every bar and interval."""
    starts = [1.0, *(rung.so_far.median for rung in found.rungs)]
    factors = [(start, rung.factor) for start, rung in zip(starts, found.rungs, strict=False)]
    ends = [*starts]
    for start, factor in (*factors, (1.0, found.total)):
        ends += [start * (factor.low or factor.median), start * (factor.high or factor.median)]
    return min(ends) / 1.06, max(ends) * 1.06


def _name(rung: Rung) -> str:
    """What is new over the variant that has it; of a long list, how many."""
    axes = [
        f"{waterfall.axis_words(c.axis)}: {waterfall.value_words(c.after)}" for c in rung.changes
    ]
    text = ", ".join(axes)
    return f"{text if len(text) <= LETTERS else f'{len(axes)} axes at once'}\n{rung.after}"


def _legend(axes: Axes, found: Waterfall) -> None:
    shown = {_is_shown(rung.factor) for rung in found.rungs}
    if not _is_shown(found.total):
        shown.add(False)
    styles = [style for style, is_shown in ((SHOWN, True), (UNSHOWN, False)) if is_shown in shown]
    handles = [
        Patch(facecolor=fill, hatch=hatch, edgecolor=INK, label=text)
        for fill, hatch, text in styles
    ]
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, **canvas.LEGEND
    )
