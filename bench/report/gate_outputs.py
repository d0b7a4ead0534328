"""Where a verdict goes: its folder, the copies that were asked for, and a GitHub job's summary."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.codec import encode
from bench.gate.schema import VerdictRecord
from bench.report import gate, gate_ci
from bench.store import storing, write_whole

JSON_FILE = "verdict.json"
MARKDOWN_FILE = "verdict.md"
JUNIT_FILE = "junit.xml"
SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True)
class Copies:
    """Files beside the folder's own; None where not asked for."""

    json: Path | None = None
    junit: Path | None = None


def prepare(copies: Copies) -> None:
    """Make the folders of the copies: no check should measure first and fail on its last line.

    Raises:
        StoreError: a copy cannot be written there.
    """
    for path in filter(None, (copies.json, copies.junit)):
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not os.access(path.parent, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def write(
    record: VerdictRecord,
    folder: Path | None,
    environment: Mapping[str, str],
    copies: Copies = Copies(),
) -> None:
    """Write the verdict: the folder first, then copies, then the job's summary if there is one.

    Args:
        folder: None where nothing was measured that would need one.
        environment: of this process; `GITHUB_STEP_SUMMARY` names the file to append Markdown to.

    Raises:
        StoreError: the disk is full, or a file cannot be written. What came before it is whole.
    """
    json, junit = encode(record), gate_ci.junit(record)
    markdown = gate.markdown(record).encode()
    files = [(copies.json, json), (copies.junit, junit)]
    if folder is not None:
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        own = [(JSON_FILE, json), (MARKDOWN_FILE, markdown), (JUNIT_FILE, junit)]
        files = [*((folder / name, data) for name, data in own), *files]
    for path, data in files:
        if path is not None:
            with storing(path):
                write_whole(path, data)
    if environment.get(SUMMARY):
        _append(Path(environment[SUMMARY]), markdown)


def printed(record: VerdictRecord, environment: Mapping[str, str]) -> str:
    """What a command prints; in a job of GitHub Actions with annotations."""
    lines = [gate.text(record)]
    if environment.get("GITHUB_ACTIONS") == "true":
        lines += gate_ci.workflow_commands(record)
    return "\n".join(lines)


def _append(summary: Path, markdown: bytes) -> None:
    """Other steps write there too: a blank line parts theirs from ours."""
    with storing(summary), summary.open("ab") as stream:
        stream.write(b"\n" + markdown)
