"""What a proof consists of: facts about a built pipeline. Plain data, free of TensorFlow."""

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
