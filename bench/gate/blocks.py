"""A block: reference, reference again and head, trained by turns in fresh processes; as a record.

Turn 0 is the first epoch (tracing, cache filling); the turns after it are steady. The order of the
three is reversed at every other turn, and the first turn's at every other block. The reference's
second process is made slower in most of its steady turns, so that one process gives both the
self-test and a noise floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.schema import Failure, TrialRecord, TrialStatus, require
from bench.turns import Place


class Role(StrEnum):
    """What a process of a block is."""

    REFERENCE = "reference"
    AGAIN = "again"
    HEAD = "head"


@dataclass(frozen=True)
class Subject:
    """What is compared: a variant in a phase."""

    variant: str
    phase: str

    def __str__(self) -> str:
        return f"{self.variant}, {self.phase}"


@dataclass(frozen=True)
class BlockRecord:
    """What a block measured.

    Attributes:
        block: from 0, of its subject.
        again: None where no self-test was asked for.
        planted_turns: epochs in which `again` was made slower, by the share `plant`.
        failed: who failed first; the others of the block were then ended, and count for nothing.
        confirms: whether it was measured to confirm what earlier blocks had shown.
        wall_ns: of the whole block, starting up included.
    """

    schema_version: int
    subject: Subject
    block: int
    reference: TrialRecord
    head: TrialRecord
    again: TrialRecord | None
    plant: float
    place: Place
    planted_turns: tuple[int, ...]
    failed: Role | None
    confirms: bool
    wall_ns: int

    def __post_init__(self) -> None:
        counts = {len(trial.epochs) for trial in self.trials if trial.status is TrialStatus.OK}
        require(len(counts) < 2, f"the trials of a block train equal epochs, found {counts}")
        broken = any(trial.status is TrialStatus.FAILED for trial in self.trials)
        require(broken == (self.failed is not None), "a block that failed, and only it, says who")

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """The trials of the block."""
        return tuple(t for t in (self.reference, self.again, self.head) if t is not None)

    def trial(self, role: Role) -> TrialRecord | None:
        """The trial of a role."""
        trials = {Role.REFERENCE: self.reference, Role.AGAIN: self.again, Role.HEAD: self.head}
        return trials[role]

    @property
    def failure(self) -> Failure | None:
        """Why the block counts for nothing; None if it counts."""
        trial = self.trial(self.failed) if self.failed else None
        return trial.failure if trial else None


def order(turn: int, roles: Sequence[Role]) -> tuple[Role, ...]:
    """Who trains after whom in a turn, or first in a block: reversed in every other one."""
    return tuple(roles) if turn % 2 == 0 else tuple(reversed(roles))


def is_planted(turn: int) -> bool:
    """Whether a slowdown is planted in a turn: in as many of each order of the roles.

    In all but a quarter of them: a noise floor is looked at, a self-test has to be decided.
    """
    return turn > 0 and turn % 8 not in (3, 4)


def planted_turns(turns: int) -> tuple[int, ...]:
    """The turns of so many in which a slowdown is planted."""
    return tuple(filter(is_planted, range(turns)))
