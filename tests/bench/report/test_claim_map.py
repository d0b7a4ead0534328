"""The claim map in words: golden, and each of its verdicts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.claim_map import ClaimMap, Crossing
from bench.mapping import Sweep, of_runs
from bench.report import claim_map, claim_map_figure
from tests.bench.emulated_samples import write_emulated

GOLDEN = Path(__file__).parent / "golden" / "claim-map.md"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    folder = tmp_path_factory.mktemp("sweep")
    names = [f"emulated:step={step}ms" for step in (1000, 200, 100, 50, 30, 10, 5)]
    return of_runs([write_emulated(folder / f"run{k}", n) for k, n in enumerate(names)])


@pytest.fixture
def found(sweep: Sweep) -> ClaimMap:
    return sweep.maps[0]


def verdict(found: ClaimMap, **crossing: float | None) -> str:
    return claim_map.sentences(replace(found, crossing=Crossing(**crossing)))[0]


def test_the_map_is_as_it_was_read_and_approved(sweep: Sweep) -> None:
    if os.environ.get("LEAFBENCH_UPDATE_GOLDEN"):
        GOLDEN.write_text(claim_map.markdown(sweep), encoding="utf-8")
    assert claim_map.markdown(sweep) == GOLDEN.read_text(encoding="utf-8")


def test_each_verdict(found: ClaimMap) -> None:
    says = verdict(found, at=None, earliest=None, latest=None)
    assert "is not 7 times as fast as default on any device of the sweep (64.0 to 12,800" in says
    says = verdict(found, at=64.0, earliest=64.0, latest=64.0)
    assert "is 7 times as fast as default on every device of the sweep" in says
    says = verdict(found, at=900.0, earliest=None, latest=None)
    assert "more than about 900 images/s (too few blocks for an interval)." in says
    says = verdict(found, at=900.0, earliest=64.0, latest=None)
    assert "(refuted nowhere in the sweep, supported nowhere in the sweep)" in says
    says = verdict(found, at=900.0, earliest=800.0, latest=1000.0)
    assert "(refuted below 800, supported from 1,000)" in says


def test_pipelines_that_were_not_timed_alone_are_not_guessed(found: ClaimMap) -> None:
    bare = replace(found, loaders=None)
    assert "What the pipelines alone would give was not timed." in claim_map.sentences(bare)[1]
    assert claim_map.rows(bare)[0][2] == "–"


def test_the_figure_has_the_band_the_claim_and_both_ends(found: ClaimMap) -> None:
    figure = claim_map_figure.draw(found)
    (axes,) = figure.axes
    _, labels = axes.get_legend_handles_labels()
    assert labels == [
        "95% interval",
        "emulated",
        "between two of them",
        "most that any pipeline could give",
        "expected of the loaders alone",
        "loaders alone",
    ]
    texts = [text.get_text() for text in axes.texts]
    assert {"claim: 7x", "images_1250", "p100_class"} <= set(texts)
    assert any(text.endswith("images/s") for text in texts)
    assert "emulated" in figure.get_supxlabel()


def test_without_intervals_the_figure_has_no_band(found: ClaimMap) -> None:
    bare = [replace(p.speedup, low=None, high=None, why="too few") for p in found.points]
    points = tuple(replace(p, speedup=s) for p, s in zip(found.points, bare, strict=True))
    axes = claim_map_figure.draw(replace(found, points=points, loaders=None)).axes[0]
    assert axes.get_legend_handles_labels()[1] == [
        "emulated",
        "between two of them",
        "most that any pipeline could give",
    ]
