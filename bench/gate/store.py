"""The folder of a check: every block a file of its own, on disk before the next one starts.

check.json    the head: configuration, thresholds, both sides, images, environment
blocks/       one record a block, with the raw epochs of its three processes
proofs/       what each side's variants were proved to be
logs/         what the processes printed
work/         scratch, removed at the end
verdict.*     what was decided
.gitignore    all of it: the next check must not find a working tree that this one has changed
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.codec import encode
from bench.errors import StoreError
from bench.gate.blocks import BlockRecord
from bench.gate.options import GateOptions
from bench.gate.schema import Side
from bench.hold import hold
from bench.plan import as_file_name
from bench.schema import DataSummary, Environment, RunConfig
from bench.store import read_record, storing, write_whole

HEAD_FILE = "check.json"
IGNORED = ".gitignore"


@dataclass(frozen=True)
class CheckRecord:
    """The head of a check: all that decides what it does. `config` and `data` are None for a
    command of the user's own."""

    schema_version: int
    created_at: str
    leafbench_version: str
    command: tuple[str, ...]
    reference: Side
    head: Side
    options: GateOptions
    environment: Environment
    config: RunConfig | None
    data: DataSummary | None


class CheckStore:
    """The folder of a check that this process holds. A context manager."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    @classmethod
    def create(cls, folder: Path) -> CheckStore:
        """Make the folder of a new check and hold it.

        Raises:
            StoreError: there is something in it already, or it cannot be made.
        """
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise StoreError(
                    f"{folder} is there already and not empty: give the check another --out."
                )
            store = cls(folder.resolve(), hold(folder))
            for path in (store.work, store.logs, store.blocks):
                path.mkdir()
            (store.folder / IGNORED).write_text("*\n", encoding="utf-8")
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        if not self._begun:
            shutil.rmtree(self.folder, ignore_errors=True)  # so that --out may be tried again
        os.close(self._lock)

    @property
    def _begun(self) -> bool:
        """Whether it has left anything; also right where somebody took the folder away."""
        left = (HEAD_FILE, "logs/*", "blocks/*")
        return any(any(self.folder.glob(pattern)) for pattern in left)

    @property
    def work(self) -> Path:
        """Scratch of the check."""
        return self.folder / "work"

    @property
    def logs(self) -> Path:
        """Where the output of processes goes."""
        return self.folder / "logs"

    @property
    def blocks(self) -> Path:
        """One record a block."""
        return self.folder / "blocks"

    def proofs(self, side: str) -> Path:
        """Where a side's worker writes its proofs."""
        path = self.folder / "proofs" / side
        with storing(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def write_head(self, record: CheckRecord) -> None:
        """Put the head of the check on disk."""
        self._write(self.folder / HEAD_FILE, record)

    def write_block(self, record: BlockRecord) -> None:
        """Put a block on disk; it is there whole when this returns."""
        name = f"b{record.block:03d}-{as_file_name(str(record.subject))}.json"
        self._write(self.blocks / name, record)

    def scratch(self, name: str, record: object) -> Path:
        """Write a file into `work`, for a worker to read."""
        self._write(self.work / name, record)
        return self.work / name

    def _write(self, path: Path, record: object) -> None:
        with storing(path):
            write_whole(path, encode(record))


def read_blocks(folder: Path) -> tuple[BlockRecord, ...]:
    """The blocks of a check, in the order in which they were measured.

    Raises:
        StoreError: there is no check, or a record cannot be read.
    """
    if not (folder / HEAD_FILE).is_file():
        raise StoreError(f"{folder} is not a check of leafbench: there is no {HEAD_FILE} in it.")
    return tuple(
        read_record(path, BlockRecord) for path in sorted((folder / "blocks").glob("*.json"))
    )


def read_head(folder: Path) -> CheckRecord:
    """The head of a check.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    return read_record(folder / HEAD_FILE, CheckRecord)
