"""Where a slowdown is planted in one of our trainings: in its graph, and at an epoch's end.

Only a training that is conducted has any of this in its graph. While nothing is planted, the graph
branches around what loses time, so that no step waits for Python.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from bench.slowdown import Clock, Slowdown
from bench.turns import Place, Turn
from leafmodel.pipelines.pipeline import Pipeline


class Planting:
    """One training's places for a slowdown.

    Args:
        pipeline: that it trains with.
        loader: that the pipeline has; for messages.
        clock: that the slowdown goes by; None: the process' own.

    Attributes:
        pipeline: the same with a last stage, behind any prefetch, that can be made slow: its time
            is input wait. One that is no tf.data graph stays as it is, and takes no slowdown.
        model_class: a `keras.Model` whose training step can be made slow behind its update.
        callback: tells the slowdown where the training is; must be the first of the callbacks.
    """

    def __init__(self, pipeline: Pipeline, loader: str, clock: Clock | None = None) -> None:
        has_graph = pipeline.dataset is not None and pipeline.source is pipeline.dataset
        refused = {} if has_graph else {Place.PIPELINE: _no_graph(loader)}
        self._slowdown = Slowdown(refused, clock)
        with tf.device("CPU:0"):
            self._planted = {
                place: tf.Variable(False, trainable=False)
                for place in (Place.MODEL, Place.PIPELINE)
            }
        self.pipeline = self._with_stage(pipeline) if has_graph else pipeline
        self.model_class = self._model_class()
        self.callback = Planter(self._slowdown, self._switch)

    def take(self, turn: Turn) -> None:
        """Plant what the turn asks for, from the next epoch on.

        Raises:
            ConfigError: nothing can be planted there in this training.
        """
        self._slowdown.take(turn)

    def _with_stage(self, pipeline: Pipeline) -> Pipeline:
        def delay(*batch: Any) -> Any:
            return self._behind(batch, Place.PIPELINE, self._slowdown.within_pipeline)

        options = tf.data.Options()  # an autotuned data set would get a prefetch behind the stage
        options.experimental_optimization.inject_prefetch = False
        dataset = pipeline.dataset.map(delay).with_options(options)
        return replace(pipeline, source=dataset, dataset=dataset)

    def _model_class(self) -> type[Any]:
        behind, slowdown = self._behind, self._slowdown

        class PlantedModel(keras.Model):
            """Trains as its base class does."""

            def train_step(self, data: Any) -> Any:
                """A step that ends when what is planted behind its update is over."""
                logs = super().train_step(data)
                weights = [variable.value.read_value() for variable in self.trainable_variables]
                with tf.control_dependencies(weights):
                    return behind(logs, Place.MODEL, slowdown.within_step)

        return PlantedModel

    def _switch(self) -> None:
        for place, planted in self._planted.items():
            planted.assign(self._slowdown.is_at(place))

    def _behind(self, values: Any, place: Place, lose: Callable[[], None]) -> Any:
        """Within a graph: the same values, there only after what is planted at `place`."""

        def lost() -> bool:
            lose()
            return True

        with tf.control_dependencies(tf.nest.flatten(values)):
            over = tf.cond(
                self._planted[place],
                lambda: tf.ensure_shape(tf.numpy_function(lost, [], tf.bool), ()),
                lambda: True,
            )
        with tf.control_dependencies([over]):
            return tf.nest.map_structure(tf.identity, values)


class Planter(keras.callbacks.Callback):
    """Tells a slowdown where the training is, and the graph whether anything is planted in it."""

    def __init__(self, slowdown: Slowdown, switch: Callable[[], None]) -> None:
        super().__init__()
        self._slowdown = slowdown
        self._switch = switch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """An epoch begins."""
        self._switch()
        self._slowdown.epoch_begins()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """A step begins."""
        self._slowdown.step_begins()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """A step ends."""
        self._slowdown.step_ends()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """An epoch ends; what is planted at its boundary is lost here."""
        self._slowdown.epoch_ends()


def _no_graph(loader: str) -> str:
    return f"the loader {loader} is no tf.data graph, to which a slow stage could be added"
