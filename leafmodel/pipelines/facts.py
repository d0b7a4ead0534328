"""Facts about a pipeline: what a proof has, what was made once. Plain data, free of TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProofStatus(StrEnum):
    """How one check of a pipeline ended. `differs` is a difference that exists on purpose."""

    OK = "ok"
    DIFFERS = "differs"
    FAILED = "failed"


@dataclass(frozen=True)
class ProofCheck:
    """One fact about a built pipeline: what was expected, what was found."""

    check: str
    status: ProofStatus
    expected: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class MadeOnce:
    """A file that the first training makes and those after it find: decoded images.

    Attributes:
        build_ns: that making it took, whoever made it.
        found: whether this training found it ready; else it made it within its first epoch.
    """

    build_ns: int
    found: bool
    size_bytes: int
