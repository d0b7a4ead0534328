"""The meters: on a clock of ours for the arithmetic, on a real model for the wiring."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import keras
import numpy as np
import pytest
import tensorflow as tf

from bench.schema import EpochRecord
from bench.timing import Clocks, EpochMeter, StepStamps, metered

LOGS = {"loss": 0.5, "accuracy": 0.25}


def _clock(*readings: int) -> Clocks:
    monotonic: Iterator[int] = iter(readings)
    return Clocks(monotonic_ns=lambda: next(monotonic), real_ns=lambda: 0)


def _one_epoch(meter: EpochMeter, steps: int, epoch: int = 0) -> EpochRecord:
    meter.on_epoch_begin(epoch)
    for step in range(steps):
        meter.on_train_batch_begin(step)
        meter.on_train_batch_end(step)
    meter.on_epoch_end(epoch, dict(LOGS))
    return meter.epochs[-1]


def test_an_epoch_is_its_head_its_steps_and_its_tail() -> None:
    #        begin | step 0    | step 1     | end   validated
    clock = _clock(1_000, 1_010, 1_090, 1_110, 1_200, 1_230, 1_230)
    epoch = _one_epoch(EpochMeter(images=8, clocks=clock), steps=2)
    assert (epoch.head_ns, epoch.step_ns, epoch.tail_ns) == (10, (100, 90), 30)
    assert epoch.epoch_ns == 230 == epoch.head_ns + sum(epoch.step_ns) + epoch.tail_ns


def test_validation_is_timed_apart_from_the_epoch() -> None:
    clock = _clock(0, 10, 20, 30, 530)
    meter = EpochMeter(images=4, evaluate=lambda: (1.5, 0.75), clocks=clock)
    epoch = _one_epoch(meter, steps=1)
    assert epoch.epoch_ns == 30
    assert epoch.validation_ns == 500
    assert (epoch.val_loss, epoch.val_accuracy) == (1.5, 0.75)


def test_validation_behind_one_epoch_alone_leaves_the_others_without() -> None:
    evaluated: list[int] = []

    def evaluate() -> tuple[float, float]:
        evaluated.append(len(meter.epochs))
        return 1.5, 0.75

    ticks = Clocks(count(1).__next__, lambda: 0)
    meter = EpochMeter(images=4, evaluate=evaluate, only_after=2, clocks=ticks)
    epochs = [_one_epoch(meter, steps=1, epoch=number) for number in range(3)]
    assert evaluated == [2]
    assert [epoch.val_accuracy for epoch in epochs] == [None, None, 0.75]
    assert [epoch.val_loss for epoch in epochs] == [None, None, 1.5]
    assert [epoch.validation_ns for epoch in epochs] == [0, 0, 1]


def test_the_result_of_a_validation_reaches_the_callbacks_behind() -> None:
    meter = EpochMeter(images=4, evaluate=lambda: (1.5, 0.75), clocks=_clock(0, 1, 2, 3, 4))
    meter.on_epoch_begin(0)
    meter.on_train_batch_begin(0)
    meter.on_train_batch_end(0)
    logs = dict(LOGS)
    meter.on_epoch_end(0, logs)
    assert logs == LOGS | {"val_loss": 1.5, "val_accuracy": 0.75}


def test_the_epoch_ends_where_fit_begins_to_validate() -> None:
    #        begin | step 0 | validation begins | it is over
    clock = _clock(0, 10, 20, 30, 530)
    meter = EpochMeter(images=4, clocks=clock)
    meter.on_epoch_begin(0)
    meter.on_train_batch_begin(0)
    meter.on_train_batch_end(0)
    meter.on_test_begin()
    meter.on_epoch_end(0, LOGS | {"val_loss": 1.5, "val_accuracy": 0.75})
    epoch = meter.epochs[0]
    assert (epoch.epoch_ns, epoch.tail_ns, epoch.validation_ns) == (30, 10, 500)
    assert (epoch.val_loss, epoch.val_accuracy) == (1.5, 0.75)


def test_without_stamps_there_is_no_wait_rather_than_a_zero() -> None:
    epoch = _one_epoch(EpochMeter(images=4, clocks=_clock(0, 1, 2, 3, 4)), steps=1)
    assert epoch.wait_ns is None
    assert epoch.compute_ns is None


class _FixedStamps(StepStamps):
    def take(self) -> list[tuple[int, int]]:
        return [(1_300, 1_900), (2_050, 2_800)]


def test_a_step_waits_from_its_begin_to_its_batch_and_computes_from_there() -> None:
    real = iter((500, 1_000, 2_000))
    clocks = Clocks(monotonic_ns=count(start=1, step=7).__next__, real_ns=lambda: next(real))
    meter = EpochMeter(images=8, stamps=_FixedStamps(2), clocks=clocks)
    meter.fit_begins()
    epoch = _one_epoch(meter, steps=2)
    assert epoch.wait_ns == (300, 50)
    assert epoch.compute_ns == (600, 750)
    assert meter.first_batch_ns == 800


def test_the_first_epoch_begins_with_the_call_of_fit() -> None:
    #        fit  | epoch 0 | steps ... | end, validated | epoch 1, steps, end, validated
    clock = _clock(100, 400, 410, 420, 450, 450, 500, 510, 520, 530, 530)
    meter = EpochMeter(images=4, clocks=clock)
    meter.fit_begins()
    first = _one_epoch(meter, steps=1)
    second = _one_epoch(meter, steps=1)
    assert (first.head_ns, first.epoch_ns) == (310, 350)
    assert (second.head_ns, second.epoch_ns) == (10, 30)


def test_a_diverged_training_is_still_a_timing() -> None:
    meter = EpochMeter(images=4, evaluate=lambda: (float("nan"), 0.0), clocks=_clock(0, 1, 2, 3, 4))
    meter.on_epoch_begin(0)
    meter.on_train_batch_begin(0)
    meter.on_train_batch_end(0)
    meter.on_epoch_end(0, {"loss": float("inf"), "accuracy": 0.5})
    assert (meter.epochs[0].loss, meter.epochs[0].val_loss) == (None, None)
    assert meter.epochs[0].epoch_ns == 3


def test_epochs_done_are_announced() -> None:
    done: list[int] = []
    meter = EpochMeter(images=4, on_epoch=done.append, clocks=Clocks(count(1).__next__, lambda: 0))
    _one_epoch(meter, steps=1)
    _one_epoch(meter, steps=1)
    assert done == [1, 2]


@pytest.fixture
def dataset() -> tf.data.Dataset:
    images = np.random.default_rng(0).normal(size=(10, 6)).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices((images, np.arange(10) % 2)).batch(4)


def _model(stamps: StepStamps | None) -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    outputs = keras.layers.Dense(2, activation="softmax")(inputs)
    model = (metered(stamps) if stamps else keras.Model)(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_metered_model_learns_exactly_what_a_bare_one_does(dataset: tf.data.Dataset) -> None:
    stamps = StepStamps(3)
    bare, measured = _model(None), _model(stamps)
    bare.fit(dataset, epochs=1, verbose=0)
    measured.fit(dataset, epochs=1, verbose=0)
    for expected, found in zip(bare.get_weights(), measured.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_every_step_of_a_real_fit_is_stamped_in_order(dataset: tf.data.Dataset) -> None:
    stamps = StepStamps(3)
    model = _model(stamps)
    meter = EpochMeter(images=10, stamps=stamps)
    meter.fit_begins()
    model.fit(dataset, epochs=3, verbose=0, callbacks=[meter])
    assert [epoch.epoch for epoch in meter.epochs] == [0, 1, 2]
    for epoch in meter.epochs:
        assert len(epoch.step_ns) == 3
        assert epoch.head_ns + sum(epoch.step_ns) + epoch.tail_ns == epoch.epoch_ns
        assert epoch.compute_ns is not None
        assert min(epoch.compute_ns) > 0
    assert meter.first_batch_ns > 0
    assert stamps.traces == 1


def test_a_batch_of_another_shape_is_a_retrace(dataset: tf.data.Dataset) -> None:
    stamps = StepStamps(3)
    model = _model(stamps)
    meter = EpochMeter(images=10, stamps=stamps)
    model.fit(dataset, epochs=1, verbose=0, callbacks=[meter])
    wider = dataset.map(lambda x, y: (tf.cast(x, tf.float64), y))
    model.fit(wider, epochs=1, verbose=0, callbacks=[meter])
    assert stamps.traces > 1
