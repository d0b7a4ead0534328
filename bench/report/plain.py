"""Computed values as plain ones, for JSON."""

from __future__ import annotations

from typing import Any

from bench.stats import Interval


def interval(value: Interval | None) -> dict[str, Any] | None:
    """Median, low and high; the ends null where there is no interval, with the reason."""
    if value is None:
        return None
    ends = {"median": value.median, "low": value.low, "high": value.high, "blocks": value.blocks}
    return ends | ({"why_no_interval": value.why} if value.why else {})
