"""What all figures share: size, axes, legend, and how they become PNGs.

Matplotlib's `Figure` is used without pyplot: half the import time, and no global state.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from PIL import Image

DPI = 100
COLOURS = 96
WIDTH = 8.0
ROW = 0.34
INK = "#222222"
GREY = "#777777"
LEGEND = {"frameon": False, "fontsize": 9}
# In the order in which they get a tick, as long as there is room.
RATIO_TICKS = (
    *(1, 10, 100, 1000, 0.1, 0.01, 2, 5, 20, 50, 200, 500, 0.5, 0.2, 0.05, 0.02),
    *(3, 7, 4, 1.5, 30, 70, 0.7, 1.2, 0.8, 6, 1.1, 0.9, 1.3, 0.6, 1.05, 0.95, 1.02, 0.98),
)
TICK_ROOM = 0.07


def figure(height: float) -> Figure:
    """An empty figure of the report's width; `height` is in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained", dpi=DPI)


def rows_figure(labels: Sequence[str], extra: float, row: float = ROW) -> tuple[Figure, Axes]:
    """A figure with one row a label, the first on top; `extra` is room for all else."""
    made = figure(extra + row * max(3, len(labels)))
    axes = made.subplots()
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    clean(axes)
    return made, axes


def clean(axes: Axes) -> None:
    """A light grid behind the data, and no frame where there is no axis."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9.5)


def ratio_axis(axes: Axes, low: float, high: float) -> None:
    """A log axis of ratios from `low` to `high`, with round ticks such as `2x`."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = _ticks(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}x" for tick in ticks]))


def _ticks(low: float, high: float) -> list[float]:
    """Round ratios on the axis, none closer to another than a label is wide."""
    room = TICK_ROOM * math.log(high / low)
    ticks: list[float] = []
    for tick in RATIO_TICKS:
        if low <= tick <= high and all(abs(math.log(tick / other)) > room for other in ticks):
            ticks.append(tick)
    return sorted(ticks)


def legend_above(axes: Axes, columns: int) -> None:
    """The axes' legend over their top edge."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, **LEGEND)


def png(made: Figure, method: Image.Quantize = Image.Quantize.MEDIANCUT) -> bytes:
    """The figure as a PNG with a palette: half the size of one in full colour.

    Args:
        method: how the palette is chosen; FASTOCTREE keeps the colours of small marks.
    """
    agg: Any = FigureCanvasAgg(made)
    agg.draw()
    image = Image.fromarray(np.asarray(agg.buffer_rgba())).convert("RGB")
    out = io.BytesIO()
    image.quantize(COLOURS, method=method, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
