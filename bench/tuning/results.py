"""What a study's records say: the best setting, whether it holds, and what matters. Pure.

**A training's accuracy** is the mean of the validation accuracies after its last two epochs. Not
the highest of all epochs: that is the luckiest of so many draws, and luckier with every epoch that
is trained. Two epochs rather than one, because a training jumps from epoch to epoch.

**The best of many trainings is partly luck too.** So the best setting and the default one are
trained again, both with the same few seeds that the search has not seen, and only those trainings
say whether it is better: by the interval of the difference, paired by seed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.schema import TrialRecord
from bench.tuning.importance import Decomposition, Importance, decompose
from bench.tuning.schema import StudyRecord
from bench.tuning.space import AXES, DEFAULT, SPACE, Setting, setting_of
from leafmodel.evaluate import Estimate, mean_interval, wilson

LAST_EPOCHS = 2
SEARCH_BLOCK = 0  # of the trials that search; those that check are blocks 1, 2, ...
NS_PER_S = 1e9


@dataclass(frozen=True)
class Training:
    """One training of the study.

    Attributes:
        check: 0 while searching, else the number of the seed that checks.
        accuracy: see the module; None if the training failed or diverged.
        seconds: from the start of its process to its end.
        failure: why there is no accuracy; empty if there is one.
    """

    name: str
    setting: Setting
    check: int
    accuracy: float | None
    seconds: float
    failure: str


@dataclass(frozen=True)
class Check:
    """The best setting of the search and the default one, trained again with other seeds.

    Attributes:
        best, default: accuracies, one a seed; equal if the best setting is the default one.
        difference: best less default, paired by seed; None without any pair, or if they are one.
        seed_noise: standard deviation between seeds of the same setting; None if it was not seen.
    """

    best: Estimate | None
    default: Estimate | None
    difference: Estimate | None
    pairs: int
    seed_noise: float | None


@dataclass(frozen=True)
class StudyResults:
    """Everything that the report shows.

    Attributes:
        trainings: of the search; best accuracy first, those without one last.
        checks: trainings with other seeds, in their order.
    """

    study: StudyRecord
    trainings: tuple[Training, ...]
    checks: tuple[Training, ...]
    decomposition: Decomposition
    check: Check

    @property
    def best(self) -> Training | None:
        """The training of the search with the highest accuracy."""
        return best_of(self.trainings)

    @property
    def failed(self) -> tuple[Training, ...]:
        """Trainings without an accuracy."""
        return tuple(t for t in (*self.trainings, *self.checks) if t.accuracy is None)

    @property
    def complete(self) -> bool:
        """Whether every training that the study wants has a record."""
        settings = 1 if self.best is None or self.best.setting == DEFAULT else 2
        config = self.study.config
        wanted = settings * config.checks if self.best else 0
        return len(self.trainings) >= config.trials and len(self.checks) >= wanted


def compute(study: StudyRecord, records: Iterable[TrialRecord]) -> StudyResults:
    """All that follows from a study's records, in whatever order they come."""
    trainings = sorted(map(training, records), key=lambda item: item.name)
    searched = [item for item in trainings if item.check == SEARCH_BLOCK]
    checks = tuple(item for item in trainings if item.check != SEARCH_BLOCK)
    best = best_of(searched)
    return StudyResults(
        study=study,
        trainings=tuple(sorted(searched, key=lambda item: -(item.accuracy or -1.0))),
        checks=checks,
        decomposition=_decomposition(study, searched),
        check=_check(checks, best.setting if best else DEFAULT),
    )


def training(record: TrialRecord) -> Training:
    """What a record says about the setting that it trained."""
    accuracy = _accuracy(record)
    why = "" if accuracy is not None else "it diverged: its validation accuracy is no number"
    return Training(
        name=record.spec.name,
        setting=setting_of(record.spec.phase, record.spec.batch_size),
        check=record.spec.block,
        accuracy=accuracy,
        seconds=record.wall_ns / NS_PER_S,
        failure=f"{record.failure.kind}: {record.failure.message}" if record.failure else why,
    )


def best_of(trainings: Iterable[Training]) -> Training | None:
    """The training with the highest accuracy, the first of equals; None if none has one."""
    able = [item for item in trainings if item.accuracy is not None]
    return max(able, key=lambda item: item.accuracy or 0.0, default=None)


def _accuracy(record: TrialRecord) -> float | None:
    values = [epoch.val_accuracy for epoch in record.epochs[-LAST_EPOCHS:]]
    known = [value for value in values if value is not None and math.isfinite(value)]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def learnt(study: StudyRecord, searched: Iterable[Training]) -> bool:
    """Whether the best training knows more than which class is frequent, beyond luck."""
    best = best_of(searched)
    if best is None or best.accuracy is None:
        return False
    return wilson(best.accuracy, study.data.validation_images)[0] > study.guess


def _decomposition(study: StudyRecord, searched: Sequence[Training]) -> Decomposition:
    if not learnt(study, searched):
        why = "no training learnt more than to name the most frequent class"
        return Decomposition(len(searched), None, tuple(map(Importance, AXES)), why)
    able = [(item.setting, item.accuracy) for item in searched if item.accuracy is not None]
    columns = {
        axis.name: [axis.natural(getattr(setting, axis.name)) for setting, _ in able]
        for axis in SPACE
    }
    found = decompose(columns, [accuracy for _, accuracy in able])
    return replace(found, importances=tuple(map(_with_level, found.importances)))


def _with_level(item: Importance) -> Importance:
    """The best value as a level, no longer on the scale on which it acts."""
    if item.best is None:
        return item
    return replace(item, best=AXES[item.name].level_at(item.best))


def _check(checks: Sequence[Training], best: Setting) -> Check:
    ours, theirs = _by_seed(checks, best), _by_seed(checks, DEFAULT)
    pairs = [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]
    is_new = best != DEFAULT
    groups = [list(ours.values()), list(theirs.values())] if is_new else [list(theirs.values())]
    return Check(
        best=mean_interval(list(ours.values())) if ours else None,
        default=mean_interval(list(theirs.values())) if theirs else None,
        difference=mean_interval(pairs) if pairs and is_new else None,
        pairs=len(pairs) if is_new else 0,
        seed_noise=_pooled(groups),
    )


def _by_seed(checks: Sequence[Training], setting: Setting) -> dict[int, float]:
    return {
        item.check: item.accuracy
        for item in checks
        if item.setting == setting and item.accuracy is not None
    }


def _pooled(groups: Sequence[Sequence[float]]) -> float | None:
    """Standard deviation inside groups, over all of them; None without two values in any."""
    usable = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in usable)
    if not freedom:
        return None
    squares = sum((len(group) - 1) * statistics.variance(group) for group in usable)
    return math.sqrt(squares / freedom)
