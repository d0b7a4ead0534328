"""A saved model put to use: what is asked of it is answered by another process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.codec import decode
from bench.errors import RecordError, WorkerFailedError
from bench.progress import Progress
from bench.schema import FailureKind
from bench.training.process import ModelProcess
from bench.training.requests import Request
from bench.training.session import Worker
from leafmodel.data.check import Problem

LISTED = 10
ANSWERS = "answers.json"

T = TypeVar("T")


@dataclass(frozen=True)
class UseTools:
    """What using a model works with; tests bring their own."""

    worker: Callable[[Path], Worker]
    progress: Progress


def real_tools(progress: Progress) -> UseTools:
    """Processes as they are."""
    return UseTools(ModelProcess, progress)


def refusal(problems: Sequence[Problem], remedy: str) -> str:
    """What to say of files that cannot be used."""
    lines = [f"  {p.path}: {p.kind}, {p.detail}" for p in problems[:LISTED]]
    if len(problems) > LISTED:
        lines.append(f"  and {len(problems) - LISTED} more")
    listed = "\n".join(lines)
    return f"These files cannot be used:\n{listed}\n{remedy}"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="leafbench-") as work:
        yield Path(work)


def ask(request: Request, path: Path, kind: type[T], tools: UseTools) -> T:
    """Have a request carried out, and read the answer from the folder that `path` lies in.

    Raises:
        WorkerFailedError: the process did not end well.
        RecordError: it left no answer.
    """
    failure = tools.worker(path.parent).run(request, path, tools.progress.step)
    if failure is not None and failure.kind is FailureKind.ERROR:
        raise WorkerFailedError(failure.message)
    if failure is not None:
        remedy = " Close other programs." if failure.kind is FailureKind.MEMORY else ""
        raise WorkerFailedError(f"The model's process did not end well: {failure.message}.{remedy}")
    out = path.parent / ANSWERS
    try:
        data = out.read_bytes()
    except OSError as error:
        raise RecordError("The model's process ended without an answer.") from error
    return decode(data, kind, str(out))
