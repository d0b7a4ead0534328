"""Where a plant sits in a real training, by the order of what happens; how large, on our clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from bench.errors import ConfigError
from bench.planting import Planting
from bench.timing import Clocks, EpochMeter, StepStamps, metered
from bench.turns import Place, Turn
from leafmodel.pipelines.graph import stages
from leafmodel.pipelines.pipeline import Batch, Pipeline
from tests.bench.fake_time import FakeTime

STEPS = 3
SECOND = 1_000_000_000


def _dataset() -> tf.data.Dataset:
    images = np.random.default_rng(0).normal(size=(4 * STEPS, 6)).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices((images, np.arange(4 * STEPS) % 2)).batch(4)


def _no_epoch() -> Iterator[Batch]:
    return iter(())


def _pipeline(dataset: tf.data.Dataset) -> Pipeline:
    return Pipeline(source=dataset, front=(), drain=_no_epoch, dataset=dataset)


def _model(model_class: Callable[..., Any]) -> Any:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    model = model_class(inputs, keras.layers.Dense(2, activation="softmax")(inputs))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class DatedTime(FakeTime):
    """Remembers on the real-time clock, which stamps go by, when each loss was."""

    def __init__(self) -> None:
        super().__init__()
        self.real_ns: list[int] = []

    def lose(self, seconds: float) -> None:
        if seconds:
            self.real_ns.append(time.time_ns())
            super().lose(seconds)


class Remembers(StepStamps):
    """Stamps that can be read after the meter took them."""

    def take(self) -> list[tuple[int, int]]:
        self.taken = super().take()
        return self.taken


class Passes(keras.callbacks.Callback):
    """Lets ten seconds of our clock pass in each step; knows when each began for real."""

    def __init__(self, ours: FakeTime) -> None:
        super().__init__()
        self._ours = ours

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.begins_ns: list[int] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._ours.pass_s(10)
        self.begins_ns.append(time.time_ns())


class Trained:
    """Two epochs of a training, the second one with the plant; and what it lost, when."""

    def __init__(self, turn: Turn, dataset: tf.data.Dataset | None = None) -> None:
        self.ours, self.stamps = DatedTime(), Remembers(STEPS)
        self.steps = Passes(self.ours)
        planting = Planting(_pipeline(dataset or _dataset()), "tf_data", self.ours.clock)
        self.meter = EpochMeter(
            images=4 * STEPS,
            stamps=self.stamps,
            on_epoch=lambda _done: planting.take(turn),
            clocks=Clocks(monotonic_ns=lambda: round(self.ours.at_s * SECOND)),
        )
        _model(metered(self.stamps, planting.model_class)).fit(
            planting.pipeline.source,
            epochs=2,
            verbose=0,
            callbacks=[planting.callback, self.meter, self.steps],
        )


def test_a_plant_in_the_model_lies_between_the_stamps_of_each_step() -> None:
    trained = Trained(Turn(0.1, Place.MODEL))
    assert trained.meter.epochs[0].step_ns == (10 * SECOND,) * STEPS
    assert trained.meter.epochs[1].step_ns == (11 * SECOND,) * STEPS
    for (ready_ns, updated_ns), lost_ns in zip(
        trained.stamps.taken, trained.ours.real_ns, strict=True
    ):
        assert ready_ns <= lost_ns + 1_000  # stamps are seconds in a float: to a microsecond
        assert lost_ns <= updated_ns + 1_000


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_plant_in_the_pipeline_lies_in_the_wait_of_each_step(prefetch: int) -> None:
    dataset = _dataset().prefetch(prefetch) if prefetch else _dataset()
    trained = Trained(Turn(0.1, Place.PIPELINE), dataset)
    assert trained.meter.epochs[1].step_ns == (11 * SECOND,) * STEPS
    for begin_ns, (ready_ns, _), lost_ns in zip(
        trained.steps.begins_ns, trained.stamps.taken, trained.ours.real_ns, strict=True
    ):
        assert begin_ns <= lost_ns <= ready_ns + 1_000


def test_a_plant_at_the_boundary_lies_in_the_tail() -> None:
    trained = Trained(Turn(0.1, Place.BOUNDARY))
    before, planted = trained.meter.epochs
    assert (before.tail_ns, planted.tail_ns) == (0, 3 * SECOND)
    assert planted.step_ns == before.step_ns


@pytest.mark.parametrize("place", list(Place))
def test_a_plant_of_nothing_runs_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def must_not_run(_self: object) -> None:
        raise AssertionError("Python ran within the graph")

    monkeypatch.setattr("bench.slowdown.Slowdown.within_step", must_not_run)
    monkeypatch.setattr("bench.slowdown.Slowdown.within_pipeline", must_not_run)
    trained = Trained(Turn(0.0, place))
    assert trained.ours.lost == []
    assert len(trained.meter.epochs) == 2


@pytest.mark.parametrize("place", list(Place))
def test_a_planted_training_learns_exactly_what_a_bare_one_does(place: Place) -> None:
    planting = Planting(_pipeline(_dataset()), "tf_data", FakeTime().clock)
    planting.take(Turn(0.1, place))
    bare, planted = _model(keras.Model), _model(planting.model_class)
    bare.fit(_dataset(), epochs=2, verbose=0)
    planted.fit(planting.pipeline.source, epochs=2, verbose=0, callbacks=[planting.callback])
    for expected, found in zip(bare.get_weights(), planted.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_stage_stands_behind_the_prefetch_and_keeps_the_shape() -> None:
    dataset = _dataset().prefetch(2)
    planting = Planting(_pipeline(dataset), "tf_data")
    planted = planting.pipeline.dataset
    assert planting.pipeline.source is planted
    assert [stage.kind for stage in stages(planted)][-2:] == ["prefetch", "map"]
    assert planted.element_spec == dataset.element_spec
    assert planted.cardinality() == dataset.cardinality() == STEPS


class _Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        return np.zeros((4, 6), np.float32), np.zeros(4)


def test_a_pipeline_without_a_graph_is_left_as_it_is_and_refuses_a_plant() -> None:
    pipeline = Pipeline(source=_Batches(), front=(), drain=_no_epoch)
    planting = Planting(pipeline, "image_data_generator", FakeTime().clock)
    assert planting.pipeline is pipeline
    with pytest.raises(ConfigError) as refused:
        planting.take(Turn(0.1, Place.PIPELINE))
    assert str(refused.value) == (
        "Cannot plant a slowdown at pipeline: the loader image_data_generator is no tf.data graph, "
        "to which a slow stage could be added. Choose another place: model, boundary."
    )
