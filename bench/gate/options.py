"""What decides how a gate decides, from a suite's table [gate] and the command line.

    [gate]
    budget = "15m"
    self_test = true
    threshold = "5%"                  # of every metric that has 5 % by default
    [gate.metric.first_epoch]
    relative = "30%"
    floor = "200ms"
    [gate.variant.in_model.epoch]     # of one variant's metric
    relative = "8%"

On the command line: `--threshold 5%`, `--threshold epoch=8%`, `--threshold in_model.epoch=8%`, and
`--floor` likewise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.errors import ConfigError
from bench.gate.metrics import KINDS, Metric, Threshold, Thresholds, Unit
from bench.values import Given, flag, suggestion

DEFAULT_BUDGET_S = 900.0
_USUAL = 0.05  # `threshold = ...` sets the metrics that have this by default
_KEYS = ("budget", "self_test", "threshold", "metric", "variant")
_TIMES = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZES = {"kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}


@dataclass(frozen=True)
class _Amounts:
    """Amounts of one unit: what they are called, with an example, and how they may be written."""

    called: str
    written: Mapping[str, float]


_AMOUNTS: Mapping[Unit, _Amounts] = {
    Unit.SECONDS: _Amounts("a time such as 15m, 90s or 5ms", _TIMES),
    Unit.BYTES: _Amounts("a size such as 64MiB", _SIZES),
    Unit.SHARE: _Amounts("a share such as 2% or 0.02", {"%": 0.01}),
}


@dataclass(frozen=True)
class GateOptions:
    """How long a gate may measure, what matters, and whether it must prove that it can fail."""

    budget_s: float = DEFAULT_BUDGET_S
    self_test: bool = True
    thresholds: Thresholds = field(default_factory=Thresholds)


def parse_options(table: Mapping[str, Any], where: str) -> GateOptions:
    """The options in a suite's table [gate].

    Raises:
        ConfigError: a key or a value that cannot be; says where.
    """
    _refuse_unknown(table, _KEYS, where)
    options = GateOptions()
    if "budget" in table:
        options = replace(options, budget_s=budget_s(Given(table["budget"], f"{where}: budget")))
    if "self_test" in table:
        options = replace(options, self_test=flag(Given(table["self_test"], f"{where}: self_test")))
    if "threshold" in table:
        options = with_threshold(options, Given(table["threshold"], f"{where}: threshold"))
    metrics = _metrics(table.get("metric", {}), f"{where}.metric", options.thresholds.metrics)
    variants = {
        name: _metrics(own, f"{where}.variant.{name}", metrics)
        for name, own in _table(table.get("variant", {}), f"{where}.variant").items()
    }
    return replace(options, thresholds=Thresholds(metrics, variants))


def with_threshold(options: GateOptions, given: Given) -> GateOptions:
    """The options with one more relative threshold: `5%`, `epoch=5%`, `in_model.epoch=5%`.

    Raises:
        ConfigError: no such metric, or no share.
    """
    return _with(options, given, lambda old, value, _: replace(old, relative=share(value)))


def with_floor(options: GateOptions, given: Given) -> GateOptions:
    """The options with one more floor: `epoch=5ms`, `in_model.epoch=5ms`, `peak_memory=64MiB`.

    Raises:
        ConfigError: no such metric, or no amount of it.
    """
    return _with(options, given, _floored)


def budget_s(given: Given) -> float:
    """A time to measure in: `15m`, `90s`, `1h`, or seconds.

    Raises:
        ConfigError: not above 0, or no time.
    """
    seconds = amount(given, Unit.SECONDS)
    if seconds <= 0:
        raise ConfigError(
            f"{given.where} must be above 0, found {given.value!r}: without time nothing is "
            "measured, and a gate that measured nothing never passes."
        )
    return seconds


def share(given: Given) -> float:
    """`5%` or `0.05`, above 0 and below 1000 %."""
    text = str(given.value).strip()
    number = text.removesuffix("%")
    if isinstance(given.value, bool) or not re.fullmatch(r"\d+(\.\d*)?|\.\d+", number):
        raise ConfigError(f"{given.where} must be a share such as 5% or 0.05, found {text!r}.")
    value = float(number) / (100 if text.endswith("%") else 1)
    if not 0 < value < 10:
        raise ConfigError(f"{given.where} must be above 0 and below 1000 %, found {text!r}.")
    return value


def amount(given: Given, unit: Unit) -> float:
    """A number with a unit of that kind (`5ms`; `64MiB`; `2%`), or without one: in `unit` itself.

    Raises:
        ConfigError: no such amount.
    """
    text, amounts = str(given.value).strip().lower(), _AMOUNTS[unit]
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%|[a-z]*)", text)
    scale = {"": 1.0, **amounts.written}.get(found[2]) if found else None
    if isinstance(given.value, bool) or not found or scale is None:
        raise ConfigError(f"{given.where} must be {amounts.called}, found {given.value!r}.")
    return float(found[1]) * scale


def _floored(threshold: Threshold, given: Given, metric: Metric) -> Threshold:
    return replace(threshold, floor=amount(given, KINDS[metric].unit))


def _with(
    options: GateOptions, given: Given, change: Callable[[Threshold, Given, Metric], Threshold]
) -> GateOptions:
    """Change the threshold that `given` names: of all usual metrics, of one, or of a variant's."""
    name, _, value = str(given.value).rpartition("=")
    told = replace(given, value=value)
    thresholds = options.thresholds
    if not name:
        usual = [m for m in Metric if KINDS[m].default.relative == _USUAL]
        metrics = {m: change(thresholds.of("", m), told, m) for m in usual}
        return replace(
            options, thresholds=replace(thresholds, metrics={**thresholds.metrics, **metrics})
        )
    variant, _, metric_name = name.strip().rpartition(".")
    metric = _metric(metric_name, given.where)
    changed = {metric: change(thresholds.of(variant, metric), told, metric)}
    if not variant:
        metrics = {**thresholds.metrics, **changed}
        return replace(options, thresholds=replace(thresholds, metrics=metrics))
    own = {**thresholds.variants.get(variant, {}), **changed}
    variants = {**thresholds.variants, variant: own}
    return replace(options, thresholds=replace(thresholds, variants=variants))


def _metrics(
    table: object, where: str, inherited: Mapping[Metric, Threshold]
) -> dict[Metric, Threshold]:
    found = dict(inherited)
    for name, raw in _table(table, where).items():
        metric, own = _metric(name, where), _table(raw, f"{where}.{name}")
        _refuse_unknown(own, ("relative", "floor"), f"{where}.{name}")
        threshold = found.get(metric, KINDS[metric].default)
        if "relative" in own:
            relative = share(Given(own["relative"], f"{where}.{name}.relative"))
            threshold = replace(threshold, relative=relative)
        if "floor" in own:
            threshold = _floored(threshold, Given(own["floor"], f"{where}.{name}.floor"), metric)
        found[metric] = threshold
    return found


def _metric(name: str, where: str) -> Metric:
    try:
        return Metric(name.strip())
    except ValueError as error:
        known = [str(metric) for metric in Metric]
        raise ConfigError(
            f"{where}: there is no metric {name!r}.{suggestion(name, known)} Known: "
            f"{', '.join(known)}."
        ) from error


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a table, found {value!r}.")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(
                f"{where}: unknown key {key!r}.{suggestion(key, known)} Known: {', '.join(known)}."
            )
