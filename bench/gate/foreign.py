"""Measures blocks of a command that is not ours: any training that leaves our records.

The command runs in each side's tree. It must leave one record in the folder that `LEAFBENCH_OUT`
names and train by turns; with Keras, the callback `bench.recorder.Recorder` does both.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bench.gate.asked import COMMAND
from bench.gate.blocks import Role, Subject
from bench.gate.conductor import Contestant
from bench.gate.measuring import (
    OnTurn,
    Plants,
    Played,
    block_record,
    child_environment,
    play,
    trial_record,
)
from bench.gate.pairs import BlockValues, evaluate
from bench.gate.store import CheckStore
from bench.gate.tree import Tree
from bench.schema import Failure, FailureKind, TrialKind, TrialRecord, TrialSpec, VariantProof
from bench.turns import OUT_VARIABLE
from leafmodel.pipelines.spec import PipelineSpec

SUBJECT = Subject(COMMAND[0], "training")


class CommandRunner:
    """Runs a command in both trees, in fresh processes for every block.

    Args:
        command: program and arguments; `python` is the tree's own interpreter.
        timeout_s: for the start, for one epoch, for the end.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        trees: Mapping[Role, Tree],
        store: CheckStore,
        plants: Plants,
        timeout_s: float,
        on_turn: OnTurn,
    ) -> None:
        self._command = command
        self._trees = trees
        self._store = store
        self._plants = plants
        self._timeout_s = timeout_s
        self._on_turn = on_turn

    def prove(self) -> Mapping[Role, Mapping[str, VariantProof]]:
        """Nothing is known of a foreign pipeline."""
        return {}

    def measure(self, subject: Subject, block: int, *, confirms: bool) -> BlockValues:
        """Train the roles by turns, put what came of it on disk, and say what it comes to."""
        outs = {
            role: self._store.work / f"b{block:03d}-{role}" for role in self._plants.roles(block)
        }
        contestants = [self._contestant(role, out) for role, out in outs.items()]
        at = datetime.now(UTC).isoformat(timespec="seconds")
        played = play(contestants, self._plants, self._timeout_s, self._on_turn)
        trials = {role: self._trial(role, out, played, at) for role, out in outs.items()}
        record = block_record(subject, block, trials, self._plants, played, confirms=confirms)
        self._store.write_block(record)
        return evaluate(record)

    def _contestant(self, role: Role, out: Path) -> Contestant:
        tree = self._trees[Role.HEAD if role is Role.HEAD else Role.REFERENCE]
        return Contestant(
            role=role,
            command=self._command,
            environment={**child_environment(tree), OUT_VARIABLE: str(out)},
            cwd=tree.folder,
            log=self._log(out),
        )

    def _log(self, out: Path) -> Path:
        return self._store.logs / f"{out.name}.log"

    def _trial(self, role: Role, out: Path, played: Played, started_at: str) -> TrialRecord:
        why = played.failures.get(role)
        found = sorted(out.glob("*.json"))
        if why is None and len(found) != 1:
            why = Failure(FailureKind.ERROR, _not_one(found), "")
        record = found[0] if found else out
        return trial_record(record, self._log(out), _spec(out.name), why, started_at)


def _not_one(found: list[Path]) -> str:
    names = ", ".join(path.name for path in found) or "none"
    return (
        f"expected one record in the folder that {OUT_VARIABLE} names, found {names}: give the "
        "training one bench.recorder.Recorder among its callbacks"
    )


def _spec(name: str) -> TrialSpec:
    """What is known of a process that left no record."""
    return TrialSpec(
        name=name,
        kind=TrialKind.FOREIGN,
        variant=SUBJECT.variant,
        pipeline=PipelineSpec(),
        phase=SUBJECT.phase,
        block=0,
        position=0,
        replica=0,
        epochs=1,
        batch_size=1,
        image_size=1,
        seed=0,
        timeout_s=1.0,
    )
