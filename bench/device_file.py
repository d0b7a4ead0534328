"""Device profiles as TOML files: the numbers of a device, each with its source.

summary = "..."             # one sentence
ahead = 2                   # batches handed over and not done while the next one is made
[[steps]]                   # one or more; the first that fits counts
phase = "cnn"               # any phase, precision, image_size where left out
precision = "float32"
image_size = 256
[steps.image_s]             # seconds an image; step_s: seconds a step; one or both
low = 0.0006                # or: value = 0.0008
high = 0.0016
source = "..."
[transfer.bytes_per_s]      # host to device; or step_s
[augmentation.stock.image_s]  # what augmentation in the model adds, by its form
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import values
from bench.device_schema import FREE, Cost, DeviceProfile, End, Range, StepCost, Transfer
from bench.errors import ConfigError
from bench.toml_files import read_toml, refuse_unknown
from bench.values import Given, refused
from leafmodel.pipelines.spec import AugmentForm

PRECISIONS = ("float32", "mixed_bfloat16")
MOST_AHEAD = 1000
# Nobody waits an hour for a step; nothing trains on a billion images a second.
LONGEST_S = 3600.0
SHORTEST_S = 1e-9
# From a serial line to a thousand times what PCIe 6.0 carries.
SLOWEST_BYTES_PER_S, FASTEST_BYTES_PER_S = 1e4, 1e14


def read_profile(name: str, end: End, path: Path) -> DeviceProfile:
    """The profile in a file, to be called `name`, of which an end of its ranges counts.

    Raises:
        ConfigError: the file cannot be read, or a number is missing, negative or absurd; where.
    """
    table = _Table(read_toml(path, "device profile"), str(path))
    table.only("summary", "ahead", "steps", "transfer", "augmentation")
    transfer = table.inner("transfer").only("step_s", "bytes_per_s")
    forms = table.inner("augmentation", {}).only(*AugmentForm)
    return DeviceProfile(
        name=name,
        summary=values.text(table.need("summary")),
        end=end,
        ahead=ahead(table.need("ahead")),
        steps=tuple(_step_cost(item) for item in table.each("steps")),
        transfer=Transfer(transfer.range("step_s"), _seconds_a_byte(transfer)),
        augmentation={form: _cost(forms.inner(form)) for form in AugmentForm if form in forms.raw},
    )


def _step_cost(table: _Table) -> StepCost:
    table.only("phase", "precision", "image_size", "step_s", "image_s")
    cost = _cost(table)
    require_some_time(cost, table.where)
    return StepCost(
        phase=table.optional("phase", lambda given: values.phases(given)[0], ""),
        precision=table.optional("precision", _precision, ""),
        image_size=table.optional("image_size", values.count(1), 0),
        cost=cost,
    )


def _cost(table: _Table) -> Cost:
    if not {"step_s", "image_s"} & table.raw.keys():
        raise ConfigError(
            f"{table.where} has no time: give image_s (seconds for each image), step_s (seconds "
            "for each step whatever its batch), or both."
        )
    return Cost(table.range("step_s"), table.range("image_s"))


def ahead(given: Given) -> int:
    """How many batches run ahead."""
    return values.count(0, MOST_AHEAD)(given)


def require_some_time(cost: Cost, where: str) -> None:
    """Refuse a device that trains in no time at all."""
    if max(cost.step_s.low, cost.image_s.low) < SHORTEST_S:
        raise ConfigError(
            f"{where}: a step that takes no time is no device's; expected at least "
            f"{SHORTEST_S:g} s a step or an image."
        )


def _precision(given: Given) -> str:
    if given.value not in PRECISIONS:
        raise refused(given, f"one of {', '.join(PRECISIONS)}")
    return str(given.value)


def rate(given: Given) -> float:
    """Bytes a second."""
    return _number(given, SLOWEST_BYTES_PER_S, FASTEST_BYTES_PER_S, "bytes a second")


def _seconds_a_byte(table: _Table) -> Range:
    """A rate of bytes a second, as the time of one byte."""
    if not {"step_s", "bytes_per_s"} & table.raw.keys():
        raise ConfigError(
            f"{table.where} says nothing: give bytes_per_s (host to device), or step_s with value "
            "= 0 if the time of a step holds the transfer."
        )
    found = table.range("bytes_per_s", rate)
    return found if found is FREE else Range(1 / found.high, 1 / found.low, found.source)


def duration(given: Given) -> float:
    """Seconds."""
    return _number(given, 0.0, LONGEST_S, "seconds")


class _Table:
    """A table of a profile, and where it stands; the top one is its file."""

    def __init__(self, raw: Mapping[str, Any], where: str) -> None:
        self.raw = raw
        self.where = where

    def only(self, *keys: str) -> _Table:
        """This table, if it has no other keys."""
        refuse_unknown(self.raw, keys, self.where)
        return self

    def need(self, key: str) -> Given:
        """A value that must be there."""
        if key not in self.raw:
            raise ConfigError(f"{self.where} does not say {key}: add it.")
        return Given(self.raw[key], f"{self.where}: {key}")

    def optional(self, key: str, parse: Callable[[Given], Any], otherwise: Any) -> Any:
        """A value that may be left out."""
        return parse(self.need(key)) if key in self.raw else otherwise

    def inner(self, key: str, otherwise: Mapping[str, Any] | None = None) -> _Table:
        """A table in this one."""
        given = Given(otherwise, "") if key not in self.raw and otherwise == {} else self.need(key)
        if not isinstance(given.value, dict):
            raise refused(given, f"a table ([{key}])")
        return _Table(given.value, f"{self.where}, table [{key}]")

    def each(self, key: str) -> tuple[_Table, ...]:
        """The tables of a list that is not empty."""
        given = self.need(key)
        found = given.value
        if not isinstance(found, list) or not found or not all(isinstance(t, dict) for t in found):
            raise refused(given, f"one or more tables ([[{key}]])")
        return tuple(
            _Table(item, f"{self.where}, table [[{key}]] number {number}")
            for number, item in enumerate(found, 1)
        )

    def range(self, key: str, parse: Callable[[Given], float] = duration) -> Range:
        """A number with its source: `value`, or `low` and `high`; free where it is left out."""
        if key not in self.raw:
            return FREE
        table = self.inner(key).only("value", "low", "high", "source")
        ends = ("value", "value") if "value" in table.raw else ("low", "high")
        if "value" in table.raw and {"low", "high"} & table.raw.keys():
            raise ConfigError(f"{table.where}: give value, or low and high, not both.")
        low, high = (parse(table.need(end)) for end in ends)
        if low > high:
            raise ConfigError(
                f"{table.where}: low is {low:g}, above high, which is {high:g}: swap them."
            )
        return Range(low, high, values.text(table.need("source")))


def _number(given: Given, least: float, most: float, unit: str) -> float:
    """A finite number within bounds."""
    value = given.value
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not least <= value <= most
    ):
        raise refused(given, f"a number of {unit} from {least:g} to {most:g}")
    return float(value)
