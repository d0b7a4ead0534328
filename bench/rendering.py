"""Renders again whatever lies in a folder: a run, a training or a study. No TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.reporting import Report

TRAINING = "training.json"
STUDY = "study.json"


@dataclass(frozen=True)
class Rendered:
    """The report of a training or a study, for people and for programs."""

    path: Path
    results: object


def render(folder: Path) -> Report | Rendered:
    """Render the report of `folder`, whole or partial, into it.

    Raises:
        StoreError: there is nothing of ours, or its head cannot be read.
    """
    if (folder / TRAINING).is_file():
        from bench.report import training

        return Rendered(folder / "report.md", training.make(folder))
    if (folder / STUDY).is_file():
        from bench.report import tuning

        return Rendered(folder / "report.md", tuning.make(folder))
    from bench import reporting

    return reporting.make(folder)
