"""From a run's records to the blocks of its variants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import timed
from bench.schema import TrialStatus
from tests.bench.samples import (
    data_summary,
    failed_record,
    proof_records,
    run_record,
    trial_records,
)


def of_run(run, trials, phase="cnn"):
    proofs = {proof.variant: proof for proof in proof_records(run, without=["in_model"])}
    return timed.of_phase(run, trials, proofs, phase)


def test_a_variant_has_the_blocks_that_went_well_from_its_first_replica():
    run = run_record()
    trials = [
        failed_record(trial.spec)
        if (trial.spec.variant, trial.spec.block) == ("default", 1) and not trial.spec.replica
        else trial
        for trial in trial_records(run)
    ]
    assert sum(trial.status is TrialStatus.FAILED for trial in trials) == 1
    found = of_run(run, trials).variants
    assert list(found) == ["default", "in_model"]
    assert found["default"].blocks == {0, 2}
    assert found["in_model"].blocks == {0, 1, 2}
    assert found["default"].proved
    assert not found["in_model"].proved


def test_a_planned_variant_without_a_record_is_there_without_blocks():
    run = run_record()
    assert of_run(run, ()).variants["in_model"].blocks == frozenset()


def test_the_seconds_of_a_block_are_the_mean_of_its_steady_epochs():
    run = run_record()
    (trial,) = [t for t in trial_records(run) if t.spec.name == "b01-04-default-cnn"]
    steady = [epoch.epoch_ns / 1e9 for epoch in trial.epochs[1:]]
    assert len(steady) == 3
    found = of_run(run, trial_records(run)).variants["default"].seconds(1)
    assert found == pytest.approx(sum(steady) / 3)


@pytest.mark.parametrize(
    ("sizes", "idle"),
    [
        ({"256x256": 768}, {"resize", "decode"}),
        ({"256x256": 700, "300x200": 68}, set()),
        ({"128x128": 768}, set()),
    ],
)
def test_resizing_is_idle_only_if_every_image_has_the_size(sizes, idle):
    run = run_record(data=data_summary(image_sizes=sizes))
    assert of_run(run, ()).idle == idle


def test_a_run_without_augmentation_names_what_is_missing_without_it():
    run = run_record()
    run = replace(run, config=replace(run.config, augment=False))
    listed = of_run(run, ()).listed
    assert listed["in_model"] == listed["prefetch"]


def test_a_ratio_without_a_block_is_refused():
    run = run_record()
    with pytest.raises(ValueError, match="no block has both default and in_model"):
        of_run(run, ()).ratio("default", "in_model", {0})
