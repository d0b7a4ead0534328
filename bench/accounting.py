"""What only a trial's whole process knows: its start, its CPU time, the machine's other load."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import psutil

from bench.requests import SPAWNED_VARIABLE
from bench.schema import TrialRecord

NS_PER_S = 1_000_000_000


def accounted(prepare: Callable[[], None], train: Callable[[], TrialRecord]) -> TrialRecord:
    """What `train` measured, with what only the whole process knows: start, CPU, other load.

    `prepare` makes the process ready (imports, seeds); the start is over when it returns.
    """
    busy_ns = _busy_ns()
    prepare()
    started_ns = int(os.environ.get(SPAWNED_VARIABLE, time.perf_counter_ns()))
    start_ns = time.perf_counter_ns() - started_ns
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    record = train()
    cpu_ns = time.process_time_ns()  # counted since the process began
    return replace(
        record,
        started_at=started_at,
        start_ns=start_ns,
        wall_ns=time.perf_counter_ns() - started_ns,
        cpu_ns=cpu_ns,
        other_cpu_ns=max(0, _busy_ns() - busy_ns - cpu_ns),
    )


def _busy_ns() -> int:
    """CPU time that all processes of the machine have used since it started."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted in user
    return int((sum(times) - idle - guest) * NS_PER_S)
