"""Each bottleneck gets its name from a made-up profile, and a healthy one accuses nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import bottlenecks
from bench.evidence import Evidence, Finding, Severity
from bench.findings import find as find_all
from bench.profile_measures import ProfileResult, measure
from bench.profile_schema import (
    KINDS,
    STAGES,
    AnalyserStep,
    Place,
    ProfileFailure,
    ProfileFailureKind,
)
from bench.results import compute
from tests.bench import profile_samples as samples
from tests.bench.profile_samples import profile_record, stage
from tests.bench.samples import (
    environment,
    epoch_record,
    proof_records,
    run_record,
    trial_records,
)

ACCUSATIONS = {"input-bound", "augmentation-bound", "sequential-stage", "boundary-stall"}
HEALTHY = {
    "input/hand-over": 0.03,
    "model/convolution": 0.80,
    "model/optimiser": 0.10,
    "model/dense": 0.02,
    "idle/idle": 0.05,
}


def profile(
    seconds: dict[str, float],
    variant: str = "plain",
    *,
    threads: float = 1.0,
    cores: int = 2,
    walls: dict[str, float] | None = None,
    **changes: Any,
) -> ProfileResult:
    """A profile of a step of `seconds`; its stages work with so many threads, each for as long as
    it is waited for, or for `walls` seconds a step. `changes` are fields of the reading."""
    walls = walls or {
        name: seconds[f"input/{name}"] for name in STAGES if f"input/{name}" in seconds
    }
    stages = tuple(
        stage(name, 8 * wall * threads, parallelism=threads) for name, wall in walls.items() if wall
    )
    reading = samples.reading(seconds, **({"stages": stages} | changes))
    (found,) = measure([profile_record(variant, seconds, reading=reading)], {}, cores)
    return found


def evolved(item: ProfileResult, **axes: Any) -> ProfileResult:
    """The profile of the pipeline with other axes."""
    spec = item.record.spec
    trial = replace(spec.trial, pipeline=spec.trial.pipeline.evolve(**axes))
    record = replace(item.record, spec=replace(spec, trial=trial))
    return replace(item, record=record)


def evidence(*items: ProfileResult, gpus: tuple[str, ...] = (), **values: Any) -> Evidence:
    run = run_record(machine=environment(gpus=gpus))
    return Evidence(run, (), (), (), {}, {}, items, **values)


def find(*items: ProfileResult, **values: Any) -> dict[str, Finding]:
    return {f.code: f for f in bottlenecks.find(evidence(*items, **values))}


def waiting(stage_name: str, share: float, **rest: float) -> dict[str, float]:
    """A step of a second that waits for one stage."""
    left = 1 - share - sum(rest.values())
    others = {key.replace("__", "/"): value for key, value in rest.items()}
    return {f"input/{stage_name}": share, "model/convolution": left, **others}


def test_a_healthy_profile_is_bound_by_its_model():
    (found,) = bottlenecks.find(evidence(profile(HEALTHY, walls={})))
    assert (found.code, found.severity) == ("compute-bound", Severity.INFO)
    assert found.what == (
        "the model computes in 92% of each step (convolution 80%, optimiser 10%, dense 2.0%) and "
        "waits for its batch in 3.0%: no pipeline change can save more than 3.0% of a step (1.03x)"
    )
    assert found.where == "plain, cnn"
    assert found.cost_share == pytest.approx(0.03)


@pytest.mark.parametrize(("share", "code"), [(0.0999, "compute-bound"), (0.1, "sequential-stage")])
def test_a_wait_counts_from_a_tenth_of_the_step_on(share, code):
    assert set(find(profile(waiting("decode", share)))) == {code}


@pytest.mark.parametrize(
    ("share", "code"), [(0.1499, "compute-bound"), (0.1501, "augmentation-bound")]
)
def test_augmentation_in_the_model_counts_from_fifteen_percent_on(share, code):
    seconds = {"model/augmentation": share, "model/convolution": 1 - share}
    assert set(find(profile(seconds, "in_model"))) == {code}


@pytest.mark.parametrize(
    ("threads", "code"), [(1.2, "sequential-stage"), (1.21, "input-bound"), (1.9, "input-bound")]
)
def test_a_stage_is_sequential_up_to_a_fifth_of_a_second_thread(threads, code):
    assert set(find(profile(waiting("decode", 0.3), threads=threads))) == {code}


@pytest.mark.parametrize("name", ["read", "decode", "resize", "convert"])
def test_a_sequential_stage_is_named_with_what_all_cores_would_save(name):
    found = find(profile(waiting(name, 0.4), cores=4))["sequential-stage"]
    assert found.what.startswith(
        f"each step waits for its batch in 40% of its time, longest for {name} (40%: 400 ms a "
        "step, 12 ms an image), which runs on one thread at a time of 4 cores"
    )
    assert "30% of a step (1.43x) by map_parallelism=0" in found.what
    assert "40% of a step (1.67x) by prefetch=2" in found.what
    assert "map_parallelism=0 (all cores)" in found.remedy
    assert ("cache=decoded" in found.remedy) == (name != "convert")


def test_one_core_has_no_sequential_stage():
    found = find(profile(waiting("decode", 0.4), cores=1))
    assert set(found) == {"input-bound"}
    assert "1.0 threads of 1 core;" in found["input-bound"].what
    assert "map_parallelism" not in found["input-bound"].what


def test_a_stage_that_no_map_spreads_is_no_sequential_one():
    found = find(profile(waiting("batch", 0.4)))
    assert set(found) == {"input-bound"}
    assert "map_parallelism" not in found["input-bound"].remedy


def test_a_parallel_pipeline_is_not_told_to_be_one():
    found = find(profile(waiting("decode", 0.4), "parallel"))["input-bound"]
    assert "map_parallelism" not in found.remedy
    assert found.remedy.startswith("cache=decoded, if the decoded images fit into memory; or ")


def test_a_pipeline_with_everything_on_needs_less_work():
    found = find(profile(waiting("shuffle", 0.4), "cache_prefetch"))["input-bound"]
    assert found.remedy.startswith("fewer or smaller images, or more cores")
    assert "40% of a step (1.67x) by a cheaper pipeline" in found.what


def test_nobody_at_work_is_a_hand_over():
    found = find(profile(waiting("hand-over", 0.4), "prefetch", walls={}))["input-bound"]
    assert "in which no stage of the pipeline is at work" in found.what
    assert found.remedy.startswith("larger batches")


def test_a_prefetch_hides_no_more_than_the_rest_of_the_step():
    found = find(profile(waiting("convert", 0.8), "parallel"))["input-bound"]
    assert "at most to be saved: 20% of a step (1.25x) by prefetch=2" in found.what
    assert found.cost_share == pytest.approx(0.2)


def test_work_that_ran_ahead_shrinks_too():
    """With 0.6 s of work behind a wait of 0.2 s, half the work is all of the wait."""
    item = profile(waiting("decode", 0.2), walls={"decode": 0.6})
    found = find(evolved(item, prefetch=2))["sequential-stage"]
    assert "20% of a step (1.25x) by map_parallelism=0" in found.what


def test_a_sequential_augmentation_has_the_name_of_the_augmentation():
    found = find(profile(dict(samples.PLAIN)))["augmentation-bound"]
    assert found.what == (
        "each step waits for its batch in 38% of its time, longest for augment (32%: 180 ms a "
        "step, 5.6 ms an image), which runs on one thread at a time of 2 cores; at most to be "
        "saved: 32% of a step (1.47x) by prefetch=2, 21% of a step (1.27x) by fused resamplings, "
        "16% of a step (1.19x) by map_parallelism=0"
    )
    assert "computes slower while the pipeline works" in found.remedy
    assert "augment=model would only move the work onto the same cores" in found.remedy
    assert found.cost_share == pytest.approx(0.18 / 0.56)


def test_an_accelerator_takes_the_augmentation():
    found = find(profile(waiting("augment", 0.4), "prefetch", threads=2.0), gpus=("Example GPU",))
    found = found["augmentation-bound"]
    assert "which runs on 2.0 threads of 2 cores" in found.what
    assert "40% of a step (1.67x) by augment=model" in found.what
    assert "same cores" not in found.remedy
    assert "slower" not in found.remedy


@pytest.mark.parametrize(
    ("name", "code"), [("python", "sequential-stage"), ("augment", "augmentation-bound")]
)
def test_the_python_generator_works_on_one_thread(name, code):
    found = find(profile(waiting(name, 0.3), "default"))[code]
    assert f"longest for {name} (30%" in found.what
    assert "one thread at a time" in found.what
    assert "30% of a step (1.43x) by loader=tf_data" in found.what
    assert "resamplings" not in found.remedy
    assert ("cache=decoded" in found.remedy) == (name == "python")


def test_fused_augmentation_is_not_told_to_be_fused():
    found = find(profile({"model/augmentation": 0.3, "model/convolution": 0.7}, "fused_model"))
    assert "fuse" not in found["augmentation-bound"].remedy
    assert "fused resamplings" not in found["augmentation-bound"].what


def test_a_memory_mapped_file_is_not_told_to_be_decoded_by_tf_data_or_cached():
    found = find(profile(waiting("read", 0.4), "memory_mapped"))["input-bound"]
    assert "tf_data" not in found.remedy
    assert "cache" not in found.remedy
    slow = evolved(profile(waiting("read", 0.4), "memory_mapped"), prefetch=0)
    assert "prefetch=2" in find(slow)["input-bound"].remedy


def test_augmentation_in_the_model_can_be_fused():
    found = find(profile(dict(samples.IN_MODEL), "in_model"))["augmentation-bound"]
    assert found.what == (
        "augmentation inside the model takes 24%: 120 ms a step, 3.8 ms an image; the step waits "
        "for its batch in 0.4%; at most to be saved: 16% of a step (1.19x) by fused resamplings"
    )
    assert found.remedy == "fuse the augmentation's 3 resamplings into one"


def test_augmentation_on_a_device_can_go_to_the_host():
    seconds = {"model/augmentation": 0.3, "model/convolution": 0.7}
    found = find(profile(seconds, "in_model"), gpus=("Example GPU",))["augmentation-bound"]
    assert "30% of a step (1.43x) by augment=pipeline" in found.what


def test_cores_that_hidden_work_takes_from_the_model_are_told():
    item = profile(HEALTHY, "in_model", walls={"decode": 0.2})
    assert find(item)["compute-bound"].what.endswith(
        "(1.03x), beside what the pipeline's 200 ms of thread time a step take from its cores"
    )
    found = find(item, gpus=("Example GPU",))["compute-bound"]
    assert "thread time" not in found.what


def test_other_waits_in_the_timed_trials_are_told():
    item = profile(HEALTHY, walls={})
    item = replace(item, wait=replace(item.wait, timed=0.17))
    assert find(item)["compute-bound"].what.endswith(
        "; in the timed trials, with each epoch's first batches, it waits 17%"
    )


def test_much_idle_time_is_told():
    found = find(profile({"model/dense": 0.5, "idle/idle": 0.5}))["compute-bound"]
    assert "waits for its batch in 0.0%, 50% is neither" in found.what


@pytest.mark.parametrize(
    ("gap_s", "epoch_s", "told"),
    [(0.25, 1.0, False), (0.26, 1.0, True), (0.5, 10.0, False), (0.51, 10.0, True)],
)
def test_a_stall_is_noticed_and_costs_much_of_an_epoch(gap_s, epoch_s, told):
    item = profile(HEALTHY, walls={})
    epochs = (epoch_record(0), epoch_record(1, epoch_s))
    record = replace(item.record, trial=replace(item.record.trial, epochs=epochs))
    found = find(replace(item, gaps_s=(gap_s,), record=record))
    assert ("boundary-stall" in found) == told
    if told:
        stall = found["boundary-stall"]
        assert stall.what == (
            f"the profiled training stood still for {gap_s:.1f} s between two epochs; its last "
            f"epoch takes {epoch_s:.1f} s"
        )
        assert stall.cost_s == pytest.approx(gap_s)
        assert stall.severity is Severity.INFO


def test_time_between_the_steps_of_timed_epochs_is_told():
    item = profile(HEALTHY, walls={})
    told = find(replace(item, outside_steps=0.32))["compute-bound"].what
    assert "and 32% of its timed epochs lies outside their steps" in told
    assert (
        "outside their steps" not in find(replace(item, outside_steps=0.09))["compute-bound"].what
    )


def test_a_stall_that_the_timed_trials_have_is_told_once():
    run = run_record(variants=("default", "plain"))
    trials = trial_records(run, epoch_args={"tail_s": 3.0})
    timed = compute(run, trials, proof_records(run)).variants
    item = replace(profile(HEALTHY, walls={}), gaps_s=(3.0,))
    found = find_all(Evidence(run, trials, timed, (), {}, {}, (item,)))
    assert {f.where: f.code for f in found if "stood still" in f.what or "stalled" in f.what} == {
        "default, cnn": "autotune-stall",
        "plain, cnn": "slow-boundary",
    }


def test_accounts_that_disagree_are_named():
    item = profile(HEALTHY, walls={})
    item = replace(item, wait=replace(item.wait, meter=0.1, analyser=0.031))
    found = find(item)["wait-disagrees"]
    assert found.severity is Severity.WARNING
    assert found.what == (
        "accounts of the input wait disagree: our meter says 10.0%, the raw events of the same "
        "steps 3.0% (7.0 percentage points apart, 70 ms of a step)"
    )
    assert "the step's dispatch, which only our meter counts" in found.remedy


def test_xprof_may_disagree_too():
    item = profile(HEALTHY, walls={}, analyser=(AnalyserStep(4, 100, 23),))
    found = find(item)["wait-disagrees"]
    assert "xprof says 23.0%, the raw events of the same steps 3.0%" in found.what
    assert "our meter" not in found.what


def test_a_missing_profile_says_why():
    why = ProfileFailure(ProfileFailureKind.BUSY, "Another profiler runs. Stop it first.")
    found = find(unread_profiles=(profile_record("plain", failure=why),))["profile-missing"]
    assert found.severity is Severity.WARNING
    assert found.what == "there is no profile: Another profiler runs. Stop it first"
    assert found.where == "plain, cnn"
    assert "--profile" in found.remedy


def test_findings_leave_to_a_profile_what_it_says_better():
    run = run_record(variants=("default", "plain", "in_model"))
    trials, proofs = trial_records(run), proof_records(run)
    records = samples.profiled_records("default", "plain")
    for profiles in ((), records):
        found = compute(run, trials, proofs, profiles).findings
        told = {f.where for f in found if f.what.startswith("the model waits for its next batch")}
        named = {"default, cnn", "plain, cnn"} & told
        assert named == (set() if profiles else {"default, cnn", "plain, cnn"})
    assert {f.where for f in found if f.code == "augmentation-bound"} == {
        "default, cnn",
        "plain, cnn",
    }
    assert "in_model, cnn" in {f.where for f in found if f.code == "compute-bound"}


causes = st.dictionaries(
    st.sampled_from(
        [f"input/{name}" for name in (*STAGES, "hand-over")]
        + [f"model/{name}" for name in KINDS]
        + ["idle/idle"]
    ),
    st.floats(1e-4, 1.0),
    min_size=1,
)
variants = st.sampled_from(
    ["default", "plain", "parallel", "prefetch", "cache", "in_model", "resident", "keras_stock"]
)


@settings(deadline=None, max_examples=150)
@given(causes, variants, st.floats(0.5, 8.0), st.integers(1, 8), st.booleans())
def test_no_cost_is_more_than_the_share_that_it_is_of(seconds, variant, threads, cores, gpu):
    item = profile(seconds, variant, threads=threads, cores=cores)
    found = tuple(bottlenecks.find(evidence(item, gpus=("Example GPU",) if gpu else ())))
    bound = found[0]
    wait, augmentation = item.share(Place.INPUT), item.share(Place.MODEL, "augmentation")
    if "longest for" in bound.what:
        assert wait >= bottlenecks.INPUT_BOUND_SHARE
        limit = item.awaited.seconds / item.step_s
    else:
        limit = augmentation if bound.code == "augmentation-bound" else wait
    assert 0 <= bound.cost_share <= limit + 1e-9
    accused = ACCUSATIONS & {f.code for f in found}
    healthy = wait < bottlenecks.INPUT_BOUND_SHARE and augmentation < bottlenecks.IN_MODEL_SHARE
    assert bool(accused) != healthy
    assert len([f for f in found if f.severity is Severity.INFO]) == 1
