"""What the report says of trained models, under a golden file, and what its figures show.

After a change on purpose run `LEAFBENCH_UPDATE_GOLDEN=1 pytest tests/bench/report`, and read the
diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bench.report import canvas, evaluation, evaluation_figures
from leafmodel.data.leaks import BorderLeak, DuplicatePair, Duplicates, LeakAudit
from leafmodel.evaluate import Estimate, Evaluation, evaluate

GOLDEN = Path(__file__).parent / "golden" / "evaluation.md"
NAMES = ("apple", "corn | maize", "pepper", "never seen")


def answers(right: int) -> Evaluation:
    """60 images of three classes, `right` of them named rightly, the others called corn."""
    labels = np.repeat([0, 1, 2], 20)
    called = np.where(np.arange(60) < right, labels, 1)
    sure = np.linspace(0.4, 0.95, 60)
    probabilities = np.tile((1 - sure)[:, None] / 3, (1, 4))
    probabilities[np.arange(60), called] = sure
    return evaluate(probabilities, labels, NAMES)


MODELS = {"cnn": answers(44), "improved": answers(57)}
LEAKY = LeakAudit(
    border=BorderLeak(560, 2520, 0.802, 0.767, 0.833, 0.0714),
    duplicates=Duplicates(
        images=560,
        count=53,
        same_class=52,
        pairs=(
            DuplicatePair("apple/1.jpg", "apple/7.jpg", True, 10, 60),
            DuplicatePair("apple/2.jpg", "pepper/3.jpg", False, 6, 57),
        ),
    ),
)
QUIET = LeakAudit(
    border=BorderLeak(100, 500, 0.19, 0.125, 0.278, 0.25),
    duplicates=Duplicates(100, 0, 0, ()),
)


def test_the_sections_are_as_they_were_read_and_approved() -> None:
    sections = (
        evaluation.accuracies(MODELS),
        evaluation.per_class(MODELS["cnn"]),
        evaluation.beside_the_original(MODELS),
        evaluation.leaks(LEAKY),
        evaluation.leaks(QUIET),
    )
    text = "\n\n".join(sections) + "\n"
    if os.environ.get("LEAFBENCH_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_nothing_is_said_without_models() -> None:
    assert evaluation.accuracies({}) == ""
    assert evaluation.beside_the_original({}) == ""


def test_only_phases_that_the_original_had_stand_beside_it() -> None:
    assert evaluation.beside_the_original({"transfer": MODELS["cnn"]}) == ""
    text = evaluation.beside_the_original({"finetune": MODELS["cnn"]})
    assert "80.2%" in text
    assert "59.8%" not in text
    assert "may not be compared unless the images are the original's" in text


def test_the_originals_numbers_are_the_reported_ones() -> None:
    assert [item.accuracy for item in evaluation.ORIGINAL] == [0.598, 0.802, 0.936, 0.9377]


def test_an_estimate_says_when_it_has_no_interval() -> None:
    assert evaluation.estimate(None) == "–"
    assert evaluation.estimate(Estimate(0.5)) == "50.0% (no interval)"
    assert evaluation.estimate(Estimate(0.5, 0.25, 0.75)) == "50.0% (25.0% to 75.0%)"


def test_what_leaks_is_said_and_what_does_not_is_not() -> None:
    leaky, quiet = evaluation.leaks(LEAKY), evaluation.leaks(QUIET)
    assert "The border tells the class" in leaky
    assert "up to 9.5 points" in leaky
    assert "| **no** |" in leaky
    assert "The 2 surest pairs" in leaky
    assert "cannot be told from a guess" in quiet
    assert "None was found" in quiet
    assert "<details>" not in quiet


def test_the_confusion_figure_shows_every_count_in_a_legible_ink() -> None:
    (axes,) = evaluation_figures.confusion(MODELS["cnn"]).axes
    shown = {tuple(map(int, item.get_position())): item.get_text() for item in axes.texts}
    confusion = MODELS["cnn"].confusion
    expected = {
        (column, row): str(count)
        for row, counts in enumerate(confusion)
        for column, count in enumerate(counts)
        if count
    }
    assert shown == expected
    assert [item.get_text() for item in axes.get_yticklabels()] == list(NAMES)
    inks = {item.get_text(): item.get_color() for item in axes.texts}
    assert inks["20"] == "white"  # on black
    assert inks["4"] == canvas.INK


def test_the_reliability_figure_shows_every_bin_that_has_images() -> None:
    found = MODELS["cnn"]
    above, below = evaluation_figures.reliability(found).axes
    full = [item for item in found.bins if item.accuracy]
    marks = above.lines[-1]
    assert list(marks.get_xdata()) == [item.confidence for item in full]
    assert list(marks.get_ydata()) == [item.accuracy.value for item in full]
    assert [patch.get_height() for patch in below.patches] == [item.images for item in found.bins]
    assert {item.get_text() for item in below.texts} == {str(item.images) for item in full}


@pytest.mark.parametrize("draw", [evaluation_figures.confusion, evaluation_figures.reliability])
def test_figures_become_pngs(draw) -> None:
    assert canvas.png(draw(MODELS["improved"])).startswith(b"\x89PNG")
