"""The figure of a history: levels over commits, legible in black and white."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from PIL import Image

from bench.gate.history_view import Panel, View
from bench.gate.levels import Levels, Point, Track
from bench.gate.schema import Verdict
from bench.report import canvas, history_words
from bench.report.canvas import GREY, INK

HEIGHT = 3.1
LINE = 0.17  # of a change point in the list below a panel
MOST_TICKS = 36
_MARKERS: Mapping[Verdict | None, tuple[str, str, str]] = {
    None: ("s", "white", "reference only"),
    Verdict.PASS: ("o", "#3c8d6e", "pass"),
    Verdict.REGRESSION: ("^", "#b3261e", "regression"),
    Verdict.INCONCLUSIVE: ("D", "#e0b04b", "inconclusive"),
    Verdict.NOTHING: ("X", GREY, "nothing measured"),
}
_AS_IS: Mapping[str, Any] = {"parse_math": False}  # a subject line may hold dollar signs
_MARK: Mapping[str, Any] = {"color": INK, "ls": (0, (4, 2)), "lw": 1.2}


def draw(view: View) -> bytes:
    """The figure as a PNG."""
    return canvas.png(figure(view), Image.Quantize.FASTOCTREE)


def figure(view: View) -> Figure:
    """A panel a subject: levels with 95 % error bars, markers by verdict, numbered changes."""
    heights = [HEIGHT + LINE * len(history_words.marks(panel)) for panel in view.panels]
    made = canvas.figure(0.4 + sum(heights))
    grid = made.subplots(len(heights), squeeze=False, gridspec_kw={"height_ratios": heights})
    for axes, panel in zip(grid[:, 0], view.panels, strict=True):
        _panel(axes, panel, view.commits)
    handles = _handles(view.panels)
    made.legend(handles=handles, loc="outside upper center", ncols=len(handles), **canvas.LEGEND)
    return made


def _panel(axes: Axes, panel: Panel, commits: Sequence[str]) -> None:
    canvas.clean(axes)
    places = {commit: place for place, commit in enumerate(commits)}
    scale = math.exp if panel.levels.is_ratio else _percent
    axes.axhline(scale(0.0), color=GREY, lw=1, zorder=1)
    for track in panel.levels.tracks:
        _track(axes, track, places, scale)
    _changes(axes, panel, places)
    _commits_axis(axes, commits)
    _levels_axis(axes, panel.levels)
    title = drawable(f"{panel.levels.subject}: {history_words.title(panel.levels.metric)}")
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", pad=16, **_AS_IS)
    lines = (history_words.origin(panel.levels.tracks[0][0]), *history_words.marks(panel))
    axes.set_xlabel("\n".join(map(drawable, lines)), loc="left", fontsize=9, **_AS_IS)


def _track(
    axes: Axes, track: Track, places: Mapping[str, int], scale: Callable[[float], float]
) -> None:
    xs = [places[point.commit] for point in track]
    axes.plot(xs, [scale(point.level) for point in track], color=GREY, lw=0.9, zorder=2)
    for x, point in zip(xs, track, strict=True):
        _error_bar(axes, x, point, scale)
        marker, colour, _ = _MARKERS[point.verdict]
        axes.plot(x, scale(point.level), marker, ms=6.5, mfc=colour, mec=INK, mew=0.6, zorder=4)


def _error_bar(axes: Axes, x: int, point: Point, scale: Callable[[float], float]) -> None:
    if point.level_half:
        ends = [scale(point.level - point.level_half), scale(point.level + point.level_half)]
        axes.plot([x, x], ends, color=INK, lw=1, zorder=3, gid="error")


def _changes(axes: Axes, panel: Panel, places: Mapping[str, int]) -> None:
    """A line before each commit at which the level changed, with the number of its sentence."""
    for number, (point, _) in enumerate(history_words.marked_points(panel), 1):
        x = places[point.commit] - 0.5
        axes.axvline(x, zorder=1, gid="change", **_MARK)
        axes.annotate(
            str(number),
            (x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            fontweight="bold",
        )


def _commits_axis(axes: Axes, commits: Sequence[str]) -> None:
    step = math.ceil(len(commits) / MOST_TICKS)
    shown = range(0, len(commits), step)
    names = [commits[place][:7] for place in shown]
    axes.set_xticks(shown, names, rotation=90, fontsize=8, family="monospace")
    axes.set_xlim(-0.8, len(commits) - 0.2)


def _levels_axis(axes: Axes, levels: Levels) -> None:
    form = "{:.2f}x" if levels.is_ratio else "{:+.1f}"
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: form.format(value)))
    axes.set_ylabel(history_words.scale(levels.metric), fontsize=9)
    axes.margins(y=0.12)


def _handles(panels: Sequence[Panel]) -> list[Line2D]:
    """The legend: only what is drawn."""
    points = [point for panel in panels for track in panel.levels.tracks for point in track]
    seen = {point.verdict for point in points}
    made = [
        Line2D([], [], ls="none", marker=marker, mfc=colour, mec=INK, mew=0.6, ms=6.5, label=label)
        for verdict, (marker, colour, label) in _MARKERS.items()
        if verdict in seen
    ]
    if any(point.level_half for point in points):
        made.append(Line2D([], [], color=INK, lw=1, marker="|", ms=0, label="95 %"))
    if any(history_words.marks(panel) for panel in panels):
        made.append(Line2D([], [], label="change point", **_MARK))
    return made


def _percent(value: float) -> float:
    return 100 * value


def drawable(text: str) -> str:
    """Text without what the figure's font has no shape for (emoji in a subject line)."""
    font = get_font(findfont("DejaVu Sans"))
    return "".join(c if c == "\n" or font.get_char_index(ord(c)) else "?" for c in text)
