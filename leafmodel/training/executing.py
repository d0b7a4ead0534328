"""A model made to execute as an `Execution` says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from leafmodel.training.execution import Execution


@contextmanager
def precision(execution: Execution) -> Iterator[None]:
    """Layers made inside compute in this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(str(execution.precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def model_class(execution: Execution, base: type[Any] = keras.Model) -> type[Any]:
    """A model of class `base`, on TensorFlow, whose training step XLA compiles if it is to.

    It does what Keras' own `jit_compile` does (Keras 3.15, `TensorFlowTrainer._make_function`), one
    call further inside, so that what surrounds the step, a meter's stamps among it, need not be
    compiled: XLA has no clock.
    """
    if not execution.jit_compile:
        return base

    class CompiledModel(base):
        """Trains as its base class does."""

        def train_step(self, data: Any) -> Any:
            """Called once a trace of the graph around it."""
            import tensorflow as tf

            return tf.function(super().train_step, jit_compile=True)(data)

    return CompiledModel
