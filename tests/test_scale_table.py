"""The section on many images, from raw numbers alone."""

from __future__ import annotations

from typing import Any

from benchmarks import scale
from benchmarks.readme_section import README


def _run(images: int, trials: dict[str, Any]) -> dict[str, Any]:
    machine = {"machine": "a CPU, 2 cores", "image_size": 128}
    return {**machine, "images": images, "trained": images, "trials": trials}


def _trial(epoch_s: float, loader_s: float | None, peak_mib: int) -> dict[str, Any]:
    loader = [] if loader_s is None else [loader_s]
    return {"epoch_s": epoch_s, "loader_s": loader, "peak_rss_bytes": peak_mib * 2**20}


def _row(text: str, begin: str, which: int = 0) -> str:
    return [line for line in text.splitlines() if line.startswith(begin)][which]


def _made() -> str:
    return scale.section(
        [
            _run(1_000, {"in_model": _trial(0.8, 0.5, 500), "resident": _trial(1, None, 600)}),
            _run(4_000, {"in_model": _trial(3.2, 2.4, 500)}),
        ]
    )


def test_a_row_says_the_time_per_image_and_how_it_grows_from_fewest_to_most() -> None:
    assert _row(_made(), "| `in_model`") == "| `in_model` | 0.80 | 0.80 | 0.50 | 0.60 | 1.20x |"


def test_memory_is_said_for_each_size_and_each_further_image() -> None:
    row = _row(_made(), "| `in_model`", which=1)
    assert row == "| `in_model` | 500 MiB | 500 MiB | 0.0 kB |"


def test_what_was_not_measured_is_no_number() -> None:
    assert _row(_made(), "| `resident`") == "| `resident` | 1.00 | – | – | – | – |"


def test_the_readme_has_the_marks_of_the_section() -> None:
    text = README.read_text(encoding="utf-8")
    assert scale.SECTION.replaced(text, "new") != text
