"""The claim map drawn: speedup against device speed, both on log scales."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

from bench.claim_map import ClaimMap, KnownDevice
from bench.report import canvas, claim_map, formats
from bench.report.canvas import GREY, INK
from bench.report.emulated import MARK
from bench.results import RunResults

HEIGHT = 4.6
SAMPLES = 120
MARGIN = 1.15
BETWEEN = "between two of them"
TICKS = (0.5, 1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 200, 500, 1000)


def figures(results: RunResults) -> dict[str, Figure]:
    """File name -> figure, for each map of a run's sweep."""
    claim, joints = results.claim.claim, results.swept.joints if results.swept else ()
    return {claim_map.figure_name(item.found, claim): draw(item.found) for item in joints}


def draw(found: ClaimMap) -> Figure:
    """One phase: points with their band, what the loaders let expect, the claim, known devices."""
    figure = canvas.figure(HEIGHT)
    axes = figure.subplots()
    canvas.clean(axes)
    _scales(axes, found)
    _devices(axes, found.known)
    _curves(axes, found)
    _claim(axes, found)
    claim = found.claim
    axes.set_xlabel("images/s that the device trains if it never waits (log scale)")
    axes.set_ylabel(f"{claim.candidate}: times as fast as {claim.baseline}")
    canvas.legend_above(axes, columns=3)
    figure.supxlabel(f"{MARK}s: real pipelines, a device that only takes time", fontsize=9)
    return figure


def _scales(axes: Axes, found: ClaimMap) -> None:
    speeds = [point.images_per_s for point in found.points]
    shown = [1.0, found.claim.target]
    for point in found.points:
        shown += [point.speedup.low or point.speedup.median]
        shown += [point.speedup.high or point.speedup.median]
    if found.loaders:
        shown.append(found.loaders.speedup)
    axes.set_xscale("log")
    axes.set_xlim(min(speeds) / MARGIN, max(speeds) * MARGIN)
    axes.set_yscale("log")
    low, high = min(shown) / MARGIN, max(shown) * MARGIN**2
    axes.set_ylim(low, high)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FixedFormatter([f"{tick:g}x" for tick in ticks]))
    axes.xaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _curves(axes: Axes, found: ClaimMap) -> None:
    speeds = [point.images_per_s for point in found.points]
    values = [point.speedup.median for point in found.points]
    line = found.line
    along_line = [item.images_per_s for item in line]
    if all(point.speedup.low is not None for point in found.points):
        lows, highs = [item.low for item in line], [item.high for item in line]
        axes.fill_between(along_line, lows, highs, color="#cccccc", lw=0, label="95% interval")
    axes.plot(speeds, values, "o", color=INK, ms=5, label="emulated")
    axes.plot(along_line, [item.centre for item in line], color=INK, lw=1.6, label=BETWEEN)
    tops = [(p.images_per_s, p.ceiling.median) for p in found.points if p.ceiling]
    if tops:
        label = "most that any pipeline could give"
        axes.plot(*zip(*tops, strict=True), ":", color=INK, lw=1.3, label=label)
    if found.loaders is not None:
        along = np.geomspace(min(speeds), max(speeds), SAMPLES)
        expected = [found.loaders.expected(found.batch_size / float(speed)) for speed in along]
        axes.plot(along, expected, "--", color=GREY, lw=1.3, label="expected of the loaders alone")
        axes.axhline(found.loaders.speedup, color=GREY, lw=0.8, ls="-.", label="loaders alone")


def _claim(axes: Axes, found: ClaimMap) -> None:
    target = found.claim.target
    axes.axhline(target, color=INK, lw=1.1, ls=(0, (6, 3)))
    axes.annotate(
        f"claim: {formats.target(target)}x",
        (1.0, target),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        fontsize=9,
    )
    at = found.crossing.at
    if at is not None and at > found.slowest.images_per_s:
        axes.plot([at], [target], "D", color=INK, mfc="white", ms=7, zorder=5)
        axes.annotate(
            f"{formats.rate(at)} images/s",
            (at, target),
            xytext=(6, -12),
            textcoords="offset points",
            fontsize=9,
        )


def _devices(axes: Axes, known: tuple[KnownDevice, ...]) -> None:
    """A hatched span, or a line, a device, with its name at the bottom; off the axis none."""
    left, right = axes.get_xlim()
    shown = [item for item in known if item.high >= left and item.low <= right]
    for row, item in enumerate(shown):
        low, high = max(item.low, left), min(item.high, right)
        if low < high:
            axes.axvspan(low, high, fill=False, hatch="//", ec="#d0d0d0", lw=0, zorder=0)
        axes.axvline(low if low < high else item.low, color="#b0b0b0", lw=0.9, zorder=0)
        axes.annotate(
            item.name,
            (low, 0),
            xycoords=("data", "axes fraction"),
            xytext=(4, 5 + 12 * row),
            textcoords="offset points",
            fontsize=8.5,
            color=GREY,
        )
