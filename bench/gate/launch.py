"""From what the command line says to a check with real git, processes and clocks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import environment, images
from bench.config import for_machine, gate_table, make_config
from bench.environment import leafbench_version
from bench.gate import revision, session, tree
from bench.gate.blocks import Role
from bench.gate.decision import FAMILY_ERROR
from bench.gate.options import (
    GateOptions,
    budget_s,
    parse_options,
    with_floor,
    with_threshold,
)
from bench.gate.runner import AS_IT_IS, Contender, ProcessRunner, subjects
from bench.gate.schema import VERDICT_VERSION, Side, Source, Verdict, VerdictRecord
from bench.gate.session import Decided, Task
from bench.gate.store import CheckRecord, CheckStore
from bench.gate.tree import Harness
from bench.launch import REPORTS, interrupt_on_terminate
from bench.progress import Progress, counting
from bench.schema import SCHEMA_VERSION, RunConfig
from bench.turns import Turn
from bench.values import Given

SUITE = "gate"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        against: a revision. suite, out, budget: None where not given.
        overrides: of the suite.
        thresholds, floors: as given, `epoch=8%`.
        plant: makes the head slower than it is, to try the gate itself.
    """

    against: str
    repository: Path
    command: tuple[str, ...]
    suite: str = SUITE
    out: Path | None = None
    budget: str | None = None
    self_test: bool | None = None
    overrides: Mapping[str, Any] | None = None
    thresholds: Sequence[str] = ()
    floors: Sequence[str] = ()
    plant: Turn = AS_IT_IS


def check(asked: Asked, progress: Progress) -> tuple[VerdictRecord, Path]:
    """Measure, decide, and say where the records are.

    Raises:
        BenchError, LeafmodelError: wrong usage, or the machine cannot be used: no verdict.
    """
    interrupt_on_terminate()
    config = for_machine(make_config(asked.suite, asked.overrides), environment.gpus())
    options = options_of(asked)
    repository = revision.find_repository(asked.repository)
    reference = revision.resolve(repository, asked.against)
    head = revision.working_tree(repository)
    folder = asked.out or REPORTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-check"
    with CheckStore.create(folder) as store:
        sides = _Sides(asked, repository, reference, head)
        decided = _measured(sides, config, options, store, progress)
        return _record(decided, sides, options), store.folder


def options_of(asked: Asked) -> GateOptions:
    """The suite's options, with what the command line says on top.

    Raises:
        ConfigError: anything malformed.
    """
    options = parse_options(*gate_table(asked.suite))
    if asked.budget is not None:
        options = replace(options, budget_s=budget_s(Given(asked.budget, "--budget")))
    if asked.self_test is not None:
        options = replace(options, self_test=asked.self_test)
    for text in asked.thresholds:
        options = with_threshold(options, Given(text, "--threshold"))
    for text in asked.floors:
        options = with_floor(options, Given(text, "--floor"))
    return options


@dataclass(frozen=True)
class _Sides:
    """What is compared, and where it lies."""

    asked: Asked
    repository: Path
    reference: Side
    head: Side

    def checked_out(self, scratch: Path) -> AbstractContextManager[Path]:
        """The reference in a worktree, removed at the end whatever happens."""
        return revision.worktree(self.repository, self.reference.commit, scratch)


def _measured(
    sides: _Sides, config: RunConfig, options: GateOptions, store: CheckStore, progress: Progress
) -> Decided:
    """Prepare both sides and measure; a side that cannot be used is a verdict too."""
    loaded = images.load(config, store.work, counting(progress, "images checked"))
    store.write_head(
        CheckRecord(
            schema_version=SCHEMA_VERSION,
            created_at=_now(),
            leafbench_version=leafbench_version(),
            command=sides.asked.command,
            reference=sides.reference,
            head=sides.head,
            options=options,
            environment=environment.read(),
            config=config,
            data=loaded.summary,
        )
    )
    with ExitStack() as stack:
        folder = stack.enter_context(sides.checked_out(store.work))
        try:
            contenders, notes = _contenders(sides, config, folder, store.work, progress)
        except tree.TreeError as error:
            return _nothing(str(error))
        common = [n for n in config.variants if all(n in c.pipelines for c in contenders.values())]
        if not common:
            return _nothing(
                f"{sides.reference.name} and the working tree have none of the suite's variants in "
                f"common ({', '.join(config.variants)}): name some that both have with --variants."
            )
        runner = ProcessRunner(
            config, loaded, store, contenders, options, counting(progress, "turns")
        )
        task = Task(subjects(config, common), options, loaded.summary.validation_images)
        decided = session.check(task, runner, time.monotonic, progress.note)
    return replace(decided, notes=(*notes, *decided.notes))


def _contenders(
    sides: _Sides, config: RunConfig, folder: Path, scratch: Path, progress: Progress
) -> tuple[dict[Role, Contender], tuple[str, ...]]:
    """Both sides, ready to train; and what is to be known of them.

    Raises:
        TreeError: a side cannot be used.
    """
    there = tree.prepare(folder, sides.repository, scratch, progress.note)
    here = tree.Tree.of_this_interpreter(sides.repository)
    theirs, ours = tree.harness(there), tree.harness(here)
    contenders = {
        Role.REFERENCE: Contender(there, theirs.variants),
        Role.HEAD: Contender(here, ours.variants, sides.asked.plant),
    }
    differing = [_differing(name, theirs, ours, sides.reference.name) for name in config.variants]
    notes = (*revision.unfilled(folder), *there.notes, *here.notes, *filter(None, differing))
    return contenders, notes


def _differing(name: str, theirs: Harness, ours: Harness, reference: str) -> str:
    """What is to be known of a variant that both sides do not have alike; empty if they do."""
    for harness, who in ((theirs, reference), (ours, "the working tree")):
        if name not in harness.variants:
            why = harness.unknown.get(name, "there is no such variant")
            return f"{name} is not compared: at {who}, {why}"
    if theirs.variants[name] != ours.variants[name]:
        return f"{name} stands for another pipeline than at {reference}"
    return ""


def _nothing(why: str) -> Decided:
    return Decided(Verdict.NOTHING, (why,), (), None, 0, 0.0, ())


def _record(decided: Decided, sides: _Sides, options: GateOptions) -> VerdictRecord:
    dirty = (
        "the working tree has changes that are in no commit: they were measured too"
        if sides.head.dirty
        else ""
    )
    return VerdictRecord(
        schema_version=VERDICT_VERSION,
        source=Source.REVISIONS,
        verdict=decided.verdict,
        reasons=decided.reasons,
        created_at=_now(),
        leafbench_version=leafbench_version(),
        reference=sides.reference,
        head=sides.head,
        changes=decided.changes,
        self_test=decided.self_test,
        family_error=FAMILY_ERROR,
        budget_s=options.budget_s,
        spent_s=decided.spent_s,
        blocks=decided.blocks,
        notes=tuple(filter(None, (dirty, *decided.notes))),
        environment=environment.read(),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
