"""Each trap is found, and a clean run accuses nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.evidence import Severity
from bench.results import compute
from bench.schema import FailureKind, TrialRecord
from leafmodel.pipelines.facts import ProofStatus
from tests.bench.samples import (
    SECOND,
    data_summary,
    environment,
    failed_record,
    proof_check,
    proof_records,
    run_record,
    trial_records,
)

SECONDS = {"default": 10.0, "in_model": 8.0, "ceiling_none": 7.0, "ceiling_model": 7.6}
QUIET = {"block_noise": 0.004, "epoch_noise": 0.004}


def find(run=None, trials=None, proofs=None):
    run = run or run_record()
    trials = trial_records(run, SECONDS, **QUIET) if trials is None else trials
    found = compute(run, trials, proof_records(run) if proofs is None else proofs).findings
    return {finding.code: finding for finding in found}


def change(trials, variant, **changes):
    """The trials with one variant's records changed."""
    return [
        replace(trial, **changes) if trial.spec.variant == variant else trial for trial in trials
    ]


def changed_epochs(trials, variant, how):
    return [
        replace(trial, epochs=tuple(map(how, trial.epochs)))
        if trial.spec.variant == variant
        else trial
        for trial in trials
    ]


def slowed(epoch, factor):
    steps = tuple(round(factor * step) for step in epoch.step_ns)
    return replace(epoch, step_ns=steps, epoch_ns=epoch.head_ns + sum(steps) + epoch.tail_ns)


def quiet(run):
    return trial_records(run, SECONDS, **QUIET)


def test_a_clean_run_accuses_nobody():
    found = find()
    assert {finding.severity for finding in found.values()} <= {Severity.INFO}


def stalled(epoch):
    lost = 9 * SECOND if epoch.epoch == 2 else 0
    return replace(epoch, tail_ns=epoch.tail_ns + lost, epoch_ns=epoch.epoch_ns + lost)


def test_a_stall_at_an_epoch_boundary_names_the_autotuner():
    run = run_record(variants=("default", "in_model", "keras_stock"))
    found = find(run, changed_epochs(quiet(run), "keras_stock", stalled))
    assert found["autotune-stall"].where == "keras_stock, cnn"
    assert found["autotune-stall"].cost_s == pytest.approx(9 / 3, rel=0.05)
    assert "autotune.enabled = False" in found["autotune-stall"].remedy
    found = find(run, changed_epochs(quiet(run), "in_model", stalled))
    assert "autotune-stall" not in found
    assert found["slow-boundary"].where == "in_model, cnn"


def test_a_stall_of_the_default_names_the_prefetch_that_keras_puts_around_it():
    run = run_record()
    found = find(run, changed_epochs(quiet(run), "default", stalled))
    assert "autotuned prefetch around every generator" in found["autotune-stall"].remedy


@pytest.mark.parametrize(
    ("status", "severity"),
    [(ProofStatus.DIFFERS, Severity.INFO), (ProofStatus.FAILED, Severity.PROBLEM)],
)
def test_a_hidden_prefetch_is_named(status, severity):
    run = run_record()
    first, second = proof_records(run)
    check = proof_check("hidden prefetch", status, "none", "injected")
    found = find(run, proofs=(replace(first, checks=(*first.checks, check)), second))
    assert found["hidden-prefetch"].severity is severity
    assert found["hidden-prefetch"].where == "default"


def test_the_shuffle_behind_a_cache_in_a_file_holds_all_images_in_memory():
    variants = ("default", "file_cache", "memory_mapped")
    run = run_record(variants=variants, data=data_summary(train_images=50_000))
    found = find(run)["cache-too-large"]
    assert found.where == "file_cache, cnn"
    assert "loader=memory_mapped" in found.remedy


@pytest.mark.parametrize(
    ("images", "severity"), [(50_000, Severity.PROBLEM), (30_000, Severity.WARNING)]
)
def test_a_cache_larger_than_memory(images, severity):
    run = run_record(variants=("default", "cache"), data=data_summary(train_images=images))
    found = find(run)["cache-too-large"]
    assert (found.severity, found.where) == (severity, "cache, cnn")
    assert "peak of the process: 1.4 GiB" in found.what


def test_waiting_for_input_has_a_cost():
    found = find()["input-bound"]
    assert found.severity is Severity.INFO
    assert found.cost_share == pytest.approx(0.13, abs=0.02)


def test_compute_bound_says_how_much_is_left():
    found = find()["compute-bound"]
    assert found.where == "in_model, cnn"
    assert found.cost_share == pytest.approx(0.05, abs=0.01)
    assert "no pipeline change can give more than about 1.0" in found.what


def test_a_pipeline_slower_than_the_model():
    run = run_record()
    trials = change(quiet(run), "default", loader_epoch_ns=(9 * SECOND, 9 * SECOND))
    found = find(run, trials)["pipeline-bound"]
    assert found.where == "default, cnn"
    assert found.cost_s == pytest.approx(2.0, abs=0.2)


def test_other_load():
    run = run_record()
    trials = list(quiet(run))
    trials[4] = replace(trials[4], other_cpu_ns=trials[4].wall_ns)
    found = find(run, trials)["other-load"]
    assert found.where == trials[4].spec.name
    assert found.cost_share == pytest.approx(0.5)


def test_a_noisy_machine():
    assert find(run_record(machine=environment(noise=0.2)))["noisy-machine"].cost_share == 0.2


def test_drift_across_blocks():
    run = run_record()

    def slower(trial: TrialRecord) -> TrialRecord:
        factor = 1 + 0.15 * trial.spec.block
        epochs = tuple(slowed(e, factor) for e in trial.epochs)
        return replace(trial, epochs=epochs)

    found = find(run, [slower(trial) for trial in quiet(run)])["drift"]
    assert found.cost_share == pytest.approx(0.3, abs=0.02)
    assert "block 2 than in block 0" in found.what


@pytest.mark.parametrize(("blocks", "epochs"), [(2, 4), (3, 2)])
def test_too_few_samples(blocks, epochs):
    assert "too-few-samples" in find(run_record(blocks=blocks, epochs=epochs))


def test_a_noise_floor_that_leaves_out_one():
    run = run_record()
    trials = [
        replace(
            trial,
            epochs=tuple(slowed(e, 1.2) for e in trial.epochs),
        )
        if trial.spec.replica
        else trial
        for trial in quiet(run)
    ]
    found = find(run, trials)["noise-floor"]
    assert found.severity is Severity.PROBLEM
    assert found.cost_share == pytest.approx(0.2, abs=0.02)


def test_retraces():
    run = run_record()
    assert find(run, change(quiet(run), "in_model", traces=3))["retraces"].where == "in_model, cnn"


def test_failed_trials():
    run = run_record()
    first, *rest = quiet(run)
    found = find(run, [failed_record(first.spec), *rest])["failed-trials"]
    assert (found.severity, found.where) == (Severity.PROBLEM, "default")
    assert "read the end of their logs" in found.remedy


def test_where_memory_ran_out_the_remedy_says_what_to_lower():
    run = run_record()
    first, *rest = quiet(run)
    killed = failed_record(first.spec, FailureKind.MEMORY)
    assert "lower --batch-size" in find(run, [killed, *rest])["failed-trials"].remedy


def test_a_partial_run():
    run = run_record()
    assert find(run, quiet(run)[:-3])["partial-run"].cost_share == pytest.approx(3 / 15)


def test_a_variant_that_was_not_proved():
    run = run_record()
    found = find(run, proofs=proof_records(run, without=["in_model"]))["not-proved"]
    assert (found.severity, found.where) == (Severity.PROBLEM, "in_model")


def test_a_missing_ceiling():
    assert "no-ceiling" in find(run_record(ceilings=False))


def test_a_ceiling_that_was_beaten():
    run = run_record()
    trials = trial_records(run, SECONDS | {"ceiling_model": 9.0}, **QUIET)
    assert find(run, trials)["ceiling-beaten"].where == "in_model, cnn"


def overlong_wait(epoch):
    return replace(epoch, wait_ns=tuple(2 * wait + SECOND for wait in epoch.wait_ns))


def backwards(epoch):
    return replace(epoch, wait_ns=(-2 * SECOND, *epoch.wait_ns[1:]))


@pytest.mark.parametrize("how", [overlong_wait, backwards])
def test_meters_that_disagree(how):
    run = run_record()
    assert "meters-disagree" in find(run, changed_epochs(quiet(run), "default", how))


def test_time_that_nobody_accounts_for():
    run = run_record()

    def idle(epoch):
        return replace(epoch, compute_ns=tuple(value // 2 for value in epoch.compute_ns))

    found = find(run, changed_epochs(quiet(run), "default", idle))["unaccounted-time"]
    assert found.where == "default, cnn"
    assert found.cost_share > 0.3


def test_speed_that_cost_accuracy():
    run = run_record()

    def worse(epoch):
        return replace(epoch, val_accuracy=0.1)

    found = find(run, changed_epochs(quiet(run), "in_model", worse))["accuracy-differs"]
    assert found.where == "in_model, cnn"
    assert found.cost_share == pytest.approx(0.45, abs=0.05)


def test_short_epochs_are_named_with_the_cost_of_their_first_batch():
    def cold(epoch):
        waits = (SECOND, *epoch.wait_ns[1:])
        return replace(epoch, wait_ns=waits)

    run = run_record()
    found = find(run, changed_epochs(quiet(run), "default", cold))["short-epochs"]
    assert found.where == "default, cnn"
    assert "only 10 steps" in found.what
    steady = [e for t in quiet(run) if t.spec.variant == "default" for e in t.epochs[1:]]
    usual_s = sum(epoch.wait_ns[1] for epoch in steady) / len(steady) / SECOND
    assert found.cost_s == pytest.approx(1 - usual_s, rel=0.05)


def test_equal_waits_are_no_short_epochs():
    assert "short-epochs" not in find()


def test_a_folder_with_fewer_images_than_the_suite_asks_for():
    found = find(run_record(images=17_728))["fewer-images"]
    assert "asks for 17,728 images, the folder has 768" in found.what
    assert "fewer-images" not in find(run_record(images=768))


def test_a_missing_prefetch_is_no_hidden_one():
    run = run_record()
    check = proof_check("prefetch", ProofStatus.FAILED, "2", "none")
    proofs = [replace(proof, checks=(check,)) for proof in proof_records(run)]
    found = find(run, proofs=proofs)
    assert "hidden-prefetch" not in found
    assert "not-proved" in found
