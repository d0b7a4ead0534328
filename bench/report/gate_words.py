"""The sentences of a verdict, for people: what happened first. Rounding happens here."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bench.gate.metrics import KINDS, Metric, Unit
from bench.gate.schema import Change, Estimate, Verdict, VerdictRecord
from bench.report import formats
from bench.report.formats import NOTHING

# A message may end in pages of somebody's log; the record has all of it.
MOST_CHARACTERS = 600

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
# Above 0 is worse in every change; what worse is called, and better.
_WAYS: Mapping[str, tuple[str, str]] = {
    Metric.STEP: ("slower", "faster"),
    Metric.EPOCH: ("slower", "faster"),
    Metric.FIRST_EPOCH: ("slower", "faster"),
    "round": ("slower", "faster"),
    Metric.WAIT: ("of an epoch longer", "of an epoch shorter"),
    Metric.GAP: ("of an epoch longer", "of an epoch shorter"),
    Metric.MEMORY: ("more", "less"),
    Metric.ACCURACY: ("points lower", "points higher"),
    "input_wait_share": ("points more", "points less"),
}


def plain(text: str, most: int = MOST_CHARACTERS) -> str:
    """Somebody's text on one line, without control characters, cut where it gets long."""
    line = " ".join(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).split())
    return line if len(line) <= most else line[:most].rstrip() + " ..."


def title(change: Change) -> str:
    """A metric's name: `steady epoch`."""
    known = {str(metric): kind.title for metric, kind in KINDS.items()}
    return known.get(change.metric, plain(change.metric.replace("_", " ")))


def name(change: Change) -> str:
    """What was compared: `in_model, cnn: steady epoch`."""
    return f"{plain(change.subject, 200)}: {title(change)}"


def percent(share: float | None) -> str:
    """`9.8 %`, `5 %`, `0.04 %`, `1,250 %`."""
    return NOTHING if share is None else f"{_number(share)} %"


def signed(estimate: Estimate | None, unit: str = " %") -> str:
    """`+9.8 % (+8.1 to +11.5)`, or that there is no interval."""
    if estimate is None:
        return NOTHING
    value = f"{_number(estimate.value, '+')}{unit}"
    if estimate.low is None or estimate.high is None:
        return f"{value} (no interval)"
    return f"{value} ({_number(estimate.low, '+')} to {_number(estimate.high, '+')})"


def level(value: float | None, unit: Unit) -> str:
    """A level with three digits, so that a change of a percent shows: `512 ms`, `1.20 GiB`."""
    if value is None:
        return NOTHING
    if unit is Unit.BYTES:
        return formats.size(value)
    if unit is Unit.SHARE:
        return f"{value:.1%}".replace("%", " %")
    if unit is Unit.TIMES:
        return formats.times(value)
    scale, symbol = next((s for s in _SCALES if abs(value) >= s[0]), _SCALES[-1])
    return f"{_digits(value / scale)} {symbol}"


def signed_change(change: Change, estimate: Estimate | None) -> str:
    """An estimate of this change: `+9.8 % (+8.1 to +11.5)`, `+0.6 points (-1.1 to +2.3)`."""
    return signed(estimate, " points" if _in_points(change) else " %")


def size(change: Change, relative: float | None) -> str:
    """A size of this change: `5 %`, `10 points`."""
    if relative is None:
        return NOTHING
    return f"{_number(relative)} points" if _in_points(change) else percent(relative)


def duration(seconds: float | None) -> str:
    """`42 s`, `6 min 12 s`, `1 h 05 min`."""
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def described(change: Change) -> str:
    """`in_model, cnn: steady epoch 9.8 % slower (95 %: 8.1 to 11.5 %), threshold 5 %`."""
    found = change.change
    if found is None:
        return f"{name(change)}: {plain(change.why)}"
    worse, better = _WAYS.get(change.metric, ("worse", "better"))
    way = worse if found.value >= 0 else better
    unit = "" if _in_points(change) else " %"
    return (
        f"{name(change)} {_number(abs(found.value))}{unit} {way} ({_interval(found, unit)}), "
        f"threshold {size(change, change.threshold)}"
    )


def headline(record: VerdictRecord) -> str:
    """The verdict and what happened, on one line."""
    found = of_verdict(record, record.verdict)
    if record.verdict is Verdict.PASS:
        return f"pass: {_none_of(len(record.changes))} worse by its threshold or more"
    if not found:
        return f"{record.verdict}: {plain(record.reasons[0])}"
    more = len(found) - 1
    others = f"; and {more} more" if more else ""
    return f"{record.verdict}: {described(found[0])}{others}"


def of_verdict(record: VerdictRecord, verdict: Verdict) -> tuple[Change, ...]:
    """The changes with this verdict."""
    return tuple(change for change in record.changes if change.verdict is verdict)


def self_test(record: VerdictRecord) -> str:
    """Whether the gate proved that it can fail, in one sentence; two where it did not."""
    test = record.self_test
    if test is None:
        return "no slowdown was planted, so it was not proved here that the check can fail"
    planted = f"a slowdown of {percent(test.planted)} was planted"
    measured = f"measured {signed(test.change)}" if test.change else "nothing was measured of it"
    if test.seen:
        return f"{planted}, and seen: {measured}"
    return (
        f"{planted}, and NOT seen: {measured}; {plain(test.why)}. A check that cannot fail does "
        "not pass"
    )


def effort(record: VerdictRecord) -> str:
    """What was spent: `8 blocks in 6 min 12 s of a budget of 15 min`."""
    blocks = formats.plural(record.blocks, "block")
    if record.spent_s is None:
        return f"{blocks}, measured earlier: nothing was measured for this verdict"
    spent = f"{blocks} in {duration(record.spent_s)}"
    return (
        spent if record.budget_s is None else f"{spent} of a budget of {duration(record.budget_s)}"
    )


def to_settle(change: Change) -> str:
    """What an undecided change could have shown, and what would settle it."""
    seen = "too few blocks to say what they could have shown"
    if change.smallest is not None:
        seen = f"the smallest change that could have been seen is {size(change, change.smallest)}"
    if change.settle_s is None:
        return f"{name(change)}: {seen}; no budget can be foreseen that would settle it"
    return f"{name(change)}: {seen}; a budget of about {duration(change.settle_s)} would settle it"


def missed(change: Change) -> str:
    """What a metric that passes could hide: `steady epoch 2.4 %`."""
    if change.sure_high is None:
        return f"{title(change)} anything"
    if change.sure_high <= 0:
        return f"{title(change)} nothing"
    return f"{title(change)} {size(change, change.sure_high)}"


def _none_of(count: int) -> str:
    return "the one comparison is not" if count == 1 else f"none of {count} comparisons is"


def _in_points(change: Change) -> bool:
    return change.metric in _WAYS and "points" in _WAYS[change.metric][0]


def _interval(found: Estimate, unit: str) -> str:
    if found.low is None or found.high is None:
        return "no interval"
    sign = "+" if found.low < 0 else ""
    return f"95 %: {_number(found.low, sign)} to {_number(found.high, sign)}{unit}"


def _number(share: float, sign: str = "") -> str:
    """A share in percent: a digit after the point, two where one would show nothing."""
    value = 100 * share
    if abs(value) >= 1000:
        return f"{value:{sign},.0f}"
    text = f"{value:{sign}.2f}" if 0 < abs(value) < 0.05 else f"{value:{sign}.1f}"
    return text if sign else text.removesuffix(".0")


def _digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
