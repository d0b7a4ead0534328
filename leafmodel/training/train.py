"""Training: the network behind a pipeline's front layers, compiled and fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from leafmodel.backend import compiles_steps
from leafmodel.errors import ModelError, PipelineError, WeightsError
from leafmodel.models import network as networks
from leafmodel.models.network import DEFAULT_BACKBONE, BackboneChoice, Network
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.training.executing import precision
from leafmodel.training.execution import AS_USUAL, Execution
from leafmodel.training.losses import loss_of
from leafmodel.training.optimisers import optimiser_of
from leafmodel.training.phases import Phase


@dataclass(frozen=True)
class Trainee:
    """The model that is trained and the network inside it that is evaluated; they share weights."""

    training: Any
    network: Any


def assemble(
    phase: Phase,
    pipeline: Pipeline,
    given: PipelineInput,
    *,
    backbone: BackboneChoice = DEFAULT_BACKBONE,
    model_class: type[Any] = keras.Model,
    execution: Execution = AS_USUAL,
) -> Trainee:
    """The phase's network behind the pipeline's front layers, both compiled.

    Args:
        given: the images that the pipeline was built over.
        backbone: for phases with a pretrained one.
        model_class: the class of the trained model; a harness gives one that measures itself, and
            that compiles its step where `execution` says so (`leafmodel.training.executing`).
        execution: of the trained model's steps; the network computes in its precision.

    Raises:
        ModelError: the backbone does not exist, or its weights do not fit; or the backend compiles
            its steps and cannot compile this model's.
        PipelineError: the pipeline delivers features, and the phase changes them.
    """
    with precision(execution):
        parts = networks.build(phase, given.image_size, len(given.class_names), backbone)
    inputs = _input(pipeline, given.image_size)
    training = model_class(inputs, _outputs(phase, pipeline, parts, inputs))
    for model in (training, parts.whole):
        model.compile(
            optimizer=optimiser_of(phase, given.steps),
            loss=loss_of(phase, given.class_counts),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            jit_compile=compiles_steps(),
            steps_per_execution=execution.steps_per_execution if model is training else 1,
        )
        _require_compiled(model)
    return Trainee(training, parts.whole)


def _require_compiled(model: Any) -> None:
    """Keras runs a model operation by operation where a layer says that it cannot be compiled."""
    if compiles_steps() and not model.jit_compile:
        layers = [layer.name for layer in model._flatten_layers() if not layer.supports_jit]
        raise ModelError(
            f"Keras cannot compile a model with {', '.join(layers)} on JAX, and would run it "
            "operation by operation: leave the improvement out that has this layer, or train on "
            "TensorFlow."
        )


def _outputs(phase: Phase, pipeline: Pipeline, parts: Network, inputs: Any) -> Any:
    if pipeline.features is not None:
        if not phase.is_frozen:
            raise PipelineError(
                f"Cached features need a frozen backbone, and phase {phase.name} trains "
                f"{'part of it' if phase.has_backbone else 'without one'}: choose another variant, "
                "or the phase transfer."
            )
        return parts.head(pipeline.features.attach(parts.extractor)(inputs))
    x = inputs
    for layer in (*pipeline.front, *parts.front):
        x = layer(x)
    return parts.core(x)


def _input(pipeline: Pipeline, image_size: int) -> Any:
    images, _ = pipeline.dataset.element_spec if pipeline.dataset is not None else (None, None)
    if images is not None and images.shape.rank == 1:
        return keras.Input((), dtype=images.dtype.name, name="index")
    dtype = images.dtype.name if images is not None else "float32"
    return keras.Input((image_size, image_size, 3), dtype=dtype, name="image")


def continue_from(network: Any, weights: Path) -> None:
    """Load the weights that another phase's network ended with.

    Raises:
        WeightsError: the file is missing, broken, or of another network.
    """
    if not weights.is_file():
        raise WeightsError(
            f"Expected the weights to continue from at {weights}, found no file: train the phase "
            "before this one first."
        )
    try:
        network.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().split("\n")[0]
        raise WeightsError(
            f"{weights} does not fit this network ({first}): it is broken, or was trained for "
            "other classes, another backbone or another head. Train the phase before it again."
        ) from error


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


def fit(
    trainee: Trainee,
    pipeline: Pipeline,
    *,
    epochs: int,
    initial_epoch: int = 0,
    callbacks: Sequence[Any] = (),
) -> None:
    """Train up to `epochs` epochs; whatever is to be seen of it, a callback sees."""
    trainee.training.fit(
        pipeline.source,
        epochs=epochs,
        initial_epoch=initial_epoch,
        verbose=0,
        callbacks=[*callbacks, *pipeline.callbacks],
    )
