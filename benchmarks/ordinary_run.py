"""A run of leafbench as a part of a benchmark: made, or gone on with where it was stopped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import launch
from bench.errors import EXIT_INTERRUPTED, EXIT_USAGE, BenchError
from bench.progress import Progress
from bench.session import Outcome
from bench.store import StoredRun, read

FLAGS = {"target": "claim"}  # where an option of the command line has another name

Run = Callable[[Mapping[str, Any], tuple[str, ...], Progress], Outcome]


class StoppedError(BenchError):
    """Somebody stopped the run; the benchmark must not go on to its next part."""

    exit_code = EXIT_INTERRUPTED


def made(
    folder: Path, options: Mapping[str, Any], progress: Progress, run: Run = launch.run
) -> StoredRun:
    """The run of these options in `folder`; a whole one is only read and rendered again.

    Raises:
        StoppedError: it was interrupted.
        BenchError, LeafmodelError: the sentence to show.
    """
    if (folder / "run.json").exists():
        outcome = run({"resume": str(folder)}, (), progress)
    else:
        outcome = run({**options, "out": str(folder)}, ("run", *_flags(options)), progress)
    if outcome.interrupted:
        raise StoppedError("Interrupted; the same command goes on.")
    return read(folder)


def _flags(options: Mapping[str, Any]) -> list[str]:
    return [f"--{FLAGS.get(key, key.replace('_', '-'))}={value}" for key, value in options.items()]


def exit_code(error: Exception) -> int:
    """Say what went wrong; returns the exit status that goes with it."""
    print(error, file=sys.stderr)
    return error.exit_code if isinstance(error, BenchError) else EXIT_USAGE
