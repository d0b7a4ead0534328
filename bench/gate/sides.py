"""Both sides of a check, ready to train: what runs their code, and what must be known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import ConfigError
from bench.gate import foreign, revision, tree
from bench.gate.asked import TURN_TIMEOUT_S, Asked, plants
from bench.gate.blocks import Role, Subject
from bench.gate.foreign import CommandRunner
from bench.gate.options import GateOptions
from bench.gate.runner import Contender, ProcessRunner, subjects
from bench.gate.session import Runner
from bench.gate.store import CheckStore
from bench.gate.tree import Harness, Tree, TreeError
from bench.images import Images
from bench.progress import Progress, counting
from bench.schema import RunConfig
from bench.variants import pipeline_of
from leafmodel.pipelines.spec import PipelineSpec


@dataclass(frozen=True)
class Checkout:
    """Where both sides lie: the head in the repository itself, the reference beside it."""

    repository: Path
    reference: Path
    name: str
    scratch: Path


@dataclass(frozen=True)
class Ready:
    """What measures, what can be compared, and what to know beside it."""

    runner: Runner
    subjects: tuple[Subject, ...]
    notes: tuple[str, ...]
    validation_images: int = 0


def ready_suite(
    where: Checkout,
    asked: Asked,
    config: RunConfig,
    loaded: Images,
    store: CheckStore,
    progress: Progress,
) -> Ready:
    """A suite of leafbench, trained by each side's own leafbench.

    Raises:
        TreeError: a side cannot be used, or both have none of the variants.
    """
    trees, notes = _trees(where, where.repository, where.reference, progress)
    harness = {role: tree.harness(side) for role, side in trees.items()}
    pipelines = {role: _pipelines(config, found) for role, found in harness.items()}
    common = [name for name in config.variants if all(name in p for p in pipelines.values())]
    if not common:
        raise TreeError(
            f"{where.name} and the working tree have none of the suite's variants in common "
            f"({', '.join(config.variants)}): name some that both have with --variants."
        )
    options = asked.options()
    runner = ProcessRunner(
        config,
        loaded,
        store,
        {role: Contender(trees[role], pipelines[role]) for role in trees},
        lambda subject: plants(options, subject.variant, asked.plant),
        counting(progress, "turns"),
    )
    told = [_differing(name, pipelines, harness, where.name) for name in config.variants]
    found = (*notes, *filter(None, told))
    return Ready(runner, subjects(config, common), found, loaded.summary.validation_images)


def ready_command(
    where: Checkout, asked: Asked, options: GateOptions, store: CheckStore, progress: Progress
) -> Ready:
    """A command of the user's own, run where they stand, in both trees.

    Raises:
        ConfigError: the command is malformed, or what it would run in is not in the reference.
        TreeError: a side cannot be used.
    """
    inside = asked.folder.resolve().relative_to(where.repository.resolve())
    there = where.reference / inside
    if not there.is_dir():
        raise ConfigError(f"There is no folder {inside} at {where.name}: stand where both have it.")
    trees, notes = _trees(where, where.repository / inside, there, progress)
    runner = CommandRunner(
        asked.training_words(),
        trees,
        store,
        plants(options, foreign.SUBJECT.variant, asked.plant),
        TURN_TIMEOUT_S,
        counting(progress, "turns"),
    )
    return Ready(runner, (foreign.SUBJECT,), notes)


def _trees(
    where: Checkout, head: Path, reference: Path, progress: Progress
) -> tuple[dict[Role, Tree], tuple[str, ...]]:
    there = tree.prepare(reference, head, where.scratch, progress.note, name=where.name)
    here = Tree.of_this_interpreter(head)
    notes = (*revision.unfilled(where.reference), *there.notes, *here.notes)
    return {Role.REFERENCE: there, Role.HEAD: here}, notes


def _pipelines(config: RunConfig, harness: Harness) -> dict[str, PipelineSpec]:
    """The pipelines of the run's variants, as a side's own leafbench has them."""
    found = {}
    for name in config.variants:
        try:
            found[name] = pipeline_of(name, harness.variants)
        except ConfigError:
            continue  # `_differing` says so
    return found


def _differing(
    name: str,
    pipelines: Mapping[Role, Mapping[str, PipelineSpec]],
    harness: Mapping[Role, Harness],
    reference: str,
) -> str:
    """What is to be known of a variant that both sides do not have alike; empty if they do."""
    for role, who in ((Role.REFERENCE, reference), (Role.HEAD, "the working tree")):
        if name not in pipelines[role]:
            why = harness[role].unknown.get(name, "there is no such variant")
            return f"{name} is not compared: at {who}, {why}"
    if pipelines[Role.REFERENCE][name] != pipelines[Role.HEAD][name]:
        return f"{name} stands for another pipeline than at {reference}"
    return ""
