"""A slowdown of known size, planted where a regression would sit: what a gate must see.

Planted time is slept, in proportion to what the training itself takes, so that a plant of 5 % makes
a step (or an epoch) of a pipeline without prefetch 5 % longer on any machine. What sleeps in the
pipeline's own thread is hidden where batches are prefetched, as a slow disk would be.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import keras
import tensorflow as tf

from bench.turns import Place, Turn
from leafmodel.pipelines.pipeline import Pipeline


@dataclass
class Plant:
    """What is planted in the epoch under way, and the time that its parts have taken."""

    turn: Turn = Turn()
    epoch_began_s: float = 0.0
    step_began_s: float = 0.0
    step_s: float = 0.0
    slept_s: float = 0.0

    def sleep(self, place: Place, base_s: float) -> None:
        """Sleep the planted share of `base_s`, if this is the place."""
        if self.turn.place is place and self.turn.plant > 0:
            planted_s = self.turn.plant * base_s
            self.slept_s += planted_s
            time.sleep(planted_s)


def planted_pipeline(pipeline: Pipeline, plant: Plant) -> Pipeline:
    """The pipeline with a last stage that can be made slow; one without a graph as it is."""
    if pipeline.dataset is None or pipeline.source is not pipeline.dataset:
        return pipeline

    def slow() -> None:
        plant.sleep(Place.PIPELINE, plant.step_s)

    def delay(*batch: Any) -> Any:
        with tf.control_dependencies([tf.numpy_function(slow, [], [])]):
            return tf.nest.map_structure(tf.identity, batch)

    dataset = pipeline.dataset.map(delay)
    return replace(pipeline, source=dataset, dataset=dataset)


def planted_model(plant: Plant) -> type[Any]:
    """A `keras.Model` whose training step can be made slow: a share of the step before."""

    class PlantedModel(keras.Model):
        """Trains as its base class does."""

        def train_step(self, data: Any) -> Any:
            """A step that ends when the planted time after its update is over."""
            logs = super().train_step(data)
            weights = [variable.value.read_value() for variable in self.trainable_variables]
            with tf.control_dependencies([*weights, *tf.nest.flatten(logs)]):
                delay = tf.numpy_function(self._slow, [], [])
            with tf.control_dependencies([delay]):
                return tf.nest.map_structure(tf.identity, logs)

        def _slow(self) -> None:
            plant.sleep(Place.MODEL, plant.step_s)

    return PlantedModel


class Planter(keras.callbacks.Callback):
    """Times what plants are proportional to, and plants at the epoch's end. First of callbacks."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self._plant = plant

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """The epoch's own time starts here."""
        self._plant.epoch_began_s = time.perf_counter()
        self._plant.slept_s = 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """The step's own time starts here."""
        self._plant.step_began_s = time.perf_counter()
        self._slept_before_s = self._plant.slept_s

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """The step took this long, without what was planted in it."""
        planted_s = self._plant.slept_s - self._slept_before_s
        self._plant.step_s = time.perf_counter() - self._plant.step_began_s - planted_s

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Plant at the boundary."""
        own_s = time.perf_counter() - self._plant.epoch_began_s - self._plant.slept_s
        self._plant.sleep(Place.BOUNDARY, own_s)
