from __future__ import annotations

import errno
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.util import tensor_util

from bench import tensorboard_logs as logs
from bench.errors import StoreError
from bench.schema import TrialRecord
from leafmodel.pipelines.spec import PipelineSpec
from tests.bench.samples import (
    SECOND,
    epoch_record,
    failed_record,
    run_record,
    trial_record,
    trial_spec,
)

ROOT = Path(__file__).parents[2]
NOON = "2026-01-02T12:00:00+00:00"


def event_file(logdir: Path) -> Path:
    (path,) = logdir.glob("*tfevents*")
    return path


def events(path: Path) -> Iterator[Any]:
    """The events of a file, their checksums verified."""
    data = path.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        body, data = data[12 : 12 + length], data[12 + length :]
        assert data[:4] == struct.pack("<I", masked_crc32c(body))
        data = data[4:]
        yield event_pb2.Event.FromString(body)


def values(path: Path) -> list[tuple[float, int, Any]]:
    return [(e.wall_time, e.step, v) for e in events(path) for v in e.summary.value]


def scalars(path: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for _, step, value in values(path):
        if value.metadata.plugin_data.plugin_name == "scalars":
            number = float(tensor_util.make_ndarray(value.tensor))
            found.setdefault(value.tag, []).append((step, pytest.approx(number, rel=1e-5)))
    return found


def content(path: Path, tag: str) -> bytes:
    (found,) = (v.metadata.plugin_data.content for _, _, v in values(path) if v.tag == tag)
    return found


def written(tmp_path: Path, trial: TrialRecord) -> Path:
    logs.write(tmp_path, trial)
    return event_file(tmp_path / trial.spec.name)


def test_every_epoch_is_a_step_of_each_scalar(tmp_path: Path) -> None:
    found = scalars(written(tmp_path, trial_record(epoch_s=(12.0, 10.0, 8.0))))
    assert found["epoch/seconds"] == [(0, 12.0), (1, 10.0), (2, 8.0)]
    assert found["epoch/images_per_s"] == [(0, 640 / 12), (1, 64.0), (2, 80.0)]
    assert found["train/loss"] == [(0, 1.5), (1, 1.5), (2, 1.5)]
    assert [step for step, _ in found["validation/accuracy"]] == [0, 1, 2]
    assert found["validation/loss"][0] == (0, 1.6)


def test_steady_scalars_leave_the_first_epoch_out(tmp_path: Path) -> None:
    found = scalars(written(tmp_path, trial_record(epoch_s=(60.0, 10.0, 8.0, 12.0))))
    assert found["steady/epoch_s"] == [(3, 10.0)]
    assert found["steady/images_per_s"] == [(3, 64.0)]
    (step, share), *_ = found["steady/input_wait_share"]
    assert (step, share) == (3, pytest.approx(0.25 * 30 / (30 - 3 * 0.07), rel=1e-4))


def test_a_single_epoch_has_no_steady_scalars(tmp_path: Path) -> None:
    found = scalars(written(tmp_path, trial_record(epoch_s=(12.0,))))
    assert not any(tag.startswith("steady/") for tag in found)


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    trial = trial_record(
        epoch_s=(12.0, 10.0), val_accuracy=(None, None), epoch_args={"wait_share": None}
    )
    diverged = replace(trial, epochs=tuple(replace(e, loss=None) for e in trial.epochs))
    assert set(scalars(written(tmp_path, diverged))) == {
        "epoch/seconds",
        "epoch/images_per_s",
        "train/accuracy",
        "steady/epoch_s",
        "steady/images_per_s",
    }


def test_times_follow_from_the_record(tmp_path: Path) -> None:
    trial = trial_record(epoch_s=(12.0, 10.0), started_at=NOON, wall_ns=40 * SECOND)
    path = written(tmp_path, trial)
    walls = [wall - logs._seconds(NOON) for wall, _, _ in values(path)]
    assert walls[0] == 0
    assert walls[1] == pytest.approx(4 + 1 + 12 + 0.5)  # start, build, epoch, validation
    assert walls[-1] == 40
    assert logs._seconds("2026-01-02T12:00:00Z") == logs._seconds("2026-01-02T12:00:00")


def test_hyperparameters_are_every_axis_as_text() -> None:
    found = logs.hyperparameters(trial_spec("in_model", block=3, replica=1))
    assert found.keys() >= {field.name for field in fields(PipelineSpec)}
    assert (found["augment"], found["map_parallelism"], found["autotune"]) == (
        "model",
        "cores",
        "false",
    )
    rest = ("variant", "phase", "batch_size", "image_size", "block", "replica")
    assert [found[name] for name in rest] == ["in_model", "cnn", "64", "256", "3", "1"]


def test_a_trial_is_a_session_that_succeeded(tmp_path: Path) -> None:
    trial = trial_record(trial_spec("plain", epochs=4))
    path = written(tmp_path, trial)
    start = metadata.parse_session_start_info_plugin_data(
        content(path, metadata.SESSION_START_INFO_TAG)
    )
    end = metadata.parse_session_end_info_plugin_data(content(path, metadata.SESSION_END_INFO_TAG))
    assert start.group_name == trial.spec.name
    assert start.hparams["1-variant"].string_value == "plain"
    assert start.hparams["3-augment"].string_value == "pipeline"
    assert start.hparams["4-loader"].string_value == "tf_data"
    assert end.status == api_pb2.STATUS_SUCCESS
    assert end.end_time_secs - start.start_time_secs == pytest.approx(trial.wall_ns / SECOND)


def test_a_failed_trial_is_a_session_that_failed(tmp_path: Path) -> None:
    path = written(tmp_path, failed_record())
    end = metadata.parse_session_end_info_plugin_data(content(path, metadata.SESSION_END_INFO_TAG))
    assert end.status == api_pb2.STATUS_FAILURE
    assert scalars(path) == {}


def test_metrics_are_tags_that_trials_have(tmp_path: Path) -> None:
    assert set(logs.METRICS) <= set(scalars(written(tmp_path, trial_record())))


def test_writing_again_gives_the_same_bytes_and_leaves_the_file_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "one", trial_record())
    assert path.read_bytes() == written(tmp_path / "two", trial_record()).read_bytes()
    before = path.stat()
    assert written(tmp_path / "one", trial_record()) == path
    assert path.stat().st_ino == before.st_ino


def test_another_try_of_a_trial_replaces_the_first(tmp_path: Path) -> None:
    written(tmp_path, failed_record(trial_spec()))
    again = written(tmp_path, trial_record(trial_spec(), started_at=NOON))
    assert scalars(again).keys() >= {"epoch/seconds"}


def test_only_missing_trials_are_written(tmp_path: Path) -> None:
    here, missing = trial_record(trial_spec("plain")), trial_record(trial_spec("in_model"))
    path = written(tmp_path, here)
    path.write_bytes(b"as it was")
    logs.write_missing(tmp_path, (here, missing))
    assert path.read_bytes() == b"as it was"
    assert event_file(tmp_path / missing.spec.name).stat().st_size > 0


def test_columns_tell_trials_apart_first(tmp_path: Path) -> None:
    run = run_record(variants=("default", "in_model"), blocks=2)
    logs.write_columns(tmp_path, run.plan, run.created_at)
    experiment = metadata.parse_experiment_plugin_data(
        content(event_file(tmp_path), metadata.EXPERIMENT_TAG)
    )
    # TensorBoard's own order.
    columns = sorted(experiment.hparam_infos, key=lambda info: (not info.differs, info.name))
    names = [info.display_name for info in columns]
    assert names[:4] == ["variant", "augment", "loader", "map_parallelism"]
    assert set(names) == set(logs.hyperparameters(run.plan[0]))
    (variants,) = (info for info in columns if info.display_name == "variant")
    assert [v.string_value for v in variants.domain_discrete.values] == sorted(
        {spec.variant for spec in run.plan}
    )
    assert {metric.name.tag for metric in experiment.metric_infos} == set(logs.METRICS)


def test_a_full_disk_is_told_and_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, data: bytes) -> int:
        with path.open("wb") as stream:
            stream.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(StoreError, match="The disk is full"):
        logs.write(tmp_path, trial_record())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("a file")
    with pytest.raises(StoreError, match=r"Cannot write .*tensorboard"):
        logs.write(tmp_path / "tensorboard", trial_record())


def test_tensorflow_is_not_imported(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from bench import tensorboard_logs
from tests.bench.samples import run_record, trial_record
run = run_record()
tensorboard_logs.write_columns(Path({str(tmp_path)!r}), run.plan, run.created_at)
tensorboard_logs.write(Path({str(tmp_path)!r}), trial_record())
print(sorted(m for m in sys.modules if m.partition(".")[0] in ("tensorflow", "keras")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
    assert len(list(tmp_path.rglob("*tfevents*"))) == 2


def test_wait_share_is_the_reports_own() -> None:
    from bench.measures import _wait_share

    epochs = [epoch_record(1, 10.0, wait_share=0.2), epoch_record(2, 12.0, wait_share=0.4)]
    assert logs._wait_share(epochs) == _wait_share(epochs)
