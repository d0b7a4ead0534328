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
class WorkerFacts:
    """What the workers of a Python loader are, by the loader's own object.

    Attributes:
        kind: `threads` or `processes`.
        ahead: what they make ahead of the model, as a person says it: `2 batches each`.
        decodes_with: the code that decodes the images, and on how many threads.
    """

    count: int
    kind: str
    ahead: str
    decodes_with: str


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
