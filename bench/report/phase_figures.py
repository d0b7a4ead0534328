"""The figure of speedups by phase and variant."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.report import canvas, formats
from bench.report.canvas import INK
from bench.results import RunResults

CELL = 0.5
DARKEST = 0.47  # of the grey scale, so that numbers stay legible


def matrix(results: RunResults) -> Figure | None:
    """A heat map with numbers: how many times as fast as the baseline; None with one phase."""
    if len(results.phases) < 2 or not any(item.speedup for item in results.variants):
        return None
    variants = results.run.config.variants
    figure = canvas.figure(1.5 + CELL * len(variants))
    axes = figure.subplots()
    values = [[_value(results, name, phase) for phase in results.phases] for name in variants]
    top = max(abs(math.log(value)) for row in values for value in row if value) or 1.0
    for row, name in enumerate(variants):
        for column, value in enumerate(values[row]):
            _cell(axes, row, column, value, top)
            below = _below(results, name, results.phases[column])
            axes.text(column, row + 0.25, below, ha="center", va="center", fontsize=7.5, color=INK)
    axes.set_xlim(-0.5, len(results.phases) - 0.5)
    axes.set_ylim(len(variants) - 0.5, -0.5)
    axes.set_xticks(range(len(results.phases)), results.phases)
    axes.set_yticks(range(len(variants)), variants)
    axes.tick_params(length=0, labelsize=9.5)
    axes.spines[:].set_visible(False)
    axes.set_title(
        f"times as fast as {results.run.config.claim.baseline} per steady epoch (95% interval)",
        fontsize=10,
        loc="left",
    )
    return figure


def _value(results: RunResults, variant: str, phase: str) -> float | None:
    if variant == results.run.config.claim.baseline:
        return 1.0
    item = results.find(variant, phase)
    return item.speedup.median if item and item.speedup else None


def _cell(axes: Axes, row: int, column: int, value: float | None, top: float) -> None:
    """Darker is faster; slower than the baseline is hatched; nothing measured is empty."""
    shade = 1.0 if value is None else 1 - DARKEST * max(0.0, math.log(value)) / top
    axes.add_patch(
        _rectangle(
            (column - 0.48, row - 0.46),
            facecolor=str(shade),
            hatch="//" if value is not None and value < 0.98 else "",
        )
    )
    text = formats.NOTHING if value is None else formats.times(value)
    axes.text(column, row - 0.08, text, ha="center", va="center", fontsize=11, color=INK)


def _rectangle(corner: tuple[float, float], *, facecolor: str, hatch: str) -> Rectangle:
    return Rectangle(corner, 0.96, 0.92, facecolor=facecolor, hatch=hatch, edgecolor="#aaaaaa")


def _below(results: RunResults, variant: str, phase: str) -> str:
    item = results.find(variant, phase)
    if variant == results.run.config.claim.baseline:
        return "baseline"
    if item is None or item.speedup is None:
        return "not in this phase"
    if item.speedup.low is None:
        return "no interval"
    return formats.span(item.speedup)
