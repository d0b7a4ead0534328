"""Thresholds and budgets, from a table and from the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config import gate_table, make_config
from bench.errors import ConfigError
from bench.gate.metrics import KINDS, Metric, Threshold, Unit
from bench.gate.options import (
    GateOptions,
    amount,
    budget_s,
    parse_options,
    share,
    with_floor,
    with_threshold,
)
from bench.values import Given

AMOUNTS = (Unit.SECONDS, Unit.BYTES, Unit.SHARE)


def flag(text: object) -> Given:
    return Given(text, "--it")


def test_a_table_sets_budget_self_test_and_thresholds() -> None:
    options = parse_options(
        {
            "budget": "90s",
            "self_test": False,
            "threshold": "4%",
            "metric": {"first_epoch": {"relative": "40%", "floor": "300ms"}},
            "variant": {"plain": {"epoch": {"relative": 0.08}}},
        },
        "gate.toml, table [gate]",
    )
    assert (options.budget_s, options.self_test) == (90.0, False)
    of = options.thresholds.of
    assert of("in_model", Metric.EPOCH).relative == 0.04
    assert of("plain", Metric.EPOCH).relative == 0.08
    assert of("plain", Metric.STEP).relative == 0.04
    assert of("plain", Metric.FIRST_EPOCH) == Threshold(0.4, 0.3)
    assert of("plain", Metric.MEMORY) == KINDS[Metric.MEMORY].default


def test_one_threshold_for_all_leaves_those_that_are_never_five_percent() -> None:
    options = with_threshold(GateOptions(), flag("2%"))
    of = options.thresholds.of
    assert {m for m in Metric if of("", m).relative == 0.02} == {
        Metric.STEP,
        Metric.EPOCH,
        Metric.WAIT,
        Metric.GAP,
    }


def test_the_command_line_names_a_metric_or_a_variants_metric() -> None:
    options = with_threshold(GateOptions(), flag("epoch=8%"))
    options = with_threshold(options, flag("in_model.epoch=9%"))
    options = with_floor(options, flag("in_model.epoch=5ms"))
    assert options.thresholds.of("plain", Metric.EPOCH).relative == 0.08
    assert options.thresholds.of("in_model", Metric.EPOCH) == Threshold(0.09, 0.005)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("15m", Unit.SECONDS, 900),
        ("90s", Unit.SECONDS, 90),
        ("1.5h", Unit.SECONDS, 5400),
        ("250ms", Unit.SECONDS, 0.25),
        (7, Unit.SECONDS, 7),
        ("64MiB", Unit.BYTES, 64 * 2**20),
        ("2%", Unit.SHARE, 0.02),
    ],
)
def test_amounts(text: object, unit: Unit, expected: float) -> None:
    assert amount(flag(text), unit) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("epoch=64MiB", "must be a time such as 15m, 90s or 5ms, found '64MiB'"),
        ("peak_memory=5ms", "must be a size such as 64MiB, found '5ms'"),
        ("accuracy=5ms", "must be a share such as 2% or 0.02, found '5ms'"),
        ("2%", "must be a time"),
    ],
)
def test_a_floor_is_an_amount_of_what_it_is_a_floor_of(given: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_floor(GateOptions(), flag(given))
    assert words in str(caught.value)


def test_a_budget_is_a_time() -> None:
    with pytest.raises(ConfigError, match="must be a time such as 15m"):
        budget_s(flag("64MiB"))


@given(st.floats(0.001, 9.99))
def test_a_share_is_the_same_as_number_and_in_percent(value: float) -> None:
    text = f"{value:.6f}"
    assert share(flag(text)) == pytest.approx(share(flag(f"{float(text) * 100:.6f}%")), rel=1e-3)


@given(st.text(max_size=8))
def test_any_text_is_an_amount_or_a_sentence(text: str) -> None:
    for parse in (*(partial(amount, unit=unit) for unit in AMOUNTS), share, budget_s):
        try:
            value = parse(flag(text))
        except ConfigError as error:
            said = str(error)
            value = 0.0 if said.startswith("--it must be") else -1.0
        assert value >= 0


@pytest.mark.parametrize("text", ["0", "0s", 0])
def test_no_budget_is_wrong_usage(text: object) -> None:
    with pytest.raises(ConfigError, match=r"above 0.*never passes"):
        budget_s(flag(text))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: with_threshold(GateOptions(), flag("epch=5%")),
            "no metric 'epch'. Did you mean 'epoch'",
        ),
        (lambda: with_threshold(GateOptions(), flag("fast")), "must be a share such as 5%"),
        (lambda: with_threshold(GateOptions(), flag("0%")), "above 0"),
        (lambda: with_floor(GateOptions(), flag("epoch=-5ms")), "must be a time"),
        (
            lambda: parse_options({"bugdet": "1m"}, "x"),
            "unknown key 'bugdet'. Did you mean 'budget'",
        ),
        (lambda: parse_options({"metric": 3}, "x"), "x.metric must be a table"),
        (lambda: parse_options({"self_test": "yes"}, "x"), "must be true or false"),
    ],
)
def test_mistakes_are_sentences(call: Callable[[], GateOptions], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        call()
    assert words in str(caught.value)


def test_the_shipped_suite_is_a_gate() -> None:
    options = parse_options(*gate_table("gate"))
    assert options.budget_s == 900
    assert options.self_test
    config = make_config("gate")
    assert config.epochs >= 9
    assert gate_table("smoke")[0] == {}
