"""The history of a repository: a line a verdict, in a file that only ever grows.

The file is JSON Lines, so that it can live in a branch: adding is appending, and git merges two
additions if told to keep both (`history.jsonl merge=union` in `.gitattributes`). Lines keep the
order in which they were added; what follows from the references is for `bench.gate.levels`.

A line is whole or absent. Whoever writes holds the kernel's lock on the file, appends in one go and
takes back what a full disk cut off. A line that cannot be read (a merge conflict, a process killed
while it wrote) is named by its number and stays as it is: no line is ever changed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.codec import decode
from bench.errors import ConfigError, RecordError
from bench.gate.metrics import Unit
from bench.gate.schema import Change, Estimate, Side, Source, Verdict, VerdictRecord
from bench.schema import Environment, require
from bench.store import storing

HISTORY_VERSION = 1
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """What a verdict found of one metric of one subject.

    Attributes:
        verdict: of this metric alone.
        change: relative, above 0 is worse; None where nothing could be compared.
        before, after: levels of reference and head in `unit`, on the machine of the entry.
    """

    subject: str
    metric: str
    unit: Unit
    verdict: Verdict
    change: Estimate | None
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Entry:
    """A line of a history: a commit, held against another one.

    Attributes:
        measured_at: when the verdict was made; UTC, ISO 8601.
        verdict: the whole one.
        machine: it was measured on, in words; empty where that is not known.
    """

    schema_version: int
    measured_at: str
    source: Source
    verdict: Verdict
    head: Side
    against: Side
    machine: str
    outcomes: tuple[Outcome, ...]

    def __post_init__(self) -> None:
        require(bool(self.head.commit and self.against.commit), "both sides are commits")
        require(self.head.commit != self.against.commit, "the sides are two commits")
        require(not (self.head.dirty or self.against.dirty), "no side has uncommitted changes")


@dataclass(frozen=True)
class History:
    """What a file holds: its entries in the order of its lines, and a sentence a broken line."""

    entries: tuple[Entry, ...]
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Added:
    """What adding did. `known`: entries that were in the file already, and were left out."""

    entries: tuple[Entry, ...]
    known: tuple[Entry, ...]
    broken: tuple[str, ...]


def add(verdicts: Sequence[Path], to: Path) -> Added:
    """Append verdict files to a history, which is made if there is none: all of them or none.

    A verdict is known by its line: added again, it is left out.

    Raises:
        RecordError: a verdict cannot be read; or it, or a line of the history, is of a newer
            leafbench.
        ConfigError: a verdict is not about two commits.
        StoreError: the history cannot be written.
    """
    given = dict.fromkeys(entry(_read_verdict(path), str(path)) for path in verdicts)
    with storing(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        with _locked(to, os.O_RDWR | os.O_APPEND | os.O_CREAT, fcntl.LOCK_EX) as descriptor:
            data = _content(descriptor)
            history = parse(data, str(to))
            known = set(history.entries)
            new = tuple(item for item in given if item not in known)
            gap = b"\n" if data and not data.endswith(b"\n") else b""
            if new:
                _append(descriptor, len(data), gap + b"".join(map(line, new)))
    return Added(new, tuple(item for item in given if item in known), history.broken)


def read(path: Path) -> History:
    """A history from its file.

    Raises:
        RecordError: there is no such file, or a line is of a newer leafbench.
    """
    try:
        with _locked(path, os.O_RDONLY, fcntl.LOCK_SH) as descriptor:
            data = _content(descriptor)
    except OSError as error:
        raise RecordError(
            f"{path} cannot be read: {error.strerror}. A history begins with "
            f"`leafbench history add VERDICT --to {path}`."
        ) from error
    return parse(data, str(path))


def parse(data: bytes, where: str) -> History:
    """A history from the content of its file, called `where` in messages.

    Raises:
        RecordError: a line is of a newer leafbench.
    """
    entries: list[Entry] = []
    broken: list[str] = []
    for number, text in enumerate(data.split(b"\n"), 1):
        place = f"{where}, line {number}"
        _refuse_newer(text, place)
        try:
            if text.strip():
                entries.append(msgspec.json.decode(text, type=Entry))
        except msgspec.DecodeError as error:
            broken.append(f"{place} is not a line of a history and is passed over: {error}.")
    return History(tuple(entries), tuple(broken))


def line(item: Entry) -> bytes:
    """An entry as a line of the file."""
    return msgspec.json.encode(item) + b"\n"


def entry(record: VerdictRecord, where: str) -> Entry:
    """A verdict as an entry; `where` is what messages call it.

    Raises:
        ConfigError: it is not about two commits.
    """
    _require_commits(record, where)
    return Entry(
        schema_version=HISTORY_VERSION,
        measured_at=record.created_at,
        source=record.source,
        verdict=record.verdict,
        head=record.head,
        against=record.reference,
        machine=machine(record.environment),
        outcomes=tuple(map(_outcome, record.changes)),
    )


def machine(environment: Environment | None) -> str:
    """A machine in words: `Intel Xeon, 2 cores, 8 GiB`; empty if it is not known."""
    if environment is None:
        return ""
    cores = f"{environment.cores} core{'' if environment.cores == 1 else 's'}"
    memory = f"{round(environment.memory_bytes / 2**30)} GiB"
    return ", ".join((environment.cpu_model, cores, memory, *environment.gpus))


def _outcome(change: Change) -> Outcome:
    return Outcome(
        subject=change.subject,
        metric=change.metric,
        unit=change.unit,
        verdict=change.verdict,
        change=change.change,
        before=change.before,
        after=change.after,
    )


def _require_commits(record: VerdictRecord, where: str) -> None:
    for side in (record.reference, record.head):
        if not side.commit:
            raise ConfigError(
                f"{where} cannot be added: {side.name} stands for no commit in it, and a history "
                "is over commits. Add verdicts of `leafbench check --against REF`."
            )
        if side.dirty:
            raise ConfigError(
                f"{where} cannot be added: {side.name} had changes that are in no commit. Commit "
                "them, check again, and add that verdict."
            )
    if record.reference.commit == record.head.commit:
        raise ConfigError(
            f"{where} cannot be added: it holds commit {record.head.commit[:7]} against itself. "
            "Check it against an earlier commit: `leafbench check --against HEAD~1`."
        )


def _read_verdict(path: Path) -> VerdictRecord:
    try:
        return decode(path.read_bytes(), VerdictRecord, str(path))
    except OSError as error:
        raise RecordError(
            f"{path} cannot be read: {error.strerror}. Give verdict files, as `leafbench check "
            "--json FILE` writes them."
        ) from error


@dataclass(frozen=True)
class _Versioned:
    schema_version: int


def _refuse_newer(text: bytes, place: str) -> None:
    try:
        version = msgspec.json.decode(text, type=_Versioned).schema_version
    except msgspec.DecodeError:
        return
    if version > HISTORY_VERSION:
        raise RecordError(
            f"{place} has schema {version}, this leafbench reads up to {HISTORY_VERSION}: install "
            "the leafbench that wrote it, or a newer one."
        )


@contextmanager
def _locked(path: Path, flags: int, lock: int) -> Iterator[int]:
    """The open file, locked: jobs that add at the same time wait for each other."""
    descriptor = os.open(path, flags, 0o666)
    try:
        fcntl.flock(descriptor, lock)
        yield descriptor
    finally:
        os.close(descriptor)


def _content(descriptor: int) -> bytes:
    return b"".join(iter(lambda: os.read(descriptor, _CHUNK_BYTES), b""))


def _append(descriptor: int, size: int, data: bytes) -> None:
    """Write at the end, or leave the file at the `size` it had."""
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise
