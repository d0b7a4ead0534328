"""A trained network as one file, and its answers for images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from leafmodel.data.folder import ImageFile
from leafmodel.errors import ModelError
from leafmodel.model_card import Card, read_card, write_card
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.tf_data import evaluation_dataset

_BATCH = 32


def save(network: Any, card: Card, path: Path) -> None:
    """Write the network, without its optimiser, with its card: whole or not at all.

    Whoever loads it with `keras.saving.load_model` needs nothing of leafmodel.
    """
    partial = path.with_name(f"partial-{path.name}")  # Keras insists on the ending
    bare = keras.Model(network.input, network.output, name="leaves")  # not compiled
    try:
        bare.save(partial)
        write_card(partial, card)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path) -> tuple[Any, Card]:
    """The model, (batch, size, size, 3) in 0-255 -> (batch, classes), and its card.

    Raises:
        ModelError: not a model of leafbench, or one that this Keras cannot read.
    """
    card = read_card(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters is checked below
            model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its layers do
        first = str(error).strip().split("\n")[0] or type(error).__name__
        raise ModelError(
            f"Keras {keras.__version__} cannot read {path}, which was saved with Keras "
            f"{card.versions.get('keras', 'of an unknown version')}: {first} Install that version, "
            "or train the model again."
        ) from error
    wanted = ((None, card.image_size, card.image_size, 3), (None, len(card.class_names)))
    if (tuple(model.input_shape), tuple(model.output_shape)) != wanted:
        raise ModelError(
            f"The model in {path} takes {model.input_shape} and gives {model.output_shape}, its "
            f"card says {wanted[0]} and {wanted[1]}: they do not belong together. Train it again."
        )
    return model, card


def answers(
    model: Any,
    files: Sequence[ImageFile],
    image_size: int,
    callbacks: Sequence[Any] = (),
) -> NDArray[np.float32]:
    """What the model says of each image, (images, classes), resized as in training."""
    given = PipelineInput(
        files=files,
        class_names=(),
        batch_size=_BATCH,
        image_size=image_size,
        seed=0,
        work=Path(),
    )
    found: NDArray[np.float32] = model.predict(
        evaluation_dataset(given), verbose=0, callbacks=list(callbacks)
    )
    return found
