"""What every block has in common, whoever trains in it: who is told what, and what is recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bench.codec import decode
from bench.errors import RecordError
from bench.executor import failed_record
from bench.gate.blocks import BlockRecord, Role, Subject, is_planted, order, planted_turns
from bench.gate.conductor import Contestant, conduct
from bench.gate.tree import Tree
from bench.postmortem import tail, worker_environment
from bench.schema import (
    SCHEMA_VERSION,
    Failure,
    FailureKind,
    TrialRecord,
    TrialSpec,
    TrialStatus,
)
from bench.turns import Place, Turn

AS_IT_IS = Turn()
# Three processes share a card: none of them may take all of its memory.
_SHARED_GPU = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}

OnTurn = Callable[[int, int], None]
"""Told how many turns of a block are over, and of how many."""


@dataclass(frozen=True)
class Plants:
    """What is made slower, and by how much.

    Attributes:
        self_test: the share by which the reference's second process is; None: there is none.
        head: makes the head slower than it is in every steady turn, to try the gate itself.
    """

    self_test: float | None
    head: Turn = AS_IT_IS

    def roles(self, block: int) -> tuple[Role, ...]:
        """Who trains, in the order of the block's first turn."""
        trained = tuple(Role) if self.self_test is not None else (Role.REFERENCE, Role.HEAD)
        return order(block, trained)

    def turn(self, role: Role, epoch: int) -> Turn:
        """What a role's epoch is told."""
        if role is Role.AGAIN and self.self_test is not None and is_planted(epoch):
            return Turn(self.self_test, Place.MODEL)
        return self.head if role is Role.HEAD and epoch > 0 else AS_IT_IS


@dataclass(frozen=True)
class Played:
    """A block as it was trained: who failed and why, and how long all of it took."""

    failures: Mapping[Role, Failure]
    wall_ns: int


def play(
    contestants: Sequence[Contestant], plants: Plants, timeout_s: float, on_turn: OnTurn
) -> Played:
    """Let the contestants train by turns."""
    began_ns = time.perf_counter_ns()
    failures = conduct(contestants, plants.turn, timeout_s, on_turn)
    return Played(failures, time.perf_counter_ns() - began_ns)


def block_record(
    subject: Subject,
    block: int,
    trials: Mapping[Role, TrialRecord],
    plants: Plants,
    played: Played,
    *,
    confirms: bool,
) -> BlockRecord:
    """The record of a block from those of its processes."""
    again = trials.get(Role.AGAIN)
    broken = (role for role, trial in trials.items() if trial.status is TrialStatus.FAILED)
    return BlockRecord(
        schema_version=SCHEMA_VERSION,
        subject=subject,
        block=block,
        reference=trials[Role.REFERENCE],
        head=trials[Role.HEAD],
        again=again,
        plant=plants.self_test or 0.0,
        place=Place.MODEL,
        planted_turns=planted_turns(len(again.epochs)) if again else (),
        failed=next(chain(played.failures, broken), None),
        confirms=confirms,
        wall_ns=played.wall_ns,
    )


def trial_record(
    out: Path, log: Path, spec: TrialSpec, why: Failure | None, started_at: str
) -> TrialRecord:
    """What a process left in `out`; a failed record if `why` says so, or if it left none."""
    if why is not None:
        return failed_record(spec, why, started_at, wall_ns=0)
    try:
        return decode(out.read_bytes(), TrialRecord, f"the record of {spec.name}")
    except OSError:
        message = "it ended without a record"
        end = tail(log) if log.exists() else ""
        why = Failure(FailureKind.ERROR, message, end)
    except RecordError as error:
        why = Failure(FailureKind.ERROR, str(error), "")
    return failed_record(spec, why, started_at, wall_ns=0)


def child_environment(tree: Tree) -> dict[str, str]:
    """The environment variables of a process that trains a tree's code."""
    return worker_environment(time.perf_counter_ns()) | _SHARED_GPU | dict(tree.environment)
