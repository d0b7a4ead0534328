"""Trials as TensorBoard shows them: scalars of every epoch, a row in the table of HParams.

    RUN/tensorboard/<trial>/events.out.tfevents.*   one trial: its scalars, its session
    RUN/tensorboard/events.out.tfevents.*           which columns the table has, from the plan

Everything comes from the records, so that a file written again has the same bytes. TensorFlow is
not imported: TensorBoard's own `EventFileWriter` asks for it (and for the time of day), so the
records are framed here by the `RecordWriter` beneath it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from bench.compare import NS_PER_S, steady_epochs
from bench.schema import EpochRecord, TrialRecord, TrialSpec, TrialStatus
from bench.stats import median
from bench.store import TEMPORARY, storing
from leafmodel.pipelines.spec import axis_text

PREFIX = "events.out.tfevents"
# Tag -> column of the table; a column shows the tag's last value.
METRICS: Mapping[str, str] = {
    "steady/epoch_s": "steady epoch [s]",
    "steady/images_per_s": "images/s",
    "steady/input_wait_share": "input wait",
    "validation/accuracy": "validation accuracy",
    "train/accuracy": "training accuracy",
}
# HParams shows five columns at first, by name, those in which trials differ before the others.
# An identifier with a rank puts them in the order in which they tell trials apart.
_RANKS: Mapping[str, int] = {"variant": 1, "phase": 2, "augment": 3}
_REST = ("batch_size", "image_size", "block", "replica")
_AXIS_RANK, _REST_RANK = 4, 5


@dataclass(frozen=True)
class _Event:
    """One value of a run: when, behind which epoch, what."""

    wall_s: float
    step: int
    summary: summary_pb2.Summary


def write(logdir: Path, trial: TrialRecord) -> None:
    """Write a trial as the run `logdir/<its name>`, in place of what was written before.

    `logdir` is the folder that TensorBoard is given (`Store.tensorboard`).

    Raises:
        StoreError: it cannot be written, or the disk is full.
    """
    _replace(logdir / trial.spec.name, _begin_s(trial), tuple(_events(trial)))


def write_missing(logdir: Path, trials: Iterable[TrialRecord]) -> None:
    """Write those trials that have no event file yet.

    Raises:
        StoreError: as `write`.
    """
    for trial in trials:
        if not _files(logdir / trial.spec.name):
            write(logdir, trial)


def write_columns(logdir: Path, plan: Sequence[TrialSpec], created_at: str) -> None:
    """Write which columns HParams has, and which values to filter by.

    From the whole plan, because values that are not listed here are filtered out.

    Raises:
        StoreError: as `write`.
    """
    begin_s = _seconds(created_at)
    experiment = api_pb2.Experiment(
        description="Trials of a leafbench run",
        time_created_secs=begin_s,
        hparam_infos=_columns([hyperparameters(spec) for spec in plan]),
        metric_infos=[
            api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=name)
            for tag, name in METRICS.items()
        ],
    )
    data = plugin_data_pb2.HParamsPluginData(experiment=experiment)
    _replace(logdir, begin_s, (_Event(begin_s, 0, _session(metadata.EXPERIMENT_TAG, data)),))


def hyperparameters(spec: TrialSpec) -> dict[str, str]:
    """What a trial was made with: variant, phase, every axis of its pipeline, and the rest."""
    pipeline = spec.pipeline
    axes = {f.name: axis_text(f.name, getattr(pipeline, f.name)) for f in fields(pipeline)}
    rest = {name: str(getattr(spec, name)) for name in _REST}
    if spec.device:
        rest["emulated device"] = spec.device.name
    return {"variant": spec.variant, "phase": spec.phase, **axes, **rest}


def scalars(trial: TrialRecord) -> Iterator[tuple[int, str, float]]:
    """Every (epoch, tag, value) of a trial; values that were not measured are left out."""
    for epoch in trial.epochs:
        for tag, value in _of_epoch(epoch).items():
            if value is not None:
                yield epoch.epoch, tag, value
    for tag, value in _of_steady(steady_epochs(trial)).items():
        if value is not None:
            yield trial.epochs[-1].epoch, tag, value


def _of_epoch(epoch: EpochRecord) -> dict[str, float | None]:
    seconds = epoch.epoch_ns / NS_PER_S
    return {
        "epoch/seconds": seconds,
        "epoch/images_per_s": epoch.images / seconds,
        "epoch/input_wait_share": _wait_share((epoch,)),
        "train/loss": epoch.loss,
        "train/accuracy": epoch.accuracy,
        "validation/loss": epoch.val_loss,
        "validation/accuracy": epoch.val_accuracy,
    }


def _of_steady(epochs: Sequence[EpochRecord]) -> dict[str, float | None]:
    seconds = median([epoch.epoch_ns / NS_PER_S for epoch in epochs])
    return {
        "steady/epoch_s": seconds,
        "steady/images_per_s": epochs[0].images / seconds if seconds else None,
        "steady/input_wait_share": _wait_share(epochs),
    }


def _wait_share(epochs: Sequence[EpochRecord]) -> float | None:
    """The report's definition: of the steps' time, without head and tail."""
    metered = [epoch for epoch in epochs if epoch.wait_ns is not None]
    if not metered:
        return None
    waits_ns = sum(sum(epoch.wait_ns or ()) for epoch in metered)
    return waits_ns / sum(sum(epoch.step_ns) for epoch in metered)


def _events(trial: TrialRecord) -> Iterator[_Event]:
    begin_s = _begin_s(trial)
    yield _Event(begin_s, 0, _start(trial, begin_s))
    ends_s = _epoch_ends(trial, begin_s)
    for epoch, tag, value in scalars(trial):
        yield _Event(ends_s[epoch], epoch, scalar_pb(tag, value))
    end_s = begin_s + trial.wall_ns / NS_PER_S
    yield _Event(end_s, 0, _end(trial, end_s))


def _epoch_ends(trial: TrialRecord, begin_s: float) -> dict[int, float]:
    """When each epoch ended, its validation included, by the durations in the record."""
    at_s = begin_s + (trial.start_ns + trial.build_ns) / NS_PER_S
    ends_s = {}
    for epoch in trial.epochs:
        at_s += (epoch.epoch_ns + epoch.validation_ns) / NS_PER_S
        ends_s[epoch.epoch] = at_s
    return ends_s


def _start(trial: TrialRecord, begin_s: float) -> summary_pb2.Summary:
    """Begin a session; its group, the table's row, is the trial."""
    info = plugin_data_pb2.SessionStartInfo(group_name=trial.spec.name, start_time_secs=begin_s)
    for name, value in hyperparameters(trial.spec).items():
        info.hparams[_identifier(name)].string_value = value
    data = plugin_data_pb2.HParamsPluginData(session_start_info=info)
    return _session(metadata.SESSION_START_INFO_TAG, data)


def _end(trial: TrialRecord, end_s: float) -> summary_pb2.Summary:
    good = trial.status is TrialStatus.OK
    status = api_pb2.STATUS_SUCCESS if good else api_pb2.STATUS_FAILURE
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=end_s)
    data = plugin_data_pb2.HParamsPluginData(session_end_info=info)
    return _session(metadata.SESSION_END_INFO_TAG, data)


def _session(tag: str, data: Any) -> summary_pb2.Summary:
    summary = summary_pb2.Summary()
    made = metadata.create_summary_metadata(data)
    summary.value.add(tag=tag, metadata=made, tensor=metadata.NULL_TENSOR)
    return summary


def _columns(rows: Sequence[Mapping[str, str]]) -> list[Any]:
    names = dict.fromkeys(name for row in rows for name in row)
    return [_column(name, sorted({row[name] for row in rows})) for name in names]


def _column(name: str, values: Sequence[str]) -> Any:
    info = api_pb2.HParamInfo(
        name=_identifier(name),
        display_name=name,
        type=api_pb2.DATA_TYPE_STRING,
        differs=len(values) > 1,
    )
    info.domain_discrete.extend(values)
    return info


def _identifier(name: str) -> str:
    """Sorts by rank. It stays the same when the pipeline gets another axis."""
    rank = _REST_RANK if name in _REST else _RANKS.get(name, _AXIS_RANK)
    return f"{rank}-{name}"


def _replace(folder: Path, begin_s: float, events: Sequence[_Event]) -> None:
    """Make this the only event file of a run; leave the disk alone where it is that already."""
    path = folder / f"{PREFIX}.{int(begin_s):010d}.leafbench"
    data = _framed(begin_s, events)
    with storing(path):
        if _files(folder) == [path] and path.read_bytes() == data:
            return
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(path, data)
        for old in _files(folder):
            if old != path:
                old.unlink(missing_ok=True)


def _write_whole(path: Path, data: bytes) -> None:
    """As the store's `write_whole`, but a session and `trace` may write the same trial at once."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _framed(begin_s: float, events: Sequence[_Event]) -> bytes:
    stream = BytesIO()
    writer = RecordWriter(stream)
    head = event_pb2.Event(wall_time=begin_s, file_version="brain.Event:2")
    writer.write(head.SerializeToString(deterministic=True))
    for event in events:
        made = event_pb2.Event(wall_time=event.wall_s, step=event.step, summary=event.summary)
        writer.write(made.SerializeToString(deterministic=True))
    return stream.getvalue()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.glob(f"{PREFIX}*") if path.suffix != TEMPORARY]


def _begin_s(trial: TrialRecord) -> float:
    return _seconds(trial.started_at)


def _seconds(moment: str) -> float:
    """A moment of a record, which is in UTC also where it does not say so."""
    parsed = datetime.fromisoformat(moment)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
