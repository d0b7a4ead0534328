"""From what is asked to a verdict, with real git, processes and clocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import environment, images, session
from bench.config import for_machine, make_config
from bench.environment import leafbench_version
from bench.errors import ConfigError
from bench.gate import microbench, revision, sides, summaries, summary_files
from bench.gate.asked import Asked, with_limits
from bench.gate.decision import FAMILY_ERROR
from bench.gate.metrics import Metric
from bench.gate.options import GateOptions
from bench.gate.schema import VERDICT_VERSION, Side, Source, Verdict, VerdictRecord
from bench.gate.session import Decided, Task
from bench.gate.session import check as decide
from bench.gate.sides import Checkout, Ready
from bench.gate.store import CheckRecord, CheckStore
from bench.gate.tree import TreeError
from bench.launch import REPORTS, default_out, interrupt_on_terminate, real_tools
from bench.progress import Progress, counting
from bench.schema import SCHEMA_VERSION, DataSummary, RunConfig


def check(asked: Asked, progress: Progress) -> tuple[VerdictRecord, Path]:
    """Measure a revision against the working tree; the verdict, and the folder of the records.

    Raises:
        BenchError, LeafmodelError: wrong usage, or the machine cannot be used: no verdict.
    """
    interrupt_on_terminate()
    options = asked.options()
    repository = revision.find_repository(asked.folder)
    reference = revision.resolve(repository, asked.against)
    head = revision.working_tree(repository)
    folder = asked.out or REPORTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-check"
    with (
        CheckStore.create(folder) as store,
        revision.worktree(repository, reference.commit, store.work) as there,
    ):
        where = Checkout(repository, there, reference.name, store.work)
        measure = _measure_command if asked.training is not None else _measure_suite
        decided = measure(where, asked, (reference, head), store, progress)
        return _record(decided, (reference, head), options), store.folder


def check_summaries(
    baseline: Path, run: Path | None, thresholds: Sequence[str], progress: Progress
) -> VerdictRecord:
    """Hold a run against a summary from elsewhere; without a run, one is measured now.

    Raises:
        BenchError, LeafmodelError: a file cannot be used, or the run cannot be made.
    """
    options = with_limits(GateOptions(), thresholds, ())
    reference = summary_files.load(baseline)
    head = summary_files.load(run or _measured_now(progress))
    return summaries.check(reference, head, options.thresholds, _now())


def check_benchmarks(
    old: Path, new: Path, thresholds: Sequence[str], floors: Sequence[str]
) -> VerdictRecord:
    """Hold a file of pytest-benchmark against an older one.

    Raises:
        BenchError: a file cannot be used, or the two are of different machines.
    """
    for text in (*thresholds, *floors):
        if "=" in text:
            raise ConfigError(
                "--microbench compares the rounds of benchmarks, by one threshold and one floor: "
                f"leave out what names a metric, {text.partition('=')[0]}."
            )
    options = with_limits(GateOptions(), thresholds, floors)
    return microbench.check(old, new, options.thresholds.of("", Metric.STEP), _now())


def _measured_now(progress: Progress) -> Path:
    """The folder of a run of the default suite, made now."""
    interrupt_on_terminate()
    config = for_machine(make_config(), environment.gpus())
    out = default_out(config.suite, datetime.now(UTC))
    return session.start(config, out, ("leafbench", "check"), real_tools(progress)).folder


def _measure_suite(
    where: Checkout,
    asked: Asked,
    compared: tuple[Side, Side],
    store: CheckStore,
    progress: Progress,
) -> Decided:
    config = for_machine(asked.config(), environment.gpus())
    loaded = images.load(config, store.work, counting(progress, "images checked"))
    store.write_head(_head(asked, compared, config, loaded.summary))
    return _decided(
        lambda: sides.ready_suite(where, asked, config, loaded, store, progress),
        asked.options(),
        progress,
    )


def _measure_command(
    where: Checkout,
    asked: Asked,
    compared: tuple[Side, Side],
    store: CheckStore,
    progress: Progress,
) -> Decided:
    options = asked.options()
    store.write_head(_head(asked, compared, None, None))
    return _decided(
        lambda: sides.ready_command(where, asked, options, store, progress), options, progress
    )


def _decided(ready: Callable[[], Ready], options: GateOptions, progress: Progress) -> Decided:
    """Measure until it is decided; a side that cannot be used is a verdict too."""
    try:
        found = ready()
    except TreeError as error:
        return Decided(Verdict.NOTHING, (str(error),), (), None, 0, 0.0, ())
    task = Task(found.subjects, options, found.validation_images)
    decided = decide(task, found.runner, time.monotonic, progress.note)
    return replace(decided, notes=(*found.notes, *decided.notes))


def _head(
    asked: Asked,
    compared: tuple[Side, Side],
    config: RunConfig | None,
    data: DataSummary | None,
) -> CheckRecord:
    reference, head = compared
    return CheckRecord(
        schema_version=SCHEMA_VERSION,
        created_at=_now(),
        leafbench_version=leafbench_version(),
        command=asked.command,
        reference=reference,
        head=head,
        options=asked.options(),
        environment=environment.read(),
        config=config,
        data=data,
    )


def _record(decided: Decided, compared: tuple[Side, Side], options: GateOptions) -> VerdictRecord:
    reference, head = compared
    dirty = ("the working tree has changes that are in no commit: they were measured too",)
    return VerdictRecord(
        schema_version=VERDICT_VERSION,
        source=Source.REVISIONS,
        verdict=decided.verdict,
        reasons=decided.reasons,
        created_at=_now(),
        leafbench_version=leafbench_version(),
        reference=reference,
        head=head,
        changes=decided.changes,
        self_test=decided.self_test,
        family_error=FAMILY_ERROR,
        budget_s=options.budget_s,
        spent_s=decided.spent_s,
        blocks=decided.blocks,
        notes=(*(dirty if head.dirty else ()), *decided.notes),
        environment=environment.read(),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
