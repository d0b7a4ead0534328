"""A run folder's records become its report: computed, then rendered. No TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import RecordError
from bench.store import read

if TYPE_CHECKING:
    from bench.results import RunResults


@dataclass(frozen=True)
class Report:
    """What was rendered into a run folder, and the records that could not be read."""

    folder: Path
    results: RunResults
    broken: tuple[RecordError, ...]

    @property
    def path(self) -> Path:
        """The report for people."""
        return self.folder / "report.md"

    @property
    def summary(self) -> Path:
        """The report for programs."""
        return self.folder / "summary.json"


def make(folder: Path) -> Report:
    """Render the report of a run, whole or partial, into its folder.

    Raises:
        StoreError: there is no run, or its head cannot be read.
    """
    stored = read(folder)
    from bench.report.render import render
    from bench.results import compute
    from bench.swept import read_sweep

    measured = compute(
        stored.run, stored.trials, stored.proofs, stored.profiles, stored.starts, stored.audit
    )
    results = replace(measured, swept=read_sweep(folder, stored, measured))
    render(results, folder)
    return Report(folder, results, stored.broken)
