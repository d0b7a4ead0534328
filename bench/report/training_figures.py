"""The training report's figures: how each phase learnt, and what its model confuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from bench.plan import as_file_name
from bench.report import canvas, evaluation_figures
from bench.report.canvas import GREY, INK
from bench.training.results import PhaseResult, TrainingResults

ROW = 2.5
_STYLES: Mapping[str, Mapping[str, Any]] = {
    "training": {"color": GREY, "ls": "--", "marker": "o", "mfc": "white", "ms": 3.5, "lw": 1.2},
    "validation": {"color": INK, "ls": "-", "marker": "s", "ms": 3.5, "lw": 1.4},
}


def figures(results: TrainingResults) -> Mapping[str, bytes]:
    """File name -> PNG."""
    if not results.phases:
        return {}
    drawn = {"curves.png": curves(results.phases)}
    for item in results.phases:
        drawn[confusion_name(item)] = evaluation_figures.confusion(item.headline.evaluation)
    last = results.phases[-1]
    drawn["reliability.png"] = evaluation_figures.reliability(last.headline.evaluation)
    return {name: canvas.png(figure) for name, figure in drawn.items()}


def confusion_name(item: PhaseResult) -> str:
    """The file of a phase's confusion matrix."""
    return f"confusion-{as_file_name(item.name)}.png"


def curves(phases: Sequence[PhaseResult]) -> Figure:
    """Loss and accuracy over epochs, a row a phase; the epoch whose weights were kept marked."""
    figure = canvas.figure(0.6 + ROW * len(phases))
    grid = figure.subplots(len(phases), 2, squeeze=False)
    for (left, right), item in zip(grid, phases, strict=True):
        _curve(left, item, "loss")
        _curve(right, item, "accuracy")
        left.set_title(item.name, loc="left", fontsize=10, fontweight="bold")
        right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        right.set_ylim(0, 1.03)
        left.set_ylim(bottom=0)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    named = grid[0][0].get_legend_handles_labels()
    figure.legend(*named, loc="outside upper center", ncols=3, **canvas.LEGEND)
    return figure


def _curve(axes: Axes, item: PhaseResult, what: str) -> None:
    epochs = [result.epoch for result in item.history]
    for label, prefix in (("training", ""), ("validation", "val_")):
        values = [getattr(result, f"{prefix}{what}") for result in item.history]
        known = [(x, y) for x, y in zip(epochs, values, strict=True) if y is not None]
        axes.plot([x for x, _ in known], [y for _, y in known], label=label, **_STYLES[label])
    axes.axvline(
        item.card.training.best_epoch, color=INK, ls=":", lw=1.4, label="epoch that was kept"
    )
    axes.set_ylabel(what)
    axes.set_xlim(0.5, max(epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    canvas.clean(axes)
