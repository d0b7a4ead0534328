"""pytest-benchmark's JSON, read: the raw rounds of each benchmark, and of which machine they are.

The format is described at https://pytest-benchmark.readthedocs.io/en/latest/ (`--benchmark-json`):
`stats.data` has the seconds of each round, divided by its iterations, in the order of measuring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.environment import Difference
from bench.errors import ConfigError, RecordError
from bench.gate.schema import Side

_KERNEL = "release"
# Clock rates are of the moment they were read, and cpuinfo's version is of the reader. A kernel is
# patched too often to be another machine; that it differs becomes a note.
_PASSING = (
    _KERNEL,
    "cpu.hz_actual",
    "cpu.hz_actual_friendly",
    "cpu.hz_advertised",
    "cpu.hz_advertised_friendly",
    "cpu.cpuinfo_version",
    "cpu.cpuinfo_version_string",
)
# What makes rounds of one name different work, where both files say it: how pytest-benchmark timed
# them, and what `tests/benchmarks` says that it worked on.
_OPTIONS = ("timer", "disable_gc", "warmup")
_WORK = ("images", "image_bytes")
_NO_COMMIT = ("unversioned", "unknown")


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: its rounds in time order, seconds each."""

    name: str
    rounds_s: tuple[float, ...]
    conditions: Mapping[str, str] = field(default_factory=dict)

    def differences(self, other: Benchmark) -> tuple[Difference, ...]:
        """What both say about their work, and say differently."""
        return tuple(
            Difference(key, ours, other.conditions[key])
            for key, ours in self.conditions.items()
            if key in other.conditions and other.conditions[key] != ours
        )


@dataclass(frozen=True)
class BenchmarkFile:
    """One file of pytest-benchmark: its benchmarks by name; `at` is when it was written."""

    path: Path
    machine: Mapping[str, Any]
    commit: str
    dirty: bool
    at: datetime | None
    benchmarks: Mapping[str, Benchmark]

    @property
    def side(self) -> Side:
        """The file as a side of a comparison."""
        return Side(name=str(self.path), commit=self.commit, dirty=self.dirty)

    @property
    def kernel(self) -> str:
        """The release of the kernel; empty if the file does not say."""
        return str(self.machine.get(_KERNEL, ""))


@dataclass(frozen=True)
class _Stats:
    data: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Entry:
    fullname: str
    stats: _Stats
    options: dict[str, Any] = field(default_factory=dict)
    extra_info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Commit:
    id: str = ""
    dirty: bool = False


@dataclass(frozen=True)
class _Raw:
    machine_info: dict[str, Any]
    benchmarks: tuple[_Entry, ...]
    commit_info: _Commit = _Commit()
    datetime: str = ""


def read(path: Path) -> BenchmarkFile:
    """The benchmarks in a file of pytest-benchmark.

    Raises:
        RecordError: it cannot be read, is not such a file, or lacks the raw rounds.
    """
    try:
        raw = msgspec.json.decode(path.read_bytes(), type=_Raw)
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(
            f"{path} is not a whole JSON file of pytest-benchmark ({error}): write one with "
            "pytest --benchmark-json=FILE."
        ) from error
    return BenchmarkFile(
        path=path,
        machine=_flat(raw.machine_info),
        commit="" if raw.commit_info.id in _NO_COMMIT else raw.commit_info.id,
        dirty=raw.commit_info.dirty,
        at=_instant(raw.datetime),
        benchmarks=_by_name(raw.benchmarks, path),
    )


def refuse_other_machine(old: BenchmarkFile, new: BenchmarkFile) -> None:
    """Times of two machines say nothing about a commit.

    Raises:
        ConfigError: the files' machine_info differs; names the keys.
    """
    keys = [k for k in dict.fromkeys((*old.machine, *new.machine)) if k not in _PASSING]
    if not keys:
        raise ConfigError(
            f"{old.path} and {new.path} do not say which machine they are of: expected a "
            "machine_info in each."
        )
    found = [
        f"{key} ({_apart(old.machine.get(key), new.machine.get(key))})"
        for key in keys
        if old.machine.get(key) != new.machine.get(key)
    ]
    if found:
        raise ConfigError(
            f"{old.path} and {new.path} are of different machines, whose times do not compare: "
            f"machine_info differs in {'; '.join(found)}. Measure both on one machine, best in one "
            "job. (Containers of one machine need one name: docker run --hostname.)"
        )


def _by_name(entries: tuple[_Entry, ...], path: Path) -> dict[str, Benchmark]:
    found: dict[str, Benchmark] = {}
    for entry in entries:
        if entry.fullname in found:
            raise RecordError(f"{path} has {entry.fullname} twice: expected each benchmark once.")
        found[entry.fullname] = _benchmark(entry, path)
    return found


def _benchmark(entry: _Entry, path: Path) -> Benchmark:
    rounds = entry.stats.data
    if not rounds:
        raise RecordError(
            f"{path} has no raw rounds (stats.data) of {entry.fullname}: save them with "
            "--benchmark-json=FILE, or with --benchmark-save-data beside --benchmark-save."
        )
    if min(rounds) <= 0:
        raise RecordError(
            f"{path} has a round of {min(rounds):g} s of {entry.fullname}: expected each to be "
            "above 0. Its clock is too coarse, or jumped; raise --benchmark-min-time."
        )
    said = ((entry.options, _OPTIONS), (entry.extra_info, _WORK))
    conditions = {key: str(of[key]) for of, keys in said for key in keys if key in of}
    return Benchmark(entry.fullname, rounds, conditions)


def _flat(info: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys as `cpu.count`; lists as sets, since their order means nothing here."""
    flat: dict[str, Any] = {}
    for key, value in info.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = frozenset(map(str, value)) if isinstance(value, list) else value
    return flat


def _apart(old: Any, new: Any) -> str:
    if isinstance(old, frozenset) and isinstance(new, frozenset):
        return f"only one has {', '.join(sorted(old ^ new))}"
    return f"{_plain(old)} against {_plain(new)}"


def _plain(value: Any) -> str:
    if value is None:
        return "nothing"
    return ", ".join(sorted(value)) if isinstance(value, frozenset) else repr(value)


def _instant(text: str) -> datetime | None:
    """When a file was written; None where it does not say, or not in full."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
