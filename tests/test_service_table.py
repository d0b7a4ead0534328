"""The section on the tf.data service, from raw numbers alone."""

from __future__ import annotations

from typing import Any

from benchmarks import service_scaling
from benchmarks.readme_section import README


def _trials(variant: str, epoch_s: float) -> list[dict[str, Any]]:
    return [
        {
            "variant": variant,
            "block": block,
            "images": 800,
            "steady_s": [epoch_s] * 3,
            "loader_s": [epoch_s / 2],
        }
        for block in range(3)
    ]


def _kill(sharding: str, lost: int, repeated: int) -> dict[str, Any]:
    found = {"sharding": sharding, "gone": False, "images": 600, "lost": lost, "ended": True}
    return {**found, "repeated": repeated, "after_kill_s": 7.5}


def _row(text: str, begin: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(begin))


def test_every_mode_has_its_row_with_what_was_lost_and_repeated() -> None:
    one, two = service_scaling.SERVED[:2]
    raw = {
        "machine": "a CPU, 2 cores",
        "trials": [*_trials(one, 2.0), *_trials(two, 1.0)],
        "kills": [_kill("dynamic", 4, 0), _kill("dynamic", 3, 0), _kill("off", 0, 700)],
    }
    made = service_scaling.section(raw)
    assert "| 400 (400 to 400) | 1 | 800 (800 to 800) | 1 |" in _row(made, "| 1 of the service")
    assert _row(made, "| 2 of the service").count("2.00x") == 2
    assert "| 2 | 1,200 | 7 | 0 | yes | at most 7.50 s |" in _row(made, "| dynamic")
    assert "| 1 | 600 | 0 | 700 | yes |" in _row(made, "| off")


def test_the_readme_has_the_marks_of_the_section() -> None:
    text = README.read_text(encoding="utf-8")
    assert service_scaling.SECTION.replaced(text, "new") != text
