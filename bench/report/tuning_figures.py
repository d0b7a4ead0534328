"""The figures of a study: legible in black and white."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from bench.report import canvas, formats
from bench.report.canvas import INK
from bench.report.tuning_words import p_value
from bench.tuning.results import StudyResults, Training
from bench.tuning.space import AXES, SPACE, Hyperparameter

BARS = {True: ("#2f4858", ""), False: ("#ffffff", "///")}  # beyond chance, within it
MARK: Mapping[str, Any] = {"mec": INK, "mew": 1.1, "ls": "none"}


def figures(results: StudyResults) -> Mapping[str, bytes]:
    """File name -> PNG, for each figure that there is data for."""
    made = {"importance.png": importance(results), "trials.png": trials(results)}
    return {name: canvas.png(figure) for name, figure in made.items() if figure is not None}


def importance(results: StudyResults) -> Figure | None:
    """The share of each hyperparameter; those that chance could explain are hatched."""
    found = results.decomposition
    if found.explained is None:
        return None
    rows = found.importances
    figure, axes = canvas.rows_figure([AXES[item.name].label for item in rows], extra=1.2)
    for row, item in enumerate(rows):
        share = 100 * (item.share or 0.0)
        colour, hatch = BARS[item.matters]
        axes.barh(row, share, height=0.55, edgecolor=INK, lw=0.9, color=colour, hatch=hatch)
        text = f"{formats.percent(item.share)} (p {p_value(item.p)})"
        axes.text(share + 1, row, text, va="center", fontsize=9)
    for matters, label in ((True, "beyond chance"), (False, "chance could explain it")):
        colour, hatch = BARS[matters]
        axes.bar(0, 0, edgecolor=INK, lw=0.9, color=colour, hatch=hatch, label=label)
    axes.set_xlim(0, 115)  # room for the words behind a bar of 100 %
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("share of the differences in validation accuracy, %")
    canvas.legend_above(axes, 2)
    return figure


def trials(results: StudyResults) -> Figure | None:
    """Accuracy against each hyperparameter; the best training is marked."""
    able = [item for item in results.trainings if item.accuracy is not None]
    if not able:
        return None
    figure = canvas.figure(5.4)
    for axes, axis in zip(figure.subplots(2, 2, sharey=True).flat, SPACE, strict=True):
        _panel(axes, axis, able)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.supylabel("validation accuracy, %", fontsize=10)
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return figure


def _panel(axes: Axes, axis: Hyperparameter, able: list[Training]) -> None:
    canvas.clean(axes)
    if axis.log:
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(axis.levels))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{level:g}" for level in axis.levels]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelsize=8.5)
    axes.set_xlabel(axis.label + (" (log scale)" if axis.log else ""))
    axes.margins(0.07, 0.1)
    best, *others = able
    values = [getattr(item.setting, axis.name) for item in others]
    accuracies = [100 * (item.accuracy or 0.0) for item in others]
    axes.plot(values, accuracies, "o", ms=5.5, mfc="none", label="a training", **MARK)
    axes.plot(
        getattr(best.setting, axis.name),
        100 * (best.accuracy or 0.0),
        "*",
        ms=13,
        mfc="#f4d58d",
        label="the best one",
        **MARK,
    )
