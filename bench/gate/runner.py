"""Measures blocks with real processes: each side's own code, the same images, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench import plan
from bench.codec import decode
from bench.errors import RecordError
from bench.executor import ProcessExecutor
from bench.gate.blocks import Role, Subject
from bench.gate.conductor import Contestant
from bench.gate.measuring import (
    OnTurn,
    Plants,
    block_record,
    child_environment,
    play,
    trial_record,
)
from bench.gate.pairs import BlockValues, evaluate
from bench.gate.store import CheckStore
from bench.gate.tree import Tree
from bench.images import Images
from bench.plan import as_file_name
from bench.process import follow
from bench.requests import ProofRequest, StartRequest, TrialRequest
from bench.schema import SCHEMA_VERSION, RunConfig, TrialKind, TrialSpec, VariantProof
from leafmodel.pipelines.spec import PipelineSpec


@dataclass(frozen=True)
class Contender:
    """A side that can train: its code, and the pipelines that its variants stand for there."""

    tree: Tree
    pipelines: Mapping[str, PipelineSpec]


class ProcessRunner:
    """Fresh processes for every block."""

    def __init__(
        self,
        config: RunConfig,
        loaded: Images,
        store: CheckStore,
        sides: Mapping[Role, Contender],
        plants_of: Callable[[Subject], Plants],
        on_turn: OnTurn,
    ) -> None:
        self._config = config
        self._store = store
        self._sides = sides
        self._plants_of = plants_of
        self._on_turn = on_turn
        self._files = str(store.scratch("files.json", loaded.files))
        self._starts: dict[str, str] = {}

    def prove(self) -> Mapping[Role, Mapping[str, VariantProof]]:
        """Prove each side's variants with its own code, on the same images."""
        return {role: self._proofs(role, side) for role, side in self._sides.items()}

    def measure(self, subject: Subject, block: int, *, confirms: bool) -> BlockValues:
        """Train the roles by turns, put what came of it on disk, and say what it comes to."""
        plants = self._plants_of(subject)
        roles = plants.roles(block)
        specs = {role: self._spec(subject, block, role, roles.index(role)) for role in roles}
        at = datetime.now(UTC).isoformat(timespec="seconds")
        contestants = [self._contestant(role, spec) for role, spec in specs.items()]
        played = play(contestants, plants, self._config.trial_timeout_s, self._on_turn)
        trials = {
            role: trial_record(
                self._out(spec), self._log(spec), spec, played.failures.get(role), at
            )
            for role, spec in specs.items()
        }
        record = block_record(subject, block, trials, plants, played, confirms=confirms)
        self._store.write_block(record)
        return evaluate(record)

    def _contestant(self, role: Role, spec: TrialSpec) -> Contestant:
        side = self._side(role)
        out = str(self._out(spec))
        # What a side makes once (a file of decoded images), the other must not find.
        work = self._store.work / (Role.HEAD if role is Role.HEAD else Role.REFERENCE)
        request = TrialRequest(SCHEMA_VERSION, spec, self._files, str(work), out, self._start(spec))
        path = self._store.scratch(f"{spec.name}.trial.json", request)
        return Contestant(
            role=role,
            command=(side.tree.python, "-P", "-m", "bench.worker", str(path)),
            environment=child_environment(side.tree),
            cwd=side.tree.folder,
            log=self._log(spec),
        )

    def _side(self, role: Role) -> Contender:
        return self._sides[Role.HEAD if role is Role.HEAD else Role.REFERENCE]

    def _out(self, spec: TrialSpec) -> Path:
        return self._store.work / f"{spec.name}.json"

    def _log(self, spec: TrialSpec) -> Path:
        return self._store.logs / f"{spec.name}.log"

    def _spec(self, subject: Subject, block: int, role: Role, position: int) -> TrialSpec:
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
            position=position,
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
            environment=lambda _began_ns: child_environment(side.tree),
            cwd=side.tree.folder,
        )
        proofs = map(_proof, sorted(folder.glob("*.json")))
        return {proof.variant: proof for proof in proofs}


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


def _key(subject: Subject) -> tuple[str, str]:
    return subject.variant, subject.phase


def _proof(path: Path) -> VariantProof:
    return decode(path.read_bytes(), VariantProof, str(path))
