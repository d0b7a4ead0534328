"""Measures blocks with real processes: each side's own code, the same images, turn by turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from bench import plan
from bench.codec import decode
from bench.errors import RecordError
from bench.executor import ProcessExecutor, failed_record
from bench.gate.blocks import BlockRecord, Role, Subject, planted_turns
from bench.gate.conductor import Contestant, conduct
from bench.gate.options import GateOptions
from bench.gate.pairs import PLANTED, BlockValues, evaluate
from bench.gate.store import CheckStore
from bench.gate.tree import Tree
from bench.images import Images
from bench.plan import as_file_name
from bench.postmortem import tail, worker_environment
from bench.process import follow
from bench.requests import ProofRequest, StartRequest, TrialRequest
from bench.schema import (
    SCHEMA_VERSION,
    Failure,
    FailureKind,
    RunConfig,
    TrialKind,
    TrialRecord,
    TrialSpec,
    TrialStatus,
    VariantProof,
)
from bench.turns import Place, Turn
from leafmodel.pipelines.spec import PipelineSpec

# Three processes share a card: none of them may take all of its memory.
_SHARED_GPU = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}

AS_IT_IS = Turn()


@dataclass(frozen=True)
class Contender:
    """A side that can train: its code, and the pipelines that its variants stand for there.

    `plant` makes it slower than it is, by this share, in every steady turn: for campaigns that try
    the gate itself.
    """

    tree: Tree
    pipelines: Mapping[str, PipelineSpec]
    plant: Turn = AS_IT_IS


class ProcessRunner:
    """Fresh processes for every block.

    Args:
        on_turn: told how many turns of a block are over, and of how many.
    """

    def __init__(
        self,
        config: RunConfig,
        loaded: Images,
        store: CheckStore,
        sides: Mapping[Role, Contender],
        options: GateOptions,
        on_turn: Callable[[int, int], None],
    ) -> None:
        self._config = config
        self._store = store
        self._sides = sides
        self._options = options
        self._on_turn = on_turn
        self._files = str(store.scratch("files.json", loaded.files))
        self._starts: dict[str, str] = {}

    def prove(self) -> Mapping[Role, Mapping[str, VariantProof]]:
        """Prove each side's variants with its own code, on the same images."""
        return {role: self._proofs(role, side) for role, side in self._sides.items()}

    def measure(self, subject: Subject, block: int, *, confirms: bool) -> BlockValues:
        """Train the roles by turns, put what came of it on disk, and say what it comes to."""
        roles = tuple(Role) if self._options.self_test else (Role.REFERENCE, Role.HEAD)
        specs = {role: self._spec(subject, block, role) for role in roles}
        began_ns, started_at = time.perf_counter_ns(), datetime.now(UTC)
        failures = self._conduct(specs)
        wall_ns = time.perf_counter_ns() - began_ns
        at = started_at.isoformat(timespec="seconds")
        trials = {role: self._trial(spec, failures.get(role), at) for role, spec in specs.items()}
        record = BlockRecord(
            schema_version=SCHEMA_VERSION,
            subject=subject,
            block=block,
            reference=trials[Role.REFERENCE],
            head=trials[Role.HEAD],
            again=trials.get(Role.AGAIN),
            plant=self._plant(subject).plant,
            place=Place.MODEL,
            planted_turns=planted_turns(self._config.epochs) if Role.AGAIN in trials else (),
            failed=_first_to_fail(trials, failures),
            confirms=confirms,
            wall_ns=wall_ns,
        )
        self._store.write_block(record)
        return evaluate(record)

    def _conduct(self, specs: Mapping[Role, TrialSpec]) -> dict[Role, Failure]:
        epochs, spec = self._config.epochs, next(iter(specs.values()))
        planted = planted_turns(epochs)
        subject = Subject(spec.variant, spec.phase)

        def turn_of(role: Role, turn: int) -> Turn:
            if role is Role.AGAIN:
                return self._plant(subject) if turn in planted else AS_IT_IS
            return self._sides[role].plant if turn > 0 else AS_IT_IS

        contestants = [self._contestant(role, item) for role, item in specs.items()]
        done = lambda turns: self._on_turn(turns, epochs)  # noqa: E731
        return conduct(contestants, epochs, turn_of, self._config.trial_timeout_s, done)

    def _plant(self, subject: Subject) -> Turn:
        """The self-test's: a slowdown of the threshold's size."""
        threshold = self._options.thresholds.of(subject.variant, PLANTED)
        return Turn(threshold.relative, Place.MODEL)

    def _contestant(self, role: Role, spec: TrialSpec) -> Contestant:
        side = self._side(role)
        out = str(self._out(spec))
        request = TrialRequest(
            SCHEMA_VERSION, spec, self._files, str(self._store.work), out, self._start(spec)
        )
        path = self._store.scratch(f"{spec.name}.trial.json", request)
        return Contestant(
            role=role,
            command=(side.tree.python, "-P", "-m", "bench.worker", str(path)),
            environment=_environment(side.tree),
            cwd=side.tree.folder,
            log=self._store.logs / f"{spec.name}.log",
        )

    def _side(self, role: Role) -> Contender:
        return self._sides[Role.HEAD if role is Role.HEAD else Role.REFERENCE]

    def _out(self, spec: TrialSpec) -> Path:
        return self._store.work / f"{spec.name}.json"

    def _trial(self, spec: TrialSpec, why: Failure | None, started_at: str) -> TrialRecord:
        """What a process left; of a block that failed, nothing counts."""
        if why is not None:
            return failed_record(spec, why, started_at, wall_ns=0)
        try:
            return decode(self._out(spec).read_bytes(), TrialRecord, f"the record of {spec.name}")
        except OSError:
            message = "ended without a record, because another process of its block failed"
            log = self._store.logs / f"{spec.name}.log"
            broken = Failure(FailureKind.ERROR, message, tail(log) if log.exists() else "")
        except RecordError as error:
            broken = Failure(FailureKind.ERROR, str(error), "")
        return failed_record(spec, broken, started_at, wall_ns=0)

    def _spec(self, subject: Subject, block: int, role: Role) -> TrialSpec:
        """A trial as the run's plan would have it, with the side's own pipeline."""
        planned = next(
            spec
            for spec in plan.build(self._config)
            if (spec.variant, spec.phase, spec.kind) == (*_key(subject), TrialKind.TRAIN)
        )
        return replace(
            planned,
            name=f"b{block:03d}-{as_file_name(str(subject))}-{role}",
            pipeline=_augmented(self._side(role).pipelines, self._config)[subject.variant],
            block=block,
            position=list(Role).index(role),
            replica=int(role is Role.AGAIN),
            epochs=self._config.epochs,
            seed=plan.trial_seed(self._config.seed, block),
        )

    def _start(self, spec: TrialSpec) -> str:
        """The weights that a continuing phase begins with: trained once, with the head's code."""
        name = plan.start_name(spec.phase)
        if name and name not in self._starts:
            wanted = next(item for item in plan.starts(self._config) if item.phase == name)
            weights = self._store.work / f"{name}.weights.h5"
            request = StartRequest(
                SCHEMA_VERSION,
                wanted,
                self._files,
                str(self._store.work),
                str(weights),
                str(self._store.work / f"{name}.json"),
            )
            failed = ProcessExecutor(self._store.logs).start(request, lambda *_: None)
            if failed is not None:
                raise RecordError(f"{spec.phase} cannot begin: {failed.message}")
            self._starts[name] = str(weights)
        return self._starts.get(name, "")

    def _proofs(self, role: Role, side: Contender) -> dict[str, VariantProof]:
        folder = self._store.proofs(role)
        request = ProofRequest(
            schema_version=SCHEMA_VERSION,
            pipelines=_augmented(side.pipelines, self._config),
            batch_size=self._config.batch_size,
            image_size=self._config.image_size,
            seed=self._config.seed,
            files=self._files,
            work=str(self._store.work),
            out=str(folder),
        )
        path = self._store.scratch(f"{role}.proof.json", request)
        follow(
            (side.tree.python, "-P", "-m", "bench.worker", str(path)),
            self._store.logs / f"proof-{role}.log",
            self._config.trial_timeout_s * len(request.pipelines),
            lambda *_: None,
            environment=lambda _began_ns: _environment(side.tree),
            cwd=side.tree.folder,
        )
        return {path.stem: _proof(path) for path in sorted(folder.glob("*.json"))}


def subjects(config: RunConfig, common: Sequence[str]) -> tuple[Subject, ...]:
    """What can be compared: the run's variants that both sides have, in each phase they fit."""
    return tuple(
        Subject(name, phase)
        for phase in config.phases
        for name in plan.applicable(config, phase)
        if name in common
    )


def _augmented(pipelines: Mapping[str, PipelineSpec], config: RunConfig) -> dict[str, PipelineSpec]:
    """The run's own pipelines, without augmentation where the run has none."""
    chosen = {name: pipelines[name] for name in config.variants if name in pipelines}
    if config.augment:
        return chosen
    return {name: pipeline.without_augmentation() for name, pipeline in chosen.items()}


def _first_to_fail(
    trials: Mapping[Role, TrialRecord], failures: Mapping[Role, Failure]
) -> Role | None:
    broken = (role for role, trial in trials.items() if trial.status is TrialStatus.FAILED)
    return next(chain(failures, broken), None)


def _key(subject: Subject) -> tuple[str, str]:
    return subject.variant, subject.phase


def _environment(tree: Tree) -> dict[str, str]:
    return worker_environment(time.perf_counter_ns()) | _SHARED_GPU | dict(tree.environment)


def _proof(path: Path) -> VariantProof:
    return decode(path.read_bytes(), VariantProof, str(path))
