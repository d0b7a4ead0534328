"""The packages that a checked-out tree asks for, and an environment that has them."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import ConfigError, WorkerFailedError
from bench.postmortem import tail
from bench.process import follow

INSTALL_TIMEOUT_S = 1_800.0  # TensorFlow and its friends are 700 MB
_LINES_SHOWN = 4
_PROJECT = "pyproject.toml"
_REQUIREMENTS = ("requirements.lock", "requirements.txt")
_FOREIGN_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)")
_PIP = ("-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")


@dataclass(frozen=True)
class Needs:
    """What a tree asks pip for.

    Attributes:
        source: the file that says so.
        pins: its lines that decide something, and those of the files that it includes.
    """

    source: str
    pins: tuple[str, ...]

    def asked_of_pip(self, folder: Path) -> Sequence[str]:
        """The arguments of `pip install`."""
        if self.source == _PROJECT:
            return self.pins
        hashed = ("--require-hashes",) if any("--hash=" in pin for pin in self.pins) else ()
        return (*hashed, "-r", str(folder / self.source))


def other_needs(folder: Path, head: Path) -> Needs | None:
    """What must be installed for the tree in `folder`; None if the head's packages will do.

    The two are held against each other by the most exact file that both have: a lock, a
    requirements.txt, or the dependencies in pyproject.toml. What only the tree has is installed.

    Raises:
        ConfigError: a pyproject.toml is broken.
    """
    theirs, ours = _needs(folder), _needs(head)
    common = next((source for source in theirs if source in ours), None)
    if common is None:
        return next(iter(theirs.values()), None)
    return None if theirs[common].pins == ours[common].pins else theirs[common]


def unread_locks(folder: Path, head: Path) -> tuple[str, ...]:
    """The locks of other tools that differ: pip does not read them, so nothing was installed."""
    return tuple(name for name in _FOREIGN_LOCKS if _bytes(folder / name) != _bytes(head / name))


def install(needs: Needs, folder: Path, venv: Path, interpreter: str) -> str:
    """Make an environment in `venv` with what the tree in `folder` needs; its interpreter.

    Raises:
        WorkerFailedError: it cannot be installed, or not in time; ends in what pip said last.
        StoreError: the log beside `venv` cannot be written.
    """
    log = venv.with_name(f"{venv.name}.log")
    python = str(venv / "bin" / "python")
    _run((interpreter, "-P", "-m", "venv", "--clear", str(venv)), folder, log)
    if needs.pins:
        _run((python, *_PIP, *needs.asked_of_pip(folder)), folder, log)
    return python


def _needs(folder: Path) -> dict[str, Needs]:
    """What a tree asks for, by the file that says so; the most exact one first."""
    found = {
        source: Needs(source, tuple(_pins(folder / source, set())))
        for source in _REQUIREMENTS
        if (folder / source).is_file()
    }
    declared = _declared(folder / _PROJECT)
    return found if declared is None else {**found, _PROJECT: Needs(_PROJECT, declared)}


def _pins(path: Path, seen: set[Path]) -> Iterator[str]:
    seen.add(path)
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        text = line.strip()
        included = _INCLUDE.match(text)
        other = path.parent / included[1] if included else path
        if other not in seen and other.is_file():
            yield from _pins(other, seen)
        elif text and not text.startswith("#"):
            yield text


def _declared(path: Path) -> tuple[str, ...] | None:
    """The dependencies in a pyproject.toml; None if it has no list of them."""
    if not path.is_file():
        return None
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a TOML file that can be read: {error}.") from error
    listed = project.get("dependencies") if isinstance(project, dict) else None
    return tuple(map(str, listed)) if isinstance(listed, list) else None


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _run(command: Sequence[str], folder: Path, log: Path) -> None:
    # With our PYTHONPATH, pip would take what lies there for installed.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        ended = follow(
            command,
            log,
            INSTALL_TIMEOUT_S,
            lambda *_: None,
            environment=lambda _began_ns: kept,
            cwd=folder,
        )
    except OSError as error:
        raise WorkerFailedError(f"{command[0]} cannot be started: {error.strerror}.") from error
    if ended.timed_out:
        raise WorkerFailedError(
            f"it took longer than {INSTALL_TIMEOUT_S / 60:.0f} min. Is the package index within "
            "reach? With pip's cache filled it goes faster."
        )
    if not ended.well:
        said = "; ".join(tail(log).splitlines()[-_LINES_SHOWN:]) or "nothing"
        raise WorkerFailedError(f"{' '.join(command[3:5])} ended with {ended.status} and: {said}")
