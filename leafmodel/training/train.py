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


def early_stopping(phase: Phase) -> Any:
    """Ends a training when the validation loss has not improved for `phase.patience` epochs."""
    return keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=phase.patience, restore_best_weights=True
    )


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
