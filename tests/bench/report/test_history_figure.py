"""The figure of a history shows what its levels say."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from PIL import Image

from bench.gate.history import Entry
from bench.gate.history_view import View, view
from bench.gate.metrics import Unit
from bench.gate.schema import Side, Verdict
from bench.report import history_figure, history_words
from bench.report.history_figure import MOST_TICKS, drawable, figure
from tests.bench.gate.made_history import MACHINE, chain, entry, name, outcome

SLOWER = [0.0] * 5 + [0.25] + [0.0] * 5


def of(entries: Sequence[Entry], metric: str = "epoch", subjects: Sequence[str] = ()) -> View:
    return view(entries, metric, subjects, "h")


def panel(entries: Sequence[Entry], metric: str = "epoch") -> Axes:
    (axes,) = figure(of(entries, metric)).axes
    return axes


def markers(axes: Axes) -> dict[int, tuple[float, str, str]]:
    """Place -> level, marker and colour of its point."""
    found = [item for item in axes.lines if item.get_marker() not in ("None", None)]
    return {
        round(item.get_xdata()[0]): (
            float(item.get_ydata()[0]),
            str(item.get_marker()),
            to_hex(item.get_markerfacecolor()),
        )
        for item in found
    }


def by_gid(axes: Axes, gid: str) -> list[tuple[list[float], list[float]]]:
    found = [item for item in axes.lines if item.get_gid() == gid]
    return [(list(item.get_xdata()), list(item.get_ydata())) for item in found]


def test_each_commit_has_its_level_with_the_marker_of_its_verdict() -> None:
    slower = outcome(0.1, verdict=Verdict.REGRESSION)
    unsure = outcome(0.1, verdict=Verdict.INCONCLUSIVE)
    found = markers(panel([*chain([0.1]), entry(2, 1, slower), entry(3, 2, unsure)]))
    assert [found[place][0] for place in range(4)] == pytest.approx([1, 1.1, 1.21, 1.331])
    assert [found[place][1] for place in range(4)] == ["s", "o", "^", "D"]
    assert len({found[place][2] for place in range(4)}) == 4


def test_error_bars_are_those_of_the_levels() -> None:
    axes = panel(chain([0.1, 0.1], half=0.022))
    bars = by_gid(axes, "error")
    assert [xs[0] for xs, _ in bars] == [1, 2]  # the first commit has no error
    widths = [math.log(high / low) / 2 for _, (low, high) in bars]
    assert widths == pytest.approx([0.02, 0.02 * math.sqrt(2)], rel=1e-3)


def test_tracks_are_not_joined() -> None:
    axes = panel([*chain([0.1, 0.1]), entry(8, 7, outcome(0.2))])
    lines = [item for item in axes.lines if len(item.get_xdata()) > 1 and not item.get_gid()]
    drawn = [list(item.get_xdata()) for item in lines if item.get_xdata()[1] > 1 - 1e-9]
    assert [0, 1, 2] in drawn
    assert [3, 4] in drawn


def test_change_points_are_numbered_lines_before_their_commit_and_listed_below() -> None:
    axes = panel(chain(SLOWER))
    assert [xs for xs, _ in by_gid(axes, "change")] == [[5.5, 5.5]]
    assert [text.get_text() for text in axes.texts] == ["1"]
    assert axes.get_xlabel().splitlines() == [
        f"from 000000c: 500 ms on {MACHINE}",
        "1  000006c  +25.0 %  Commit 6",
    ]


def test_a_panel_a_subject_over_the_same_commits() -> None:
    entries = [
        entry(1, 0, outcome(0.0, subject="a")),
        entry(2, 1, outcome(0.0, subject="a"), outcome(0.3, subject="b")),
    ]
    first, second = figure(of(entries)).axes
    assert [axes.get_title(loc="left") for axes in (first, second)] == [
        "a: steady epoch",
        "b: steady epoch",
    ]
    assert sorted(markers(first)) == [0, 1, 2]
    assert sorted(markers(second)) == [1, 2]
    assert first.get_xlim() == second.get_xlim()


def test_names_of_commits_are_short_and_thinned() -> None:
    few = panel(chain([0.0] * 4))
    assert [t.get_text() for t in few.get_xticklabels()] == [name(n)[:7] for n in range(5)]
    many = panel(chain([0.0] * 99))
    assert len(many.get_xticklabels()) <= MOST_TICKS
    assert many.get_xticklabels()[1].get_text() == "000003c"


def test_the_legend_names_only_what_is_drawn() -> None:
    def names(entries: Sequence[Entry]) -> list[str]:
        (legend,) = figure(of(entries)).legends
        return [text.get_text() for text in legend.get_texts()]

    assert names(chain([0.0], half=None)) == ["reference only", "pass"]
    assert names(chain(SLOWER)) == ["reference only", "pass", "95 %", "change point"]


@pytest.mark.parametrize(
    ("metric", "ticks", "label", "step"),
    [
        ("epoch", "1.00x", "times the first commit", "+25.0 %"),
        ("accuracy", "+1.0", "points lost since the first commit", "+25.0 points"),
        ("input_wait", "+1.0", "% of an epoch more than at first", "+25.0 % of an epoch"),
    ],
)
def test_axes_say_what_they_count(metric: str, ticks: str, label: str, step: str) -> None:
    parts = [entry(n, n - 1, outcome(x, metric=metric)) for n, x in enumerate(SLOWER, 1)]
    axes = panel(parts, metric)
    assert axes.get_ylabel() == label
    assert axes.yaxis.get_major_formatter()(1.0, 0) == ticks
    assert f"1  000006c  {step}  Commit 6" in axes.get_xlabel()


def test_a_hostile_subject_line_is_drawn_on_one_line_as_it_is() -> None:
    entries = chain(SLOWER)
    told = "Pay $5 and $\\frac{1$ \N{PARTY POPPER}\x1b[31m\nnow"
    entries[5] = replace(entries[5], head=Side("x", name(6), told))
    made = of(entries)
    (axes,) = figure(made).axes
    assert (
        axes.get_xlabel().splitlines()[1].startswith("1  000006c  +25.0 %  Pay $5 and $\\frac{1$")
    )
    assert "\N{PARTY POPPER}" not in axes.get_xlabel()
    assert len(axes.get_xlabel().splitlines()) == 2
    with Image.open(io.BytesIO(history_figure.draw(made))) as image:
        assert image.width == 800


def test_drawable_keeps_what_the_font_has() -> None:
    assert drawable("Größe, Ж\n\N{PARTY POPPER}") == "Größe, Ж\n?"


def test_where_a_track_counts_from_is_on_one_machine() -> None:
    first = of(chain([0.1])).panels[0].levels.tracks[0][0]
    assert history_words.origin(first) == f"from 000000c: 500 ms on {MACHINE}"
    assert history_words.origin(replace(first, machine="")) == "from 000000c: 500 ms"
    assert history_words.origin(replace(first, value=None)) == "from 000000c"
    in_bytes = replace(first, value=float(2**30), unit=Unit.BYTES, machine="")
    assert history_words.origin(in_bytes) == "from 000000c: 1.00 GiB"
