"""The worker on tiny images, in this process: a request in, a record out."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from bench import worker
from bench.accounting import VERSIONED_PACKAGES
from bench.codec import decode, encode
from bench.device_schema import DeviceTimes
from bench.errors import EXIT_OK, EXIT_USAGE
from bench.metering import metering
from bench.profile_schema import Capture, ProfileSpec, ProfileWindow
from bench.requests import ProfileRequest, ProofRequest, TrialRequest, WorkerFiles
from bench.schema import (
    SCHEMA_VERSION,
    TrialKind,
    TrialRecord,
    TrialSpec,
    TrialStatus,
    VariantProof,
    ceiling_variant,
)
from bench.slowdown import Clock
from bench.turns import TURNS_VARIABLE, Place, Turn
from bench.variants import VARIANTS, variant
from leafmodel.data.folder import scan
from leafmodel.errors import PipelineError
from leafmodel.pipelines import proof
from leafmodel.pipelines.build import build
from leafmodel.pipelines.extras import EXTRAS
from leafmodel.pipelines.graph import stages
from leafmodel.pipelines.pipeline import Pipeline
from leafmodel.pipelines.spec import Augment, Loader, PipelineSpec
from leafmodel.training import schedules
from tests.installed import variants

CEILING = PipelineSpec(loader=Loader.RESIDENT, augment=Augment.NONE)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody conducts."""
    monkeypatch.delenv(TURNS_VARIABLE, raising=False)


@pytest.fixture
def conduct(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Conduct this process: give it these turns, then nothing more."""

    def begin(*turns: Turn) -> None:
        told = io.BytesIO(b"".join(turn.line() for turn in turns))
        monkeypatch.setenv(TURNS_VARIABLE, "1")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(told))

    return begin


@pytest.fixture
def files(make_folder: Callable[..., Path], tmp_path: Path) -> Path:
    folder = scan(make_folder({"ash": 6, "elm": 6}, size=32))
    pairs = tuple((str(file.path), file.label) for file in folder.training)
    path = tmp_path / "files.json"
    path.write_bytes(
        encode(WorkerFiles(SCHEMA_VERSION, folder.class_names, pairs[:10], pairs[10:], pairs[:2]))
    )
    return path


def _trial(tmp_path: Path, files: Path, kind: TrialKind, variant: str, epochs: int = 2) -> Path:
    pipeline = CEILING if kind is TrialKind.CEILING else VARIANTS[variant].pipeline
    spec = TrialSpec("b00-00", kind, variant, pipeline, "cnn", 0, 0, 0, epochs, 4, 32, 7, 60.0)
    request = tmp_path / "b00-00.trial.json"
    out = tmp_path / "b00-00.json"
    request.write_bytes(
        encode(TrialRequest(SCHEMA_VERSION, spec, str(files), str(tmp_path / "work"), str(out)))
    )
    return request


def _record(tmp_path: Path) -> TrialRecord:
    out = tmp_path / "b00-00.json"
    return decode(out.read_bytes(), TrialRecord, str(out))


@pytest.mark.parametrize(
    "variant", variants(["py_dataset_processes", "grain_processes", "torch_loader"])
)
def test_the_wait_for_worker_processes_is_metered(
    variant: str, files: Path, tmp_path: Path
) -> None:
    assert worker.main([str(_trial(tmp_path, files, TrialKind.TRAIN, variant))]) == EXIT_OK
    record = _record(tmp_path)
    waits = [epoch.wait_ns for epoch in record.epochs]
    assert [len(wait or ()) for wait in waits] == [3, 3]
    assert all(ns >= 0 for wait in waits for ns in wait or ())
    assert len(record.loader_epoch_ns) == worker.LOADER_EPOCHS
    loader = EXTRAS.get(record.spec.pipeline.loader)
    assert set(record.versions) == {*VERSIONED_PACKAGES, *([loader] if loader else [])}


def test_a_trial_leaves_a_whole_record(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = _trial(tmp_path, files, TrialKind.TRAIN, "cache_prefetch")
    assert worker.main([str(request)]) == EXIT_OK
    record = _record(tmp_path)
    assert record.status is TrialStatus.OK
    assert [epoch.images for epoch in record.epochs] == [10, 10]
    assert [len(epoch.step_ns) for epoch in record.epochs] == [3, 3]
    assert all(epoch.wait_ns is not None for epoch in record.epochs)
    assert all(epoch.val_accuracy is not None for epoch in record.epochs)
    assert record.test_accuracy is not None
    assert len(record.loader_epoch_ns) == worker.LOADER_EPOCHS
    assert record.traces == 1
    assert record.peak_rss_bytes > 10**8
    assert record.cpu_ns > 0
    assert record.first_batch_ns > 0
    assert set(record.versions) == set(VERSIONED_PACKAGES)
    assert [line for line in capsys.readouterr().out.split("\n") if line.startswith("@")] == [
        "@epoch 1 2",
        "@epoch 2 2",
    ]


@pytest.mark.parametrize(
    "changes", ["steps_per_execution=2+precision=mixed_bfloat16", "jit_compile=true"]
)
def test_a_model_that_is_executed_otherwise_is_metered_step_by_step(
    files: Path, tmp_path: Path, changes: str
) -> None:
    path = _trial(tmp_path, files, TrialKind.TRAIN, "cache_prefetch")
    request = decode(path.read_bytes(), TrialRequest, str(path))
    chosen = variant(f"cache_prefetch+{changes}").execution
    path.write_bytes(encode(replace(request, spec=replace(request.spec, execution=chosen))))
    assert worker.main([str(path)]) == EXIT_OK
    for epoch in _record(tmp_path).epochs:
        assert len(epoch.step_ns) == 3  # with two at a time: an execution of two, and one of one
        assert epoch.wait_ns is not None
        assert epoch.compute_ns is not None
        assert min(epoch.compute_ns) > 0
        assert epoch.val_accuracy is not None


def test_a_ceiling_neither_validates_nor_loads(files: Path, tmp_path: Path) -> None:
    name = ceiling_variant(Augment.NONE)
    assert worker.main([str(_trial(tmp_path, files, TrialKind.CEILING, name))]) == EXIT_OK
    record = _record(tmp_path)
    assert [epoch.images for epoch in record.epochs] == [10, 10]
    assert record.epochs[0].val_accuracy is None
    assert record.loader_epoch_ns == ()
    assert record.test_accuracy is None


def test_resident_images_have_no_loader_to_time(files: Path, tmp_path: Path) -> None:
    request = _trial(tmp_path, files, TrialKind.TRAIN, "resident", epochs=1)
    assert worker.main([str(request)]) == EXIT_OK
    assert _record(tmp_path).loader_epoch_ns == ()


@pytest.mark.parametrize("variant", ["default", "cache_prefetch", "resident"])
def test_an_emulated_trial_feeds_its_device_and_trains_nothing(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], variant: str
) -> None:
    record = _emulated(tmp_path, files, TrialKind.TRAIN, variant)
    assert record.status is TrialStatus.OK
    assert [epoch.images for epoch in record.epochs] == [10, 10]
    # Batches of 4, 4 and 2 images, at 0.1 ms a step and 0.1 ms an image.
    assert [epoch.compute_ns for epoch in record.epochs] == [(500_000, 500_000, 300_000)] * 2
    assert all(epoch.val_accuracy is epoch.loss is None for epoch in record.epochs)
    assert record.test_accuracy is None
    assert len(record.loader_epoch_ns) == (0 if variant == "resident" else worker.LOADER_EPOCHS)
    assert record.cpu_ns > 0
    told = capsys.readouterr().out.split("\n")
    assert [line for line in told if line.startswith("@")] == ["@epoch 1 2", "@epoch 2 2"]


@pytest.mark.parametrize(("variant", "image_bytes"), [("in_model", 4), ("uint8_model", 1)])
def test_an_emulated_device_is_sent_what_the_pipeline_delivers(
    files: Path, tmp_path: Path, variant: str, image_bytes: int
) -> None:
    device = DeviceTimes("d", step_s=1e-3, image_s=0, transfer_s=0, byte_s=1e-9, ahead=2)
    record = _emulated(tmp_path, files, TrialKind.TRAIN, variant, device)
    sent = [count * (32 * 32 * 3 * image_bytes + 4) for count in (4, 4, 2)]
    assert record.epochs[1].compute_ns == tuple(1_000_000 + each for each in sent)


def test_a_file_that_is_made_once_is_made_in_the_first_trial_of_a_run(
    files: Path, tmp_path: Path
) -> None:
    made, found = (
        _emulated(tmp_path, files, TrialKind.TRAIN, variant).made_once
        for variant in ("memory_mapped", "memory_mapped_fused")
    )
    assert made is not None
    assert not made.found
    assert made.build_ns > 0
    assert found == replace(made, found=True)


def test_a_file_that_was_cut_off_fails_the_trial_with_one_sentence(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _emulated(tmp_path, files, TrialKind.TRAIN, "memory_mapped")
    (path,) = (tmp_path / "work").rglob("decoded-*.rgb")
    path.write_bytes(path.read_bytes()[:-1])
    request = _trial(tmp_path, files, TrialKind.TRAIN, "memory_mapped")
    assert worker.main([str(request)]) == EXIT_USAGE
    told = capsys.readouterr().err.strip()
    assert "was cut off or added to after it was made" in told
    assert told.endswith(f"Delete {path}, and it is made again.")


def test_the_ceiling_of_a_device_is_its_own_time(files: Path, tmp_path: Path) -> None:
    record = _emulated(tmp_path, files, TrialKind.CEILING, ceiling_variant(Augment.NONE))
    assert [epoch.epoch_ns for epoch in record.epochs] == [1_300_000] * 2


DEVICE = DeviceTimes("d", step_s=1e-4, image_s=1e-4, transfer_s=0, byte_s=0, ahead=2)


def _emulated(
    tmp_path: Path, files: Path, kind: TrialKind, variant: str, device: DeviceTimes = DEVICE
) -> TrialRecord:
    path = _trial(tmp_path, files, kind, variant)
    request = decode(path.read_bytes(), TrialRequest, str(path))
    path.write_bytes(encode(replace(request, spec=replace(request.spec, device=device))))
    assert worker.main([str(path)]) == EXIT_OK
    return _record(tmp_path)


def test_proofs_are_written_one_by_one(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipelines = {name: VARIANTS[name].pipeline for name in ("plain", "resident")}
    out = tmp_path / "proofs"
    out.mkdir()
    request = tmp_path / "all.proof.json"
    work = str(tmp_path / "work")
    request.write_bytes(
        encode(ProofRequest(SCHEMA_VERSION, pipelines, 4, 32, 7, str(files), work, str(out)))
    )
    assert worker.main([str(request)]) == EXIT_OK
    for name in pipelines:
        found = decode((out / f"{name}.json").read_bytes(), VariantProof, name)
        assert found.ok
        assert found.variant == name
    assert "@proof 2 2" in capsys.readouterr().out


def test_a_variant_that_cannot_be_built_does_not_stop_the_others(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_spec: PipelineSpec, _given: object) -> Pipeline:
        raise PipelineError("expected a data set of 3 batches, found cardinality -2")

    monkeypatch.setattr(proof, "build", refuse)
    request = tmp_path / "all.proof.json"
    pipelines = {name: VARIANTS[name].pipeline for name in ("plain", "cache")}
    work = str(tmp_path / "work")
    request.write_bytes(
        encode(ProofRequest(SCHEMA_VERSION, pipelines, 4, 32, 7, str(files), work, str(tmp_path)))
    )
    assert worker.main([str(request)]) == EXIT_OK
    for name in pipelines:
        found = decode((tmp_path / f"{name}.json").read_bytes(), VariantProof, name)
        assert not found.ok
        assert "found cardinality -2" in found.checks[0].found


def test_a_request_that_is_cut_off_is_one_sentence_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = tmp_path / "b00-00.trial.json"
    request.write_text('{"schema_version": 1, "spec"')
    assert worker.main([str(request)]) == EXIT_USAGE
    error = capsys.readouterr().err
    assert "b00-00.trial.json is not a whole JSON record" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("variant", ["plain", "default", "resident", "keras_stock"])
def test_a_profile_leaves_a_record_a_capture_and_a_trace(
    files: Path, tmp_path: Path, variant: str
) -> None:
    pipeline = VARIANTS[variant].pipeline
    spec = TrialSpec("p", TrialKind.PROFILE, variant, pipeline, "cnn", 0, 0, 0, 2, 4, 32, 7, 60.0)
    window = ProfileWindow(epoch=1, first_step=3, steps=3)
    out, capture = tmp_path / "p.json", tmp_path / "capture.json"
    request = ProfileRequest(
        SCHEMA_VERSION,
        ProfileSpec(spec, window),
        str(files),
        str(tmp_path / "work"),
        str(out),
        str(capture),
        str(tmp_path / "log"),
    )
    path = tmp_path / "p.profile.json"
    path.write_bytes(encode(request))
    assert worker.main([str(path)]) == EXIT_OK
    record = decode(out.read_bytes(), TrialRecord, str(out))
    captured = decode(capture.read_bytes(), Capture, str(capture))
    assert captured.failure is None
    assert captured.trace is not None
    assert Path(captured.trace).is_relative_to(tmp_path / "log" / "plugins" / "profile")
    # Ten images in batches of four are three steps; eight are needed: the images are repeated.
    assert [len(epoch.step_ns) for epoch in record.epochs] == [8, 8]
    assert record.loader_epoch_ns == ()


def test_a_conducted_trial_waits_for_its_turns_and_is_validated_once(
    files: Path,
    tmp_path: Path,
    conduct: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    conduct(*[Turn()] * 3)
    request = _trial(tmp_path, files, TrialKind.TRAIN, "cache_prefetch", epochs=3)
    assert worker.main([str(request)]) == EXIT_OK
    record = _record(tmp_path)
    accuracies = [epoch.val_accuracy for epoch in record.epochs]
    assert accuracies[:2] == [None, None]
    assert accuracies[2] is not None
    assert all(epoch.wait_ns is not None for epoch in record.epochs)
    assert record.loader_epoch_ns == ()
    assert record.traces == 1
    assert [line for line in capsys.readouterr().out.split("\n") if line.startswith("@")] == [
        "@epoch 0 3",
        "@epoch 1 3",
        "@epoch 2 3",
        "@epoch 3 3",
    ]


def test_a_schedule_that_goes_by_the_validation_gets_one_behind_every_epoch(
    files: Path, tmp_path: Path, conduct: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watches(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append((epoch, "val_loss" in logs))

    seen: list[tuple[int, bool]] = []
    monkeypatch.setattr(schedules, "plateau", lambda _phase: (Watches(),))
    conduct(Turn(), Turn())
    request = _trial(tmp_path, files, TrialKind.TRAIN, "resident")
    assert worker.main([str(request)]) == EXIT_OK
    assert seen == [(0, True), (1, True)]


def test_a_trial_is_slowed_down_in_the_turns_that_say_so(
    files: Path, tmp_path: Path, conduct: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost_s: list[float] = []
    monkeypatch.setattr("bench.slowdown.Clock", lambda: Clock(lose=lost_s.append))
    conduct(Turn(), Turn(0.1, Place.BOUNDARY), Turn())
    request = _trial(tmp_path, files, TrialKind.TRAIN, "cache_prefetch", epochs=3)
    assert worker.main([str(request)]) == EXIT_OK
    ready, lost = lost_s
    planted = _record(tmp_path).epochs[1]
    assert ready == 0
    assert lost * 1e9 > 0.1 * sum(planted.step_ns)  # of the whole epoch, which holds its steps


def test_a_conductor_that_goes_away_ends_the_worker_with_one_sentence(
    files: Path,
    tmp_path: Path,
    conduct: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    conduct(Turn())
    request = _trial(tmp_path, files, TrialKind.TRAIN, "resident", epochs=3)
    assert worker.main([str(request)]) == EXIT_USAGE
    error = capsys.readouterr().err
    assert "whoever conducted this training has gone" in error
    assert "Traceback" not in error
    assert not (tmp_path / "b00-00.json").exists()


def test_a_slow_pipeline_is_refused_where_there_is_no_stage_to_add(
    files: Path,
    tmp_path: Path,
    conduct: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    conduct(Turn(0.1, Place.PIPELINE))
    request = _trial(tmp_path, files, TrialKind.TRAIN, "default")
    assert worker.main([str(request)]) == EXIT_USAGE
    assert "the loader image_data_generator is no tf.data graph" in capsys.readouterr().err


def _ops(model: Any, dataset: Any) -> set[str]:
    """The kinds of operation in the graph of a training step, and in whatever it calls."""
    step = tf.function(model.train_step).get_concrete_function(dataset.element_spec)
    graph = step.graph.as_graph_def()
    called = [node.op for function in graph.library.function for node in function.node_def]
    return {*called, *(node.op for node in graph.node)}


@pytest.mark.parametrize("conducted", [False, True])
def test_only_a_conducted_training_has_a_place_for_plants_in_its_graph(
    files: Path, tmp_path: Path, conduct: Callable[..., None], conducted: bool
) -> None:
    spec = decode(
        _trial(tmp_path, files, TrialKind.TRAIN, "prefetch").read_bytes(), TrialRequest, "request"
    ).spec
    given_files = decode(files.read_bytes(), WorkerFiles, "files")
    given = worker.training_input(given_files, spec, str(tmp_path / "work"))
    if conducted:
        conduct()
    pipeline, planting = worker._pipeline(spec, given)
    trainee = worker._trainee(
        spec, given, "", pipeline, worker._model_class(spec, metering(given.steps), planting)
    )
    bare = [str(stage) for stage in stages(build(spec.pipeline, given).dataset)]
    extra = ["map(python, sequential)"] if conducted else []
    assert [str(stage) for stage in stages(pipeline.dataset)] == bare + extra
    python = {op for op in _ops(trainee.training, pipeline.dataset) if "PyFunc" in op}
    assert bool(python) == conducted
