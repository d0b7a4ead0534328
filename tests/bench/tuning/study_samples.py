"""Made-up studies: who proposes, what a training reaches, and the records of a whole study."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.executor import failed_record
from bench.schema import SCHEMA_VERSION, Failure, FailureKind, TrialRecord
from bench.tuning.results import LAST_EPOCHS, best_of, training
from bench.tuning.schema import Answer, StudyConfig, StudyRecord
from bench.tuning.session import search_name, trial_spec
from bench.tuning.space import DEFAULT, SPACE, Setting, setting_from
from tests.bench.samples import data_summary, environment, trial_record

CREATED = "2026-01-02T03:04:05+00:00"


class ListedProposer:
    """Proposes the settings of a list, and remembers what it was told."""

    def __init__(self, settings: Sequence[Setting]) -> None:
        self._settings = settings
        self.told: list[tuple[Answer, ...]] = []

    def next(self, answers: Sequence[Answer]) -> Setting | None:
        self.told.append(tuple(answers))
        assert [answer.setting for answer in answers] == list(self._settings[: len(answers)])
        return self._settings[len(answers)] if len(answers) < len(self._settings) else None


def settings(count: int, seed: int = 0) -> list[Setting]:
    """Different settings, drawn at random."""
    rng = random.Random(seed)
    found: dict[Setting, None] = {}
    while len(found) < count:
        found[setting_from({axis.name: rng.choice(axis.levels) for axis in SPACE})] = None
    return list(found)


def study_config(**changes: Any) -> StudyConfig:
    """Twenty-four settings of eight epochs; any field can be given."""
    values: dict[str, Any] = {
        "data": "data/leaves",
        "trials": 24,
        "epochs": 8,
        "images": 768,
        "image_size": 64,
        "variant": "in_model_cache",
        "seed": 0,
    }
    return StudyConfig(**(values | changes))


def study_record(**config: Any) -> StudyRecord:
    """The head of a study; keywords go to its configuration."""
    return StudyRecord(
        schema_version=SCHEMA_VERSION,
        study_id="20260102-030405-tune",
        created_at=CREATED,
        leafbench_version="0.1.0",
        command=("leafbench", "tune", "--images", "768"),
        config=study_config(**config),
        data=data_summary(),
        environment=environment(),
        space={axis.name: axis.levels for axis in SPACE},
        proposer="keras-tuner 1.4.8, RandomSearchOracle",
        guess=0.34,
    )


def by_learning_rate(setting: Setting) -> float:
    """An accuracy that nothing but the learning rate decides, best at 0.001."""
    return 0.8 - 0.03 * (np.log2(setting.learning_rate) - np.log2(1e-3)) ** 2


def study_records(
    study: StudyRecord,
    accuracy: Callable[[Setting], float],
    *,
    noise: float = 0.02,
    failing: Sequence[int] = (),
    checked: bool = True,
) -> tuple[TrialRecord, ...]:
    """The records of a study whose trainings reach `accuracy` of their setting, and noise."""
    rng = np.random.default_rng(7)
    config = study.config
    tried = settings(config.trials)
    records = []
    for number, setting in enumerate(tried):
        spec = trial_spec(config, search_name(config, number), setting, 0, number)
        reached = accuracy(setting) + rng.normal(0, noise)
        records.append(reaching(spec, float(reached)))
        if number in failing:
            why = Failure(FailureKind.MEMORY, "killed by the system", "...")
            records[-1] = failed_record(spec, why, CREATED, 5_000_000_000)
    if checked:
        found = best_of(map(training, records))
        best = found.setting if found else DEFAULT
        for seed in range(1, config.checks + 1):
            for role, setting in {"default": DEFAULT, "best": best}.items():
                spec = trial_spec(config, f"check-{seed}-{role}", setting, seed, 0)
                records.append(reaching(spec, float(accuracy(setting) + rng.normal(0, noise))))
    return tuple(records)


def reaching(spec: Any, accuracy: float) -> TrialRecord:
    """A record that climbs to `accuracy` and stays there for the epochs that count."""
    reached = min(0.999, max(0.0, accuracy))
    climb = np.linspace(0.1, reached, spec.epochs)
    climb[-LAST_EPOCHS:] = reached
    record = trial_record(spec, [2.0] * spec.epochs, val_accuracy=climb.tolist())
    return replace(record, wall_ns=20_000_000_000)
