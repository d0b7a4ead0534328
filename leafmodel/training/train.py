"""Training: the network behind a pipeline's front layers, compiled and fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from leafmodel.models import cnn
from leafmodel.pipelines.pipeline import Pipeline
from leafmodel.training.phases import Phase

BUILDERS = {"cnn": cnn.build}


@dataclass(frozen=True)
class Trainee:
    """The model that is trained and the network inside it that is evaluated; they share weights."""

    training: Any
    network: Any


def assemble(
    phase: Phase,
    pipeline: Pipeline,
    *,
    image_size: int,
    classes: int,
    model_class: type[Any] = keras.Model,
) -> Trainee:
    """The phase's network behind the pipeline's front layers, both compiled.

    Args:
        model_class: the class of the trained model; a harness gives one that measures itself.
    """
    network = BUILDERS[phase.name](phase, image_size, classes)
    inputs = _input(pipeline, image_size)
    x = inputs
    for layer in pipeline.front:
        x = layer(x)
    training = model_class(inputs, network(x))
    for model in (training, network):
        model.compile(
            optimizer=keras.optimizers.Adam(phase.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,  # "auto" would compile some variants' models on a GPU, not others'
        )
    return Trainee(training, network)


def _input(pipeline: Pipeline, image_size: int) -> Any:
    images, _ = pipeline.dataset.element_spec if pipeline.dataset is not None else (None, None)
    if images is not None and images.shape.rank == 1:
        return keras.Input((), dtype=images.dtype.name, name="index")
    return keras.Input((image_size, image_size, 3), name="image")


class Validation(keras.callbacks.Callback):
    """Adds `val_loss` and `val_accuracy` of the network to each epoch's logs."""

    def __init__(self, network: Any, dataset: Any) -> None:
        super().__init__()
        self._network = network
        self._dataset = dataset

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Evaluate; callbacks behind this one see the result."""
        found = self._network.evaluate(self._dataset, verbose=0, return_dict=True)
        logs |= {f"val_{name}": value for name, value in found.items()}


def early_stopping(phase: Phase, network: Any, validation: Any) -> tuple[Any, ...]:
    """Callbacks for `fit` that end a training when it no longer gets better.

    They stop after `phase.patience` epochs without a lower validation loss, and restore the best
    weights. Never used while timing: every variant trains the same number of epochs.
    """
    stop = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=phase.patience, restore_best_weights=True
    )
    return Validation(network, validation), stop


def fit(
    trainee: Trainee, pipeline: Pipeline, *, epochs: int, callbacks: Sequence[Any] = ()
) -> None:
    """Train for `epochs` epochs; whatever is to be seen of it, a callback sees."""
    trainee.training.fit(
        pipeline.source,
        epochs=epochs,
        verbose=0,
        callbacks=[*callbacks, *pipeline.callbacks],
    )
