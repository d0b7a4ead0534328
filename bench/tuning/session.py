"""A study from its first check to its report: propose, train, record, and at the end check.

Every record is on disk before the next training starts. Whatever ends a study, `resume` goes on
behind the last record.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bench import plan
from bench.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TRIALS_FAILED
from bench.executor import Executor
from bench.images import Images, OnProgress
from bench.progress import Progress
from bench.requests import TrialRequest
from bench.schema import SCHEMA_VERSION, Environment, TrialKind, TrialRecord, TrialSpec
from bench.tuning.head import load_images, make_head, require_possible, require_unchanged
from bench.tuning.proposer import Proposer
from bench.tuning.results import SEARCH_BLOCK, StudyResults, Training, best_of, training
from bench.tuning.schema import Answer, StudyConfig, StudyRecord
from bench.tuning.space import DEFAULT, Setting
from bench.tuning.store import StudyStore, read
from bench.variants import pipeline_variant


@dataclass(frozen=True)
class StudyTools:
    """What a study works with; tests bring their own.

    Attributes:
        executor: makes the executor from the study's folder for logs.
        proposer: makes who proposes settings.
        environment: reads the machine.
        now: the time, in UTC.
        report: writes the report of a study's folder.
    """

    executor: Callable[[Path], Executor]
    proposer: Callable[[StudyConfig, StudyStore], Proposer]
    progress: Progress
    environment: Callable[[], Environment]
    now: Callable[[], datetime]
    report: Callable[[Path], StudyResults]


@dataclass(frozen=True)
class StudyOutcome:
    """How a study ended; no results if nothing was recorded."""

    folder: Path
    interrupted: bool
    results: StudyResults | None

    @property
    def exit_code(self) -> int:
        """The exit status of the command that made the study."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        failed = self.results is not None and self.results.failed
        return EXIT_TRIALS_FAILED if failed else EXIT_OK


def start(
    config: StudyConfig, out: Path, command: tuple[str, ...], tools: StudyTools
) -> StudyOutcome:
    """Make a new study in the folder `out`, which must not hold anything yet.

    Raises:
        BenchError, DataError: nothing was trained, and the folder is gone again.
        StoreError: a record could not be written; those before it are safe.
    """
    require_possible(config)
    store = StudyStore.create(out)
    try:
        loaded = load_images(config, store.work, _image_steps(tools))
        study = make_head(config, out, command, loaded, tools.now(), tools.environment())
        store.write_study(study)
    except BaseException:
        store.discard()
        raise
    with closing(store):
        return _carry_out(_Study(store, study, loaded, tools), ())


def resume(folder: Path, tools: StudyTools) -> StudyOutcome:
    """Go on with a study behind its last record.

    Raises:
        PlanChangedError: space, images or versions are not those that the study began with.
        StoreError: no study is there, or another process works on it.
    """
    with closing(StudyStore.reopen(folder)) as store:
        stored = read(store.folder)
        loaded = load_images(stored.study.config, store.work, _image_steps(tools))
        require_unchanged(stored.study, loaded, tools.environment())
        for error in stored.broken:
            tools.progress.note(f"Trained again: {error}")
        return _carry_out(_Study(store, stored.study, loaded, tools), stored.trials)


class _Study:
    """What every training of a study shares, and the records so far."""

    def __init__(
        self, store: StudyStore, study: StudyRecord, loaded: Images, tools: StudyTools
    ) -> None:
        self.store = store
        self.config = study.config
        self.tools = tools
        # Without the test images: what is chosen by them could not be judged by them.
        files = replace(loaded.files, test=())
        self.notes = loaded.notes
        self._files = str(store.write_scratch("files.json", files).resolve())
        self._executor = tools.executor(store.logs)
        self.records: dict[str, TrialRecord] = {}
        self.wanted = study.config.trials + 2 * study.config.checks

    def train(self, spec: TrialSpec) -> Training:
        """Train what has no record yet, and put its record on disk."""
        known = self.records.get(spec.name)
        if known is not None and known.spec == spec:
            return training(known)
        progress, work = self.tools.progress, self.store.work.resolve()
        progress.trial(spec)
        request = TrialRequest(
            SCHEMA_VERSION, spec, self._files, str(work), str(work / f"{spec.name}.json")
        )
        record = self._executor.run(request, progress.step)
        self.store.write_trial(record)
        self.records[spec.name] = record
        done = training(record)
        progress.note(f"[{len(self.records)}/{self.wanted}] {_ended_text(done)}")
        return done


def _carry_out(study: _Study, done: tuple[TrialRecord, ...]) -> StudyOutcome:
    """Search, check, report; an interrupt ends the training, never the report."""
    study.records.update({record.spec.name: record for record in done})
    interrupted = False
    try:
        for note in study.notes:
            study.tools.progress.note(note)
        best = best_of(_search(study))
        if best is not None:
            _check(study, best.setting)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        study.tools.progress.close()
    results = study.tools.report(study.store.folder) if study.records else None
    return StudyOutcome(study.store.folder, interrupted, results)


def _search(study: _Study) -> list[Training]:
    """Train every setting that is proposed; what failed is an answer too."""
    proposer = study.tools.proposer(study.config, study.store)
    trainings: list[Training] = []
    for number in range(study.config.trials):
        name = search_name(study.config, number)
        known = study.records.get(name)
        if known is not None:
            trainings.append(training(known))
            continue
        answers = [Answer(item.setting, item.accuracy, item.failure) for item in trainings]
        setting = proposer.next(answers)
        if setting is None:
            study.tools.progress.note("KerasTuner has no other setting to propose.")
            break
        trainings.append(study.train(trial_spec(study.config, name, setting, SEARCH_BLOCK, number)))
    return trainings


def _check(study: _Study, best: Setting) -> None:
    """Train the best and the default setting again, with seeds that the search has not seen."""
    settings = {"default": DEFAULT} | ({"best": best} if best != DEFAULT else {})
    study.wanted = study.config.trials + len(settings) * study.config.checks
    for seed in range(1, study.config.checks + 1):
        for position, (role, setting) in enumerate(settings.items()):
            name = f"check-{seed}-{role}"
            study.train(trial_spec(study.config, name, setting, seed, position))


def trial_spec(
    config: StudyConfig, name: str, setting: Setting, block: int, position: int
) -> TrialSpec:
    """One training of a study; its block decides its seed."""
    return TrialSpec(
        name=name,
        kind=TrialKind.TRAIN,
        variant=config.variant,
        pipeline=pipeline_variant(config.variant).pipeline,
        phase=setting.phase,
        block=block,
        position=position,
        replica=0,
        epochs=config.epochs,
        batch_size=setting.batch_size,
        image_size=config.image_size,
        seed=plan.trial_seed(config.seed, block),
        timeout_s=config.trial_timeout_s,
    )


def search_name(config: StudyConfig, number: int) -> str:
    """The name of a training that searches; with as many digits as the last, so that they sort."""
    return f"search-{number:0{max(2, len(str(config.trials - 1)))}d}"


def _ended_text(done: Training) -> str:
    if done.accuracy is None:
        return f"{done.name} ({done.setting.text}) failed: {done.failure}"
    return f"{done.name} ({done.setting.text}): {done.accuracy:.1%} in {done.seconds:.0f} s"


def _image_steps(tools: StudyTools) -> OnProgress:
    return lambda done, total: tools.progress.step("images checked", done, total)
