"""What `train`, `evaluate` and `predict` print: tables for people, JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import console

if TYPE_CHECKING:
    from bench.training.evaluation import Evaluated
    from bench.training.prediction import Predicted
    from bench.training.session import TrainingOutcome


def outcome(ended: TrainingOutcome, as_json: bool) -> None:
    """Print how a training ended: its accuracies, and where the rest is."""
    if ended.results is not None and as_json:
        console.text((ended.folder / "summary.json").read_text(encoding="utf-8").rstrip())
    elif ended.results is not None:
        _accuracies(ended)
        console.text(f"\nReport: {ended.folder / 'report.md'}")
    for record in ended.failures:
        console.aside(f"{record.phase} could not be trained: {record.failure.message}")
    if ended.interrupted:
        console.aside(
            "Interrupted; every complete epoch is kept. Go on with: leafbench train --resume "
            f"{ended.folder}"
        )


def _accuracies(ended: TrainingOutcome) -> None:
    from bench.report.evaluation import estimate
    from bench.report.training import comparison

    results = ended.results
    rows = [
        (
            item.name,
            estimate(item.headline.evaluation.accuracy),
            estimate(item.headline.evaluation.class_accuracy),
            f"{item.card.training.best_epoch} of {item.card.training.epochs}",
        )
        for item in results.phases
    ]
    console.table(rows, ("phase", f"{results.part} accuracy", "mean per class", "kept epoch"))
    for found in results.comparisons:
        console.text(comparison(found, results.part).replace("**", ""))


def evaluated(found: Evaluated, out: str | None, as_json: bool) -> None:
    """Print how well a model names a folder's images, class by class."""
    if as_json:
        console.json(found)
        return
    from bench.report.evaluation import estimate

    values = found.evaluation
    console.table(
        [
            (item.name, str(item.images), estimate(item.recall), estimate(item.precision))
            for item in values.classes
            if item.images or item.predicted
        ],
        ("class", "images", "recall", "precision"),
    )
    console.text(f"accuracy: {estimate(values.accuracy)} of {values.images} images")
    console.text(f"mean per-class accuracy: {estimate(values.class_accuracy)}")
    console.text(f"calibration error: {estimate(values.calibration_error)}")
    for note in found.notes:
        console.text(note)
    if out is not None:
        console.text(f"Figures: {out}")


def predicted(found: Predicted, top: int, as_json: bool) -> None:
    """Print the classes of each image and how unsure the model is."""
    if as_json:
        console.json(found)
        return
    for item in found.images:
        console.text(item.path)
        for share in item.shares[:top]:
            console.text(f"  {_share(share.probability):>7}  {share.name}")
        console.text(f"  {item.statement}")
    console.text(f"\n{found.caution}")


def _share(probability: float) -> str:
    """Never rounded up to all, which no classifier can be sure of."""
    return "> 99.9%" if probability > 0.9995 else f"{probability:.1%}"
