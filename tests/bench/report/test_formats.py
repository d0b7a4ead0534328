"""Numbers as text."""

from __future__ import annotations

import pytest

from bench.report import formats
from bench.stats import Interval


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0.0 ms"),
        (0.0042, "4.2 ms"),
        (0.071, "71 ms"),
        (0.25, "0.25 s"),
        (9.949, "9.95 s"),
        (12.34, "12.3 s"),
        (1234.5, "1,234 s"),
    ],
)
def test_seconds(value, text):
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.154, "1.15x"), (13.71, "13.7x"), (123.4, "123x"), (None, "–")]
)
def test_times(value, text):
    assert formats.times(value) == text


def test_intervals():
    known, unknown = Interval(1.15, 1.10, 1.21, 3), Interval(1.15, None, None, 1, "1 block")
    assert formats.times_interval(known) == "1.15x (1.10 to 1.21)"
    assert formats.times_interval(unknown) == "1.15x (no interval)"
    assert formats.seconds_interval(known) == "1.15 s (1.10 s to 1.21 s)"
    assert formats.span(unknown) == "no interval: 1 block"
    assert formats.span(Interval(1.0, 0.9999, 1.0001, 3)) == "0.9999 to 1.0001"


def test_shares_and_sizes():
    assert (formats.percent(0.714), formats.percent(0.004), formats.percent(None)) == (
        "71%",
        "0.4%",
        "–",
    )
    assert (formats.size(1_500_000_000), formats.size(50 * 2**20)) == ("1.40 GiB", "50 MiB")
    assert (formats.rate(73.61), formats.rate(1204.4)) == ("73.6", "1,204")
    assert (formats.plural(1, "block"), formats.plural(1200, "image")) == (
        "1 block",
        "1,200 images",
    )


def test_a_name_cannot_break_a_table():
    text = formats.table(["a|b", "n"], [["x|y\nz", "1"]])
    assert text == "| a\\|b | n |\n|:--|--:|\n| x\\|y z | 1 |"


def test_a_rate_is_highest_where_its_epoch_is_shortest() -> None:
    assert formats.rate_interval(600, Interval(0.5, 0.4, 0.6, 3)) == "1,200 (1,000 to 1,500)"
    assert formats.rate_interval(600, Interval(0.5, None, None, 2, "few")) == "1,200 (no interval)"
    assert formats.rate_interval(600, None) == formats.NOTHING
