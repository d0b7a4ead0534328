from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

from bench.schema import TrialRecord
from bench.tuning.results import best_of, compute, training
from bench.tuning.session import trial_spec
from bench.tuning.space import DEFAULT, Setting
from tests.bench.samples import trial_record
from tests.bench.tuning.study_samples import (
    by_learning_rate,
    reaching,
    settings,
    study_config,
    study_record,
    study_records,
)

CONFIG = study_config(epochs=4)
OTHER = Setting(0.5, 1e-3, 8, 64)


def spec(setting: Setting = OTHER, name: str = "search-00", block: int = 0):
    return trial_spec(CONFIG, name, setting, block, 0)


def record(*accuracies: float | None) -> TrialRecord:
    return trial_record(spec(), [1.0] * 4, val_accuracy=accuracies)


def checks(ours: list[float], theirs: list[float]) -> list[TrialRecord]:
    """Trainings of OTHER and of the default with seeds 1, 2, ..., and OTHER as the best one."""
    made = [reaching(spec(), 0.9)]
    for setting, values in ((OTHER, ours), (DEFAULT, theirs)):
        made += [
            reaching(spec(setting, f"check-{seed}-{setting.batch_size}", seed), value)
            for seed, value in enumerate(values, 1)
        ]
    return made


def test_accuracy_is_the_mean_of_the_last_two_epochs_not_the_luckiest() -> None:
    assert training(record(0.2, 0.9, 0.5, 0.6)).accuracy == pytest.approx(0.55)


def test_one_epoch_is_its_own_accuracy() -> None:
    short = trial_record(spec(), [1.0], val_accuracy=[0.3])
    assert training(short).accuracy == pytest.approx(0.3)


def test_a_diverged_training_has_no_accuracy_and_says_so() -> None:
    found = training(record(0.2, 0.3, 0.3, None))
    assert found.accuracy is None
    assert found.failure == "it diverged: its validation accuracy is no number"


def test_a_training_says_its_setting() -> None:
    found = training(record(0.2, 0.3, 0.3, 0.3))
    assert found.setting == OTHER
    assert found.check == 0


def test_best_is_the_first_of_the_highest_and_never_a_failed_one() -> None:
    a, b, c = (training(replace(record(0, 0, x, x), spec=spec(name=str(x)))) for x in (0.4, 0.6, 0))
    assert best_of([a, b, replace(b, name="later"), replace(c, accuracy=None)]) == b
    assert best_of([replace(c, accuracy=None)]) is None
    assert best_of([]) is None


def test_difference_is_paired_by_seed() -> None:
    """The seeds differ by far more than the settings: unpaired, nothing could be told."""
    found = compute(study_record(), checks([0.31, 0.62, 0.92], [0.30, 0.60, 0.90])).check
    assert found.pairs == 3
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.05 / 3)
    assert found.difference.low is not None
    assert found.difference.low > 0


def test_a_failed_check_drops_its_pair_and_with_it_the_interval() -> None:
    records = checks([0.5, 0.6, 0.7], [0.5, 0.5])
    found = compute(study_record(), records).check
    assert found.pairs == 2
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.05)
    assert found.difference.low is None


def test_noise_is_that_between_seeds_of_one_setting() -> None:
    ours, theirs = [0.5, 0.6, 0.7], [0.2, 0.2, 0.5]
    found = compute(study_record(), checks(ours, theirs)).check
    pooled = (statistics.variance(ours) + statistics.variance(theirs)) / 2
    assert found.seed_noise == pytest.approx(pooled**0.5)


def test_where_the_default_is_best_there_is_no_difference_but_noise() -> None:
    records = [reaching(spec(DEFAULT), 0.9)]
    records += [reaching(spec(DEFAULT, f"check-{k}-default", k), 0.8 + k / 100) for k in (1, 2, 3)]
    found = compute(study_record(trials=1), records)
    assert found.check.difference is None
    assert found.check.seed_noise == pytest.approx(0.01)
    assert found.complete


def test_planted_learning_rate_is_named_through_records() -> None:
    study = study_record()
    found = compute(study, study_records(study, by_learning_rate))
    assert found.decomposition.named == ("learning_rate",)
    assert found.decomposition.importances[0].best == 1e-3
    assert found.best is not None
    assert found.best.setting.learning_rate == 1e-3
    assert found.complete


def test_trainings_are_sorted_with_failures_last_whatever_order_records_come_in() -> None:
    study = study_record()
    records = study_records(study, by_learning_rate, failing=(2, 5))
    found = compute(study, records)
    reached = [item.accuracy for item in found.trainings]
    assert reached[-2:] == [None, None]
    assert reached[:-2] == sorted(reached[:-2], reverse=True)
    assert compute(study, reversed(records)) == found
    assert found.decomposition.trainings == 22


def test_a_study_without_its_checks_is_not_complete() -> None:
    study = study_record()
    assert not compute(study, study_records(study, by_learning_rate, checked=False)).complete
    assert not compute(study, study_records(study, by_learning_rate)[:-1]).complete


def test_nothing_learnt_names_nothing() -> None:
    """Accuracies around the share of the largest class: what differs is luck."""
    study = study_record()
    found = compute(study, study_records(study, lambda s: 0.34 + 0.1 * s.dropout, noise=0.001))
    assert found.decomposition.named == ()
    assert "most frequent class" in found.decomposition.why


def test_samples_are_what_they_say() -> None:
    assert len(set(settings(100))) == 100
