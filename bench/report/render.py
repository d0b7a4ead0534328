"""Results into a run folder: report, figures, CSV and summary, each written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from bench.errors import StoreError
from bench.report.figures import figures
from bench.report.markdown import markdown
from bench.report.summary import summary_json
from bench.report.tables import csv_text
from bench.results import RunResults
from bench.store import write_whole


def render(results: RunResults, out: Path) -> None:
    """Write `report.md`, `figures/*.png`, `results.csv` and `summary.json` into `out`.

    Figures of an older report that this one has no data for are removed.

    Raises:
        StoreError: the folder cannot be written.
    """
    drawn = figures(results)
    files = {
        **{f"figures/{name}": data for name, data in drawn.items()},
        "results.csv": csv_text(results).encode(),
        "summary.json": summary_json(results),
        "report.md": markdown(results).encode(),
    }
    try:
        (out / "figures").mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_whole(out / name, data)
        for old in (out / "figures").glob("*.png"):
            if old.name not in drawn:
                old.unlink()
    except OSError as error:
        raise StoreError(f"The report cannot be written to {out}: {error}.") from error
