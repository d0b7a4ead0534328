"""Figures of what a trained model is worth: which classes it confuses, and how far to trust it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from bench.report import canvas, evaluation, formats
from bench.report.canvas import GREY, INK
from leafmodel.evaluate import Evaluation

CELL = 0.36
DARK = 0.45  # share from which on a cell's number is white
BAR = "#c9d6dd"


def confusion(found: Evaluation) -> Figure:
    """Counts, a row a true class, shaded by the share of the row; greys, so print loses nothing."""
    counts = np.array(found.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [item.name for item in found.classes]
    figure = canvas.figure(2.1 + CELL * len(names))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > DARK else INK
        text = f"{counts[row, column]}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    _class_axes(axes, names)
    axes.set_title(
        f"{evaluation.estimate(found.accuracy)} of {formats.plural(found.images, 'image')} right; "
        "shade: share of the row",
        fontsize=10,
        loc="left",
    )
    return figure


def _class_axes(axes: Axes, names: list[str]) -> None:
    """Each class named on both axes, and thin lines between the cells."""
    places = np.arange(len(names))
    axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names)
    axes.set_xticks(places[1:] - 0.5, minor=True)
    axes.set_yticks(places[1:] - 0.5, minor=True)
    axes.grid(which="minor", color="#cccccc", lw=0.6)
    axes.tick_params(which="minor", length=0)
    axes.tick_params(labelsize=9)
    axes.set_xlabel("called")
    axes.set_ylabel("is")


def reliability(found: Evaluation) -> Figure:
    """Accuracy over confidence, bin by bin, above how many images each bin holds."""
    figure = canvas.figure(5.2)
    above, below = figure.subplots(2, sharex=True, height_ratios=[3, 1])
    _calibration(above, found)
    for item in found.bins:
        middle, width = (item.low + item.high) / 2, item.high - item.low
        below.bar(middle, item.images, width, color=BAR, edgecolor=INK, lw=0.6)
        if item.images:
            below.annotate(
                f"{item.images:,}",
                (middle, item.images),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    canvas.clean(below)
    below.margins(y=0.25)
    below.set_xlabel("confidence: probability of the class that was called")
    below.set_ylabel("images")
    below.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def _calibration(axes: Axes, found: Evaluation) -> None:
    """A mark a bin with its Wilson interval, beside the line where confidence is deserved."""
    axes.plot([0, 1], [0, 1], ls="--", color=GREY, lw=1.2, label="as right as sure")
    points = [(item.confidence or 0.0, item.accuracy) for item in found.bins if item.accuracy]
    for confidence, accuracy in points:
        ends = (accuracy.low or 0.0, accuracy.high or 0.0)
        axes.plot([confidence] * 2, ends, color=INK, lw=1.6)
    axes.plot(
        [confidence for confidence, _ in points],
        [accuracy.value for _, accuracy in points],
        "o",
        color=INK,
        ms=5,
        label="a bin's images, with 95% interval",
    )
    canvas.clean(axes)
    canvas.legend_above(axes, 2)
    axes.set_xlim(0, 1.015)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("share that is right")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.annotate(
        f"calibration error\n{evaluation.estimate(found.calibration_error)}",
        (0.02, 0.96),
        xycoords="axes fraction",
        va="top",
        fontsize=9,
    )
