"""The worker on tiny images, in this process: a request in, a record out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench import worker
from bench.accounting import VERSIONED_PACKAGES
from bench.codec import decode, encode
from bench.errors import EXIT_OK, EXIT_USAGE
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
from bench.variants import VARIANTS
from leafmodel.data.folder import scan
from leafmodel.errors import PipelineError
from leafmodel.pipelines import proof
from leafmodel.pipelines.pipeline import Pipeline
from leafmodel.pipelines.spec import Augment, Loader, PipelineSpec

CEILING = PipelineSpec(loader=Loader.RESIDENT, augment=Augment.NONE)


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
