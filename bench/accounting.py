"""What only a trial's whole process knows: its start, its CPU time, the machine's other load."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TypeVar

import psutil

from bench.backends import PACKAGES, Backend
from bench.requests import SPAWNED_VARIABLE
from bench.schema import TrialRecord

NS_PER_S = 1_000_000_000
T = TypeVar("T")
VERSIONED_PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "pillow")


class Account:
    """The process' account: opened as early as may be, closed with the record of its training."""

    def __init__(self) -> None:
        self._busy_ns = _busy_ns()
        self._own_ns = _own_ns()
        self._spawned_ns = _spawned_ns()
        self._start_ns = 0
        self._started_at = ""

    def started(self) -> None:
        """The process is ready to train: its start is over."""
        self._start_ns = time.perf_counter_ns() - self._spawned_ns
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")

    def close(self, record: TrialRecord) -> TrialRecord:
        """The record with what the account knows: start, CPU time, other load since it opened."""
        cpu_ns = _own_ns()  # counted since the process began
        return replace(
            record,
            started_at=self._started_at,
            start_ns=self._start_ns,
            wall_ns=time.perf_counter_ns() - self._spawned_ns,
            cpu_ns=cpu_ns,
            other_cpu_ns=max(0, _busy_ns() - self._busy_ns - (cpu_ns - self._own_ns)),
        )


def accounted(prepare: Callable[[], None], train: Callable[[], TrialRecord]) -> TrialRecord:
    """What `train` measured, with what only the whole process knows: start, CPU, other load.

    `prepare` makes the process ready (imports, seeds); the start is over when it returns.
    """
    account = Account()
    prepare()
    account.started()
    return account.close(train())


def peak_rss_bytes() -> int:
    """The most memory that this process has held so far, and what its workers hold now.

    Of a worker process only what it shares with no other counts: what was forked is there once.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return own + sum(_of_workers(lambda worker: int(worker.memory_full_info().uss)))


def versions(backend: Backend = Backend.TENSORFLOW, extra: str = "") -> dict[str, str]:
    """The installed version of each package that a training's speed depends on.

    Args:
        extra: that its loader comes with, if any.
    """
    packages = (*VERSIONED_PACKAGES, *PACKAGES[backend], *([extra] if extra else []))
    return {package: version(package) for package in packages}


def _own_ns() -> int:
    """CPU time that this process and its workers, ended ones included, have used."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    workers_s = ended.ru_utime + ended.ru_stime
    workers_s += sum(_of_workers(lambda worker: float(sum(worker.cpu_times()[:4]))))
    return time.process_time_ns() + int(workers_s * NS_PER_S)


def _of_workers(read: Callable[[psutil.Process], T]) -> Iterator[T]:
    """What is read of each process that this one has started, directly or not, and that lives."""
    for worker in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            yield read(worker)


def _spawned_ns() -> int:
    """When this process was started, on the clock of `perf_counter_ns`."""
    told = os.environ.get(SPAWNED_VARIABLE)
    if told:
        return int(told)
    age_s = time.time() - psutil.Process().create_time()
    return time.perf_counter_ns() - int(age_s * NS_PER_S)


def _busy_ns() -> int:
    """CPU time that all processes of the machine have used since it started."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted in user
    return int((sum(times) - idle - guest) * NS_PER_S)
