"""A run from its first check to its report: the only loop.

Images are checked, split and prepared; every variant is proved to be what it says; then the trials
run in the order of the plan, and each record is on disk before the next trial starts. Whatever ends
a run, `resume` goes on behind the last record. A shard of a run proves and starts for itself, runs
its blocks of the plan, and leaves profiles and the look through the images to the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bench import audit, images, plan, shards, starts, tensorboard_logs
from bench.backends import Backend
from bench.changes import require_resumable, require_unchanged
from bench.environment import leafbench_version
from bench.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TRIALS_FAILED
from bench.executor import Executor, failed_record
from bench.images import Images
from bench.profile_session import Profiler
from bench.progress import Progress
from bench.reporting import Report
from bench.requests import ProofRequest, TrialRequest
from bench.schema import (
    SCHEMA_VERSION,
    Environment,
    Failure,
    FailureKind,
    RunConfig,
    RunRecord,
    Shard,
    TrialKind,
    TrialRecord,
    TrialSpec,
    TrialStatus,
    VariantProof,
)
from bench.starts import Starts
from bench.store import AUDIT, Store, StoredRun, read
from leafmodel.pipelines.facts import ProofStatus


@dataclass(frozen=True)
class Tools:
    """What a session works with; tests bring their own.

    Attributes:
        executor: makes the executor of a run from its folder for logs.
        environment: reads the machine, for runs on a backend.
        now: the time, in UTC.
        report: renders the report of a run folder.
    """

    executor: Callable[[Path], Executor]
    progress: Progress
    environment: Callable[[Backend], Environment]
    now: Callable[[], datetime]
    report: Callable[[Path], Report]


@dataclass(frozen=True)
class Outcome:
    """How a run ended; no report if nothing was recorded."""

    folder: Path
    planned: int
    recorded: int
    failed: int
    interrupted: bool
    report: Report | None

    @property
    def exit_code(self) -> int:
        """The exit status of the command that made the run."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_TRIALS_FAILED if self.failed else EXIT_OK


def start(
    config: RunConfig,
    out: Path,
    command: tuple[str, ...],
    tools: Tools,
    shard: Shard | None = None,
    within: StoredRun | None = None,
) -> Outcome:
    """Make a new run, or a shard of one, in the folder `out`, which must not hold anything yet.

    Args:
        within: the run that this one is a part of, on the same images: its proofs hold here, too,
            and the link to the last run stays with it.

    Raises:
        BenchError, DataError: nothing was measured, and the folder is gone again.
        StoreError: a record could not be written; those before it are safe.
    """
    store = Store.create(out)
    try:
        loaded = images.load(config, store.work, _image_steps(tools))
        run = replace(_head(config, out.name, command, loaded, tools), shard=shard)
        store.write_run(run, loaded.split, latest=within is None)
        for proof in within.proofs if within else ():
            if proof.variant in config.variants:
                store.write_proof(proof)
    except BaseException:
        store.discard()
        raise
    with closing(store):
        return _carry_out(store, run, loaded, (), tools)


def resume(folder: Path, tools: Tools) -> Outcome:
    """Go on with a run behind its last record.

    Raises:
        PlanChangedError: plan, images or versions are not those that the run began with.
        MergeError: the run was merged from shards.
        StoreError: no run is there, or another process works on it, or a record is newer.
    """
    with closing(Store.reopen(folder)) as store:
        run = read(store.folder).run
        require_resumable(run)
        done = store.completed()
        loaded = images.load(run.config, store.work, _image_steps(tools))
        require_unchanged(run, loaded, tools.environment(run.config.backend))
        return _carry_out(store, run, loaded, done, tools)


def _head(
    config: RunConfig, run_id: str, command: tuple[str, ...], loaded: Images, tools: Tools
) -> RunRecord:
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        run_id=run_id,
        created_at=tools.now().isoformat(timespec="seconds"),
        leafbench_version=leafbench_version(),
        command=command,
        config=config,
        data=loaded.summary,
        environment=tools.environment(config.backend),
        plan=plan.build(config),
    )


def _carry_out(
    store: Store, run: RunRecord, loaded: Images, done: tuple[TrialRecord, ...], tools: Tools
) -> Outcome:
    """Prove, measure, report; an interrupt ends the measuring, never the report."""
    for note in loaded.notes:
        tools.progress.note(note)
    planned = {spec.name: spec for spec in shards.own_trials(run)}
    records = {r.spec.name: r for r in done if planned.get(r.spec.name) == r.spec}
    interrupted = False
    try:
        is_first = shards.makes_extras(run)
        if is_first and run.config.audit_data and not (store.folder / AUDIT).exists():
            store.write_audit(audit.look(loaded, _image_steps(tools)))
        round_ = _Round(store, run, loaded, tools)
        tensorboard_logs.write_columns(store.tensorboard, run.plan, run.created_at)
        round_.begin()
        _measure(round_, records)
        if is_first:
            round_.profiler.make_missing(records.values())
    except KeyboardInterrupt:
        interrupted = True
    finally:
        tools.progress.close()
    report = tools.report(store.folder) if records else None
    failed = sum(record.status is TrialStatus.FAILED for record in records.values())
    return Outcome(store.folder, len(planned), len(records), failed, interrupted, report)


class _Round:
    """What every proof and trial of a run shares."""

    def __init__(self, store: Store, run: RunRecord, loaded: Images, tools: Tools) -> None:
        self.store = store
        self.run = run
        self.tools = tools
        self.files = str(store.write_scratch("files.json", loaded.files).resolve())
        self.work = str(store.work.resolve())
        self.executor = tools.executor(store.logs)
        self.starts = Starts()

    @property
    def profiler(self) -> Profiler:
        progress = self.tools.progress
        return Profiler(self.store, self.run, self.executor, progress, self.files, self.starts)

    def begin(self) -> None:
        """Train what the run's phases continue from, if it is not there yet."""
        progress = self.tools.progress
        self.starts = starts.make(self.store, self.run.config, self.executor, progress, self.files)

    def trial(self, spec: TrialSpec) -> TrialRequest:
        out, start = str(Path(self.work) / f"{spec.name}.json"), self.starts.of(spec.phase)
        return TrialRequest(SCHEMA_VERSION, spec, self.files, self.work, out, start)

    def proof(self, missing: Mapping[str, object]) -> ProofRequest:
        config = self.run.config
        chosen = plan.pipelines(config)
        return ProofRequest(
            schema_version=SCHEMA_VERSION,
            pipelines={name: chosen[name] for name in missing},
            batch_size=config.batch_size,
            image_size=config.image_size,
            seed=config.seed,
            files=self.files,
            work=self.work,
            out=str(self.store.proofs.resolve()),
            backend=config.backend,
            service=config.service,
        )


def _measure(round_: _Round, records: dict[str, TrialRecord]) -> None:
    """Run every trial that has no record yet, storing each before the next one starts."""
    progress = round_.tools.progress
    own = shards.own_trials(round_.run)
    todo = [spec for spec in own if spec.name not in records]
    unfit = _prove(round_) if todo else {}
    progress.begin(own, tuple(records.values()))
    for spec in todo:
        progress.trial(spec)
        request = round_.trial(spec)
        reason = unfit.get(spec.variant) if spec.kind is TrialKind.TRAIN else None
        reason = reason or round_.starts.lacking(spec.phase)
        if reason is not None:
            now = round_.tools.now().isoformat(timespec="seconds")
            record = failed_record(spec, reason, now, wall_ns=0)
        else:
            record = round_.executor.run(request, progress.step)
        round_.store.write_trial(record)
        tensorboard_logs.write(round_.store.tensorboard, record)
        records[spec.name] = record
        progress.ended(record)


def _prove(round_: _Round) -> dict[str, Failure]:
    """Prove the variants that are not proved yet; why some must not be timed."""
    chosen = plan.pipelines(round_.run.config)
    proofs = _proofs(round_)
    broken: dict[str, Failure | None] = {}
    while missing := {n: p for n, p in chosen.items() if n not in proofs and n not in broken}:
        round_.tools.progress.note(f"Proving that {len(missing)} variants are what they say")
        timeout_s = round_.run.config.trial_timeout_s * len(missing)
        failure = round_.executor.prove(
            round_.proof(missing), timeout_s, round_.tools.progress.step
        )
        proofs = _proofs(round_)
        # Proofs are made in order: the first that is missing broke the process, not those behind.
        broken |= dict.fromkeys([n for n in missing if n not in proofs][:1], failure)
    reasons = {name: _unfit(proofs.get(name), broken.get(name)) for name in chosen}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _proofs(round_: _Round) -> dict[str, VariantProof]:
    """The stored proofs of the pipelines that this run has."""
    chosen = plan.pipelines(round_.run.config)
    stored = read(round_.store.folder).proofs
    return {p.variant: p for p in stored if chosen.get(p.variant) == p.pipeline}


def _unfit(proof: VariantProof | None, failure: Failure | None) -> Failure | None:
    """Why a variant must not be timed; None if it may."""
    if proof is None:
        why = failure.message if failure else "the worker left no proof"
        kind = failure.kind if failure else FailureKind.ERROR
        message = f"not timed, because its proof did not finish: {why}"
        return Failure(kind, message, failure.log_tail if failure else "")
    if proof.ok:
        return None
    bad = [check for check in proof.checks if check.status is ProofStatus.FAILED]
    found = "; ".join(
        f"{c.check}: expected {c.expected}, found {c.found}. {c.remedy}".strip() for c in bad
    )
    message = f"not timed, because it is not what it says: {found or 'nothing was checked'}"
    return Failure(FailureKind.ERROR, message, "")


def _image_steps(tools: Tools) -> Callable[[int, int], None]:
    return lambda done, total: tools.progress.step("images checked", done, total)
