"""Each planted bottleneck is named for what it is, from a real profile of a tiny training."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from bench import bottlenecks
from bench.evidence import Evidence, Finding
from bench.profile_measures import AUGMENTATION, ProfileResult, measure
from bench.profile_schema import Place
from leafmodel.pipelines import tf_data
from leafmodel.pipelines.spec import Augment, Loader, PipelineSpec
from tests.bench.planted import (
    BATCH_SIZE,
    SLEEP_S,
    STALL_S,
    RandomSlow,
    SlowBoundary,
    Training,
    profile,
    slowly,
)
from tests.bench.samples import run_record

PLAIN = PipelineSpec(augment=Augment.NONE)
PARALLEL = dataclasses.replace(PLAIN, map_parallelism=2)
AHEAD = dataclasses.replace(PARALLEL, prefetch=2)
STALL = "boundary-stall"
ACCUSATIONS = {"input-bound", "augmentation-bound", "sequential-stage"}


@pytest.fixture
def profiled(tmp_path: Path) -> Callable[..., tuple[ProfileResult, dict[str, Finding]]]:
    """Train and profile; the result, and the findings about the pipeline by their code."""

    def run(pipeline: PipelineSpec, **planted: Any) -> tuple[ProfileResult, dict[str, Finding]]:
        record = profile(Training(pipeline, **planted), tmp_path)
        assert record.failure is None, record.failure
        (result,) = measure([record], {}, cores=2)
        evidence = Evidence(run_record(), (), (), (), {}, {}, (result,))
        # Steps of ten milliseconds: what dispatching a step costs, which only our meter counts,
        # is more than two hundredths of them. And a busy machine makes stalls of its own.
        unplanted = {"wait-disagrees"} if "callbacks" in planted else {"wait-disagrees", STALL}
        found = [f for f in bottlenecks.find(evidence) if f.code not in unplanted]
        return result, {finding.code: finding for finding in found}

    return run


def test_a_sleep_in_the_read_stage(
    profiled: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.io, "read_file", slowly(tf.io.read_file))
    result, found = profiled(PARALLEL)
    assert set(found) == {"input-bound"}
    assert "longest for read" in found["input-bound"].what
    work = {work.stage: work for work in result.work}
    assert work["read"].busy_s > 0.9 * BATCH_SIZE * SLEEP_S
    if len(os.sched_getaffinity(0)) > 1:  # tf.data's pool has a thread a core
        assert work["read"].parallelism > bottlenecks.SEQUENTIAL_THREADS


def test_a_sequential_decode(profiled: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.io, "decode_image", slowly(tf.io.decode_image))
    result, found = profiled(PLAIN)
    assert set(found) == {"sequential-stage"}
    assert "longest for decode" in found["sequential-stage"].what
    assert "one thread at a time of 2 cores" in found["sequential-stage"].what
    assert "map_parallelism=0" in found["sequential-stage"].remedy
    assert result.awaited is not None
    assert result.awaited.name == "decode"
    assert result.awaited.seconds > BATCH_SIZE * SLEEP_S / 2


def test_an_expensive_augmentation_in_the_pipeline(
    profiled: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_at(place: Augment, spec: PipelineSpec, _seed: int) -> tuple[Any, ...]:
        return (RandomSlow(),) if spec.augment is place else ()

    monkeypatch.setattr(tf_data, "augmentation_at", slow_at)
    result, found = profiled(dataclasses.replace(PARALLEL, augment=Augment.PIPELINE))
    assert set(found) == {"augmentation-bound"}
    assert "longest for augment" in found["augmentation-bound"].what
    assert result.share(Place.MODEL, AUGMENTATION) == 0


def test_an_expensive_augmentation_in_the_model(profiled: Callable[..., Any]) -> None:
    result, found = profiled(AHEAD, front=(RandomSlow(BATCH_SIZE * SLEEP_S),))
    assert set(found) == {"augmentation-bound"}
    assert "augmentation inside the model" in found["augmentation-bound"].what
    augmentation_s = result.share(Place.MODEL, AUGMENTATION) * result.step_s
    assert augmentation_s > 0.9 * BATCH_SIZE * SLEEP_S


def test_a_model_far_slower_than_its_input(profiled: Callable[..., Any]) -> None:
    result, found = profiled(AHEAD)
    assert set(found) == {"compute-bound"}
    cost = found["compute-bound"].cost_share
    assert cost == pytest.approx(result.share(Place.INPUT))
    assert "no pipeline change can save more than" in found["compute-bound"].what


def test_a_stall_at_the_epoch_boundary(profiled: Callable[..., Any]) -> None:
    result, found = profiled(AHEAD, callbacks=(SlowBoundary(),))
    assert set(found) == {STALL, "compute-bound"}
    # One boundary, so its stall is the longest and the mean; a busy machine only makes it longer.
    (gap_s,) = result.gaps_s
    assert gap_s > STALL_S
    assert found[STALL].cost_s == gap_s
    assert f"stood still for {gap_s:.1f} s between two epochs" in found[STALL].what


def test_nothing_wrong_is_no_accusation(profiled: Callable[..., Any]) -> None:
    _, found = profiled(PipelineSpec(loader=Loader.RESIDENT, augment=Augment.NONE))
    assert found
    assert ACCUSATIONS.isdisjoint(found)
