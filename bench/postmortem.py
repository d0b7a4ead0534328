"""How a worker process is started, and what is said of one that did not end well."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from bench.backends import Backend
from bench.process import Ended
from bench.requests import SPAWNED_VARIABLE
from bench.schema import Failure, FailureKind

LOG_TAIL_LINES = 40
_OUT_OF_MEMORY = re.compile(
    r"MemoryError|ResourceExhausted|RESOURCE_EXHAUSTED|bad_alloc|Cannot allocate memory"
)
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b")


def worker_environment(began_ns: int, backend: Backend = Backend.TENSORFLOW) -> dict[str, str]:
    """The environment variables of a process that works with Keras."""
    return os.environ | {
        "KERAS_BACKEND": str(backend),  # whatever the user's Keras is set to
        SPAWNED_VARIABLE: str(began_ns),
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def failure(ended: Ended, log: Path, too_long: str) -> Failure:
    """Why a process that did not end well failed, with the end of its log.

    Args:
        too_long: what to say of one that was killed after its timeout.
    """
    end = tail(log)
    if ended.timed_out:
        return Failure(FailureKind.TIMEOUT, too_long, end)
    if ended.status == -signal.SIGKILL:
        message = "killed by the system, most likely for lack of memory"
        return Failure(FailureKind.MEMORY, message, end)
    if ended.status < 0:
        return Failure(FailureKind.CRASH, f"crashed: {signal_name(-ended.status)}", end)
    message = last_words(end) or f"ended with status {ended.status} and said nothing"
    kind = FailureKind.MEMORY if _OUT_OF_MEMORY.search(end) else FailureKind.ERROR
    return Failure(kind, message, end)


def signal_name(number: int) -> str:
    """`SIGSEGV (Segmentation fault)`."""
    try:
        return f"{signal.Signals(number).name} ({signal.strsignal(number)})"
    except ValueError:
        return f"signal {number}"


def tail(log: Path) -> str:
    """The last lines of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])


def last_words(end: str) -> str:
    """The exception's own line, or else the last one printed."""
    lines = [line.strip() for line in end.splitlines() if line.strip()]
    named = [line for line in lines if _EXCEPTION.match(line)]
    return (named or lines or [""])[-1]
