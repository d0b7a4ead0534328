"""Numbers and names as text, with units. Rounding happens here and nowhere before."""

from __future__ import annotations

from collections.abc import Sequence

from bench.stats import Interval

NOTHING = "–"


def seconds(value: float | None) -> str:
    """Three digits or so: `12.3 s`, `0.45 s`, `32 ms`."""
    if value is None:
        return NOTHING
    if abs(value) >= 100:
        return f"{value:,.0f} s"
    if abs(value) >= 10:
        return f"{value:.1f} s"
    if abs(value) >= 0.1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.1f} ms" if abs(value) < 0.01 else f"{value * 1e3:.0f} ms"


def seconds_interval(interval: Interval | None) -> str:
    """`8.66 s (8.31 to 9.02)`, or why there is no interval."""
    if interval is None:
        return NOTHING
    if interval.low is None or interval.high is None:
        return f"{seconds(interval.median)} (no interval)"
    return f"{seconds(interval.median)} ({seconds(interval.low)} to {seconds(interval.high)})"


def times(value: float | None) -> str:
    """`1.15x`."""
    return NOTHING if value is None else f"{_digits(value)}x"


def times_interval(interval: Interval | None) -> str:
    """`1.15x (1.10 to 1.21)`, or why there is no interval."""
    if interval is None:
        return NOTHING
    if interval.low is None or interval.high is None:
        return f"{times(interval.median)} (no interval)"
    return f"{times(interval.median)} ({span(interval)})"


def span(interval: Interval) -> str:
    """`1.10 to 1.21`; one more digit where two would show both ends alike."""
    if interval.low is None or interval.high is None:
        return f"no interval: {interval.why}"
    low, high = _digits(interval.low), _digits(interval.high)
    if low == high:
        return f"{interval.low:.4f} to {interval.high:.4f}"
    return f"{low} to {high}"


def percent(share: float | None) -> str:
    """`71%`; one digit below 1 %."""
    if share is None:
        return NOTHING
    return f"{share:.1%}" if 0 < abs(share) < 0.01 else f"{share:.0%}"


def accuracy(share: float | None) -> str:
    """`59.8%`."""
    return NOTHING if share is None else f"{share:.1%}"


def size(count: float | None) -> str:
    """Bytes as `1.40 GiB` or `820 MiB`."""
    if count is None:
        return NOTHING
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def rate(value: float | None) -> str:
    """`73.6`, `1,204`."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def rate_interval(images: int, epoch: Interval | None) -> str:
    """`1,204 (1,150 to 1,260)`: the images/s of an epoch of so many images."""
    if epoch is None:
        return NOTHING
    if epoch.low is None or epoch.high is None:
        return f"{rate(images / epoch.median)} (no interval)"
    middle, low, high = (rate(images / end) for end in (epoch.median, epoch.high, epoch.low))
    return f"{middle} ({low} to {high})"


def target(value: float) -> str:
    """A claim's target: `7`, `1.5`."""
    return f"{value:g}"


def plural(count: int, noun: str) -> str:
    """`1 block`, `3 blocks`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def joined(words: Sequence[str], last: str = "and") -> str:
    """`a, b and c`; nothing for no words."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def cell(text: str) -> str:
    """Text that cannot break a Markdown table."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", "").replace("\n", " ")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    lines = [
        "| " + " | ".join(map(cell, header)) + " |",
        "|:--" + "|--:" * (len(header) - 1) + "|",
        *("| " + " | ".join(map(cell, row)) + " |" for row in rows),
    ]
    return "\n".join(lines)


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of words: everything to the left."""
    return table(header, rows).replace("--:", ":--")


def _digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
