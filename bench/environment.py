"""What machine this is, which versions are installed, and how noisy it is right now.

Nothing here imports TensorFlow: versions come from package metadata, GPUs from `nvidia-smi`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.backends import PACKAGES as BACKEND_PACKAGES
from bench.backends import Backend
from bench.schema import Environment

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "pillow", "opencv-python-headless", "msgspec")
NOISE_REPEATS = 40
_WORK = b"leafbench" * 1_000_000
_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
_CPU_INFO = Path("/proc/cpuinfo")
_MEMORY_MAX = Path("/sys/fs/cgroup/memory.max")
HARDWARE = frozenset({"cpu_model", "cores", "memory", "gpus"})  # the keys that are the machine
_MUST_MATCH = ("cpu_model", "cores", "backend", "python")


@dataclass(frozen=True)
class Difference:
    """A key in which two environments differ."""

    key: str
    ours: str
    theirs: str


def read(backend: Backend = Backend.TENSORFLOW) -> Environment:
    """This machine as it is now; takes a fifth of a second to measure its noise.

    Args:
        backend: that Keras trains on; its packages are among the versions.
    """
    return Environment(
        platform=platform.platform(),
        cpu_model=cpu_model(),
        cores=cores(),
        memory_bytes=memory_bytes(),
        gpus=gpus(),
        backend=str(backend),
        python=platform.python_version(),
        versions=versions(backend),
        noise=noise(),
        load_1min=os.getloadavg()[0],
        clock_resolution_ns=max(1, round(time.get_clock_info("perf_counter").resolution * 1e9)),
    )


def must_match(ours: Environment, theirs: Environment) -> tuple[Difference, ...]:
    """The keys that must match for times to be compared, and do not.

    They are processor, cores, memory (in whole GiB), GPUs, backend, Python and package versions.
    Noise and load are of the moment, and a kernel is patched too often to be one of them.
    """
    first, second = _comparable(ours), _comparable(theirs)
    return tuple(
        Difference(key, first.get(key, "none"), second.get(key, "none"))
        for key in dict.fromkeys((*first, *second))
        if first.get(key) != second.get(key)
    )


def noise(timer: Callable[[], int] = time.perf_counter_ns, repeats: int = NOISE_REPEATS) -> float:
    """Relative spread (interquartile range over median) of a fixed piece of work, repeated."""
    times = []
    for _ in range(repeats):
        begin = timer()
        hashlib.sha256(_WORK).digest()
        times.append(timer() - begin)
    return spread(times)


def spread(times: Sequence[int]) -> float:
    """Interquartile range over median; 0 if the median is 0."""
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return (high - low) / median if median else 0.0


def leafbench_version() -> str:
    """The version of this package."""
    return _version("leafbench") or "0+not-installed"


def versions(backend: Backend = Backend.TENSORFLOW) -> dict[str, str]:
    """The packages that decide what is measured, those of them that are installed."""
    found = {name: _version(name) for name in (*PACKAGES, *BACKEND_PACKAGES[backend])}
    return {name: number for name, number in found.items() if number is not None}


def cores(cpu_max: Path = _CPU_MAX) -> int:
    """The cores that this process may use: its affinity, or its container's quota if lower."""
    allowed = len(os.sched_getaffinity(0))
    quota, _, period = _read_line(cpu_max).partition(" ")
    if quota.isdecimal() and period.isdecimal():
        return max(1, min(allowed, int(quota) // int(period)))
    return allowed


def memory_bytes(memory_max: Path = _MEMORY_MAX) -> int:
    """The memory of the machine, or of the container if that has less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read_line(memory_max)
    return min(physical, int(limit)) if limit.isdecimal() else physical


def cpu_model(cpu_info: Path = _CPU_INFO) -> str:
    """The name of the processor, as its maker writes it."""
    for line in _read_text(cpu_info).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def gpus(run: Callable[[], str] | None = None) -> tuple[str, ...]:
    """The GPUs that NVIDIA's driver lists; none without a driver."""
    return tuple(line.strip() for line in (run or _nvidia_smi)().splitlines() if line.strip())


def _nvidia_smi() -> str:
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _comparable(environment: Environment) -> dict[str, str]:
    values = {key: getattr(environment, key) for key in _MUST_MATCH}
    values["memory"] = f"{round(environment.memory_bytes / 2**30)} GiB"
    values["gpus"] = ", ".join(environment.gpus) or "none"
    return {key: str(value) for key, value in values.items()} | dict(environment.versions)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _read_line(path: Path) -> str:
    return _read_text(path).strip()


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
