"""A script of somebody else's, recorded: what lands in the file, and what is refused."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from bench.accounting import VERSIONED_PACKAGES
from bench.codec import decode
from bench.errors import ConfigError, StoreError
from bench.recorder import Recorder
from bench.recording import Recording
from bench.schema import TrialKind, TrialRecord, TrialStatus
from bench.timing import Clocks
from bench.turns import OUT_VARIABLE, TURNS_VARIABLE, Place, Turn
from tests.bench.fake_time import FakeTime

IMAGES = 10
SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asked for a record, nobody conducts."""
    monkeypatch.delenv(OUT_VARIABLE, raising=False)
    monkeypatch.delenv(TURNS_VARIABLE, raising=False)


@pytest.fixture
def conduct(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Conduct this process: give it these turns, then nothing more."""

    def begin(*turns: Turn) -> None:
        told = io.BytesIO(b"".join(turn.line() for turn in turns))
        monkeypatch.setenv(TURNS_VARIABLE, "1")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(told))

    return begin


def _train(
    *callbacks: Any, epochs: int = 2, metrics: Sequence[str] = ("accuracy",), **fit: Any
) -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(inputs))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=list(metrics))
    images = np.random.default_rng(0).normal(size=(IMAGES, 6)).astype(np.float32)
    options = {"batch_size": 4, "verbose": 0} | fit
    model.fit(images, np.arange(IMAGES) % 2, epochs=epochs, callbacks=list(callbacks), **options)


def _record(path: Path) -> TrialRecord:
    return decode(path.read_bytes(), TrialRecord, str(path))


def test_the_folder_that_the_environment_names_gets_a_whole_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OUT_VARIABLE, str(tmp_path / "new" / "folder"))
    _train(Recorder(images=IMAGES))
    record = _record(tmp_path / "new" / "folder" / "train-mine.json")
    assert record.status is TrialStatus.OK
    assert record.spec.kind is TrialKind.FOREIGN
    assert (record.spec.variant, record.spec.phase, record.spec.epochs) == ("train", "mine", 2)
    assert record.spec.batch_size == 4
    assert [epoch.images for epoch in record.epochs] == [IMAGES, IMAGES]
    assert [len(epoch.step_ns) for epoch in record.epochs] == [3, 3]
    assert [epoch.wait_ns for epoch in record.epochs] == [None, None]
    assert all(epoch.accuracy is not None for epoch in record.epochs)
    assert record.epochs[1].val_accuracy is None
    assert record.peak_rss_bytes > 10**7
    assert record.start_ns > 0
    assert record.wall_ns > record.start_ns
    assert record.cpu_ns > 0
    assert record.started_at
    assert set(record.versions) == set(VERSIONED_PACKAGES)


def test_where_no_folder_is_named_keras_finds_nothing_to_call(tmp_path: Path) -> None:
    recorder = Recorder(images=IMAGES)
    assert type(recorder) is keras.callbacks.Callback
    _train(recorder)
    assert list(tmp_path.iterdir()) == []


def test_two_fits_of_a_script_are_two_records(tmp_path: Path) -> None:
    _train(Recorder("big", "head", images=IMAGES, out=tmp_path), epochs=1)
    _train(Recorder("big", "all", images=IMAGES, out=tmp_path), epochs=1)
    assert {path.name for path in tmp_path.iterdir()} == {"big-head.json", "big-all.json"}


def test_a_recorder_that_is_used_twice_is_refused_before_it_trains(tmp_path: Path) -> None:
    recorder = Recorder(images=IMAGES, out=tmp_path)
    _train(recorder, epochs=1)
    first = (tmp_path / "train-mine.json").read_bytes()
    with pytest.raises(StoreError, match="recorded already: give each fit a Recorder of its own"):
        _train(recorder, epochs=1)
    assert (tmp_path / "train-mine.json").read_bytes() == first


def test_a_folder_that_cannot_be_made_is_refused_before_it_trains(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recorder = Recorder(images=IMAGES, out=tmp_path / "file" / "folder")
    with pytest.raises(StoreError, match="Cannot write"):
        _train(recorder)
    assert recorder.epochs == []


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "two words"])
def test_a_name_that_is_no_files_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="letters, digits") as refused:
        Recorder(phase=name, images=IMAGES)
    assert repr(name) in str(refused.value)


def test_no_images_are_refused() -> None:
    with pytest.raises(ConfigError, match="found 0"):
        Recorder(images=0)


def test_no_epochs_are_no_record(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No epoch was trained"):
        _train(Recorder(images=IMAGES, out=tmp_path), epochs=0)
    assert list(tmp_path.iterdir()) == []


def test_accuracy_is_the_metric_that_was_named(tmp_path: Path) -> None:
    named = Recorder(images=IMAGES, accuracy="sparse_categorical_accuracy", out=tmp_path)
    _train(named, metrics=["sparse_categorical_accuracy"], epochs=1, validation_split=0.5)
    (epoch,) = _record(tmp_path / "train-mine.json").epochs
    assert epoch.accuracy is not None
    assert epoch.val_accuracy is not None


def test_a_metric_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    recorder = Recorder(images=IMAGES, accuracy="acc", out=tmp_path)
    with pytest.raises(ConfigError, match=r"'acc' as accuracy, found only 'accuracy', 'loss'"):
        _train(recorder)


def test_a_training_without_accuracy_has_none(tmp_path: Path) -> None:
    _train(Recorder(images=IMAGES, out=tmp_path), metrics=[], epochs=1)
    (epoch,) = _record(tmp_path / "train-mine.json").epochs
    assert epoch.accuracy is None
    assert epoch.loss is not None


class Passes(keras.callbacks.Callback):
    """Lets time of ours pass: ten seconds in each step, a hundred in each validation."""

    def __init__(self, ours: FakeTime) -> None:
        super().__init__()
        self._ours = ours

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._ours.pass_s(10)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._ours.pass_s(100)


def _timed(folder: Path, **fit: Any) -> TrialRecord:
    """A recorded training on a clock of ours, of 3 steps an epoch."""
    ours = FakeTime()
    clocks = Clocks(monotonic_ns=lambda: round(ours.at_s * SECOND), real_ns=lambda: 0)
    recording = Recording("train", "mine", folder, IMAGES, clock=ours.clock, clocks=clocks)
    _train(recording, Passes(ours), **fit)
    return _record(folder / "train-mine.json")


def test_validation_by_fit_is_no_part_of_the_epoch(tmp_path: Path) -> None:
    record = _timed(tmp_path, validation_data=(np.zeros((4, 6)), np.zeros(4)), epochs=1)
    (epoch,) = record.epochs
    assert epoch.validation_ns == 100 * SECOND
    assert epoch.epoch_ns == 30 * SECOND
    assert epoch.val_accuracy is not None


def test_a_conducted_training_waits_for_each_epochs_turn(
    tmp_path: Path, conduct: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    conduct(Turn(), Turn())
    _train(Recorder(images=IMAGES, out=tmp_path), verbose=1)
    lines = capsys.readouterr().out.split("\n")
    assert [line for line in lines if line.startswith("@")] == [
        "@epoch 0 2",
        "@epoch 1 2",
        "@epoch 2 2",
    ]
    assert len(_record(tmp_path / "train-mine.json").epochs) == 2


def test_a_training_that_stops_itself_waits_for_no_further_turn(
    tmp_path: Path, conduct: Callable[..., None]
) -> None:
    class Stops(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.model.stop_training = True

    conduct(Turn())
    _train(Stops(), Recorder(images=IMAGES, out=tmp_path), epochs=5)
    record = _record(tmp_path / "train-mine.json")
    assert (len(record.epochs), record.spec.epochs) == (1, 5)


def test_a_conductor_that_goes_away_ends_the_script_with_one_sentence(
    tmp_path: Path, conduct: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    conduct(Turn())
    with pytest.raises(SystemExit) as ended:
        _train(Recorder(images=IMAGES, out=tmp_path))
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "whoever conducted this training has gone" in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_plant_in_the_step_makes_each_step_longer(
    tmp_path: Path, conduct: Callable[..., None]
) -> None:
    conduct(Turn(), Turn(0.1, Place.MODEL))
    before, planted = _timed(tmp_path).epochs
    assert before.step_ns == (10 * SECOND,) * 3
    assert planted.step_ns == (11 * SECOND,) * 3


@pytest.mark.parametrize("validates", [False, True])
def test_a_plant_at_the_boundary_is_in_the_tail_and_not_in_the_validation(
    tmp_path: Path, conduct: Callable[..., None], validates: bool
) -> None:
    conduct(Turn(), Turn(0.1, Place.BOUNDARY))
    held_out = {"validation_data": (np.zeros((4, 6)), np.zeros(4))} if validates else {}
    before, planted = _timed(tmp_path, **held_out).epochs
    assert planted.step_ns == before.step_ns
    assert (before.tail_ns, planted.tail_ns) == (0, 3 * SECOND)
    assert planted.validation_ns == before.validation_ns


def test_a_plant_in_the_pipeline_is_refused(
    tmp_path: Path, conduct: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    conduct(Turn(0.1, Place.PIPELINE))
    with pytest.raises(SystemExit) as ended:
        _train(Recorder(images=IMAGES, out=tmp_path))
    assert ended.value.code == 2
    assert "is not ours to add a stage to" in capsys.readouterr().err
