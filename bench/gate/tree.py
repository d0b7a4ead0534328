"""A checked-out tree that can run trials: its own code, and packages as its own files ask for them.

Where both sides need the same packages, both run on this interpreter; a reference that needs others
gets an environment of its own. Either way a tree's folder comes first on `PYTHONPATH`, before what
is installed: whoever measured the installed code twice would find that nothing changed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import BenchError, ConfigError, WorkerFailedError
from bench.gate import packages
from bench.postmortem import last_words
from bench.schema import SCHEMA_VERSION
from leafmodel.errors import PipelineError
from leafmodel.pipelines.spec import PipelineSpec

ASKING_TIMEOUT_S = 120.0
_AXES = frozenset(field.name for field in fields(PipelineSpec))

# Asked of a tree by its own interpreter, with the tree's folder. `bench` may be somebody else's,
# and an editable install fills in what a tree lacks, so each file must be the tree's own.
_QUESTION = """
import importlib, importlib.util, json, pathlib, sys

top = pathlib.Path(sys.argv[1])

def own(name, file):
    spec = importlib.util.find_spec(name)
    found = spec and spec.origin
    return bool(found) and pathlib.Path(found).resolve() == (top / file).resolve()

def module(name, file):
    return importlib.import_module(name) if packages and own(name, file) else None

packages = own("bench", "bench/__init__.py") and own("leafmodel", "leafmodel/__init__.py")
print(json.dumps({
    "schema_version": getattr(module("bench.schema", "bench/schema.py"), "SCHEMA_VERSION", None),
    "takes_turns": module("bench.turns", "bench/turns.py") is not None,
}))
"""


class TreeError(BenchError):
    """A tree that cannot be measured: it does not install, or its harness does not fit ours."""


@dataclass(frozen=True)
class Tree:
    """A folder of code, and how to run it.

    Attributes:
        folder: the top of the checkout; where its processes run.
        python: the interpreter that has its packages.
        environment: variables on top of this process's own.
        name: what to call it in sentences.
        notes: what to know about how it runs.
    """

    folder: Path
    python: str
    environment: Mapping[str, str]
    name: str = "the reference"
    notes: tuple[str, ...] = ()

    @classmethod
    def of_this_interpreter(cls, folder: Path, name: str = "the working tree") -> Tree:
        """The tree in `folder`, with the packages that this process has."""
        return cls(folder, sys.executable, _environment(folder, folder, sys.executable), name)


@dataclass(frozen=True)
class Harness:
    """What a tree's own leafbench can do.

    Attributes:
        variants: the pipelines that its variants stand for.
        unknown: variants that this leafbench cannot express, and why.
    """

    variants: Mapping[str, PipelineSpec]
    unknown: Mapping[str, str]


def prepare(
    folder: Path,
    head: Path,
    scratch: Path,
    progress: Callable[[str], None],
    *,
    name: str = "the reference",
    interpreter: str = sys.executable,
) -> Tree:
    """Make the tree in `folder` ready to run beside the one in `head`.

    Args:
        head: the tree whose packages `interpreter` has.
        scratch: a folder where an environment may be made, if the two need different packages.
        progress: told of what may take minutes.

    Raises:
        TreeError: its packages cannot be installed; ends in what pip said last.
        StoreError: scratch cannot be written.
    """
    try:
        needs = packages.other_needs(folder, head)
        if needs is None:
            notes = _locks_note(packages.unread_locks(folder, head))
            environment = _environment(folder, head, interpreter)
            return Tree(folder, interpreter, environment, name, notes)
        progress(f"{needs.source} of {name} differs: installing it apart, which may take minutes")
        venv = scratch.resolve() / "environment"
        python = packages.install(needs, folder, venv, interpreter)
    except (ConfigError, WorkerFailedError) as error:
        raise TreeError(f"The packages of {name} cannot be installed: {error}") from error
    environment = {**_environment(folder, head, python), "VIRTUAL_ENV": str(venv)}
    note = f"The {needs.source} of {name} differs: it ran in an environment of its own."
    return Tree(folder, python, environment, name, (note,))


def harness(tree: Tree) -> Harness:
    """What leafbench of the tree's own can do.

    Raises:
        TreeError: it has none, cannot be imported, keeps other records or cannot train by turns.
    """
    told = _ask(tree, "-c", _QUESTION, str(tree.folder)).splitlines()
    try:
        facts = msgspec.json.decode(told[-1], type=_Facts)  # Python's start may print something
        _check(facts, tree)
        listed = _ask(tree, "-m", "bench", "list", "variants", "--json")
        return _read(msgspec.json.decode(listed, type=list[_Listed]))
    except (IndexError, msgspec.DecodeError) as error:
        raise TreeError(
            f"What the leafbench of {tree.name} says of itself cannot be read ({error}): "
            "choose a revision that is nearer to this one."
        ) from error


@dataclass(frozen=True)
class _Facts:
    """The answer to the question; without a leafbench of its own, a tree has no version."""

    schema_version: int | None
    takes_turns: bool


@dataclass(frozen=True)
class _Listed:
    name: str
    pipeline: dict[str, Any]


def _locks_note(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (
        f"{', '.join(names)} of the two sides differ, but both ran on the same packages: only a "
        "requirements.lock or requirements.txt is installed.",
    )


def _environment(folder: Path, head: Path, python: str) -> dict[str, str]:
    """The tree's code first, and its interpreter for any `python` in a command.

    What the user's own PYTHONPATH names inside the head is taken from the same place in the tree;
    else the reference would run the head's code.
    """
    top, head = folder.resolve(), head.resolve()
    sources = [top, *(path for path in (top / "src",) if path.is_dir())]
    for entry in filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        path = Path(entry).resolve()
        sources.append(top / path.relative_to(head) if path.is_relative_to(head) else path)
    programs = [str(Path(python).parent), *filter(None, [os.environ.get("PATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(map(str, sources))),
        "PATH": os.pathsep.join(programs),
    }


def _check(facts: _Facts, tree: Tree) -> None:
    version = facts.schema_version
    if version is None:
        raise TreeError(
            f"There is no leafbench in {tree.name}: expected its packages bench and leafmodel in "
            f"{tree.folder}. Choose a revision that has them, or gate a command of your own."
        )
    if version != SCHEMA_VERSION:
        is_older = version < SCHEMA_VERSION
        raise TreeError(
            f"The leafbench of {tree.name} is {'older' if is_older else 'newer'}: its records have "
            f"schema {version}, ours {SCHEMA_VERSION}, and the two cannot be compared. Choose "
            f"{'a later' if is_older else 'an earlier'} revision."
        )
    if not facts.takes_turns:
        raise TreeError(
            f"The leafbench of {tree.name} is from before the gate and cannot train by turns: "
            "choose a later revision."
        )


def _read(listed: Sequence[_Listed]) -> Harness:
    """Part the variants that this leafbench can express from those that it cannot."""
    variants, unknown = {}, {}
    for item in listed:
        strange = sorted(item.pipeline.keys() - _AXES)  # msgspec would leave them out in silence
        try:
            pipeline = msgspec.convert(item.pipeline, PipelineSpec)
        except (msgspec.ValidationError, PipelineError) as error:
            unknown[item.name] = str(error)
            continue
        if strange:
            unknown[item.name] = f"it has axes that are unknown here: {', '.join(strange)}"
        else:
            variants[item.name] = pipeline
    return Harness(variants, unknown)


def _ask(tree: Tree, *arguments: str) -> str:
    """What the tree's own interpreter prints."""
    try:
        done = subprocess.run(
            (tree.python, "-P", *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=os.environ | dict(tree.environment),
            cwd=tree.folder,
            timeout=ASKING_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise TreeError(f"{tree.python} cannot be started: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise TreeError(
            f"The leafbench of {tree.name} did not answer within {ASKING_TIMEOUT_S:.0f} s: does "
            "something run when it is imported?"
        ) from error
    if done.returncode != 0:
        why = last_words(done.stderr) or f"status {done.returncode}"
        raise TreeError(
            f"The leafbench of {tree.name} cannot say what it can do; it ended with: {why}"
        )
    return done.stdout
