"""The quickest honest way to a trained head: its features computed once, without augmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from leafmodel.models.network import BackboneChoice
from leafmodel.pipelines.build import build
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.spec import Augment, Loader, PipelineSpec
from leafmodel.training.phases import phase
from leafmodel.training.train import assemble, fit

FEATURES = PipelineSpec(loader=Loader.FEATURES, augment=Augment.NONE, feature_passes=1)


def train_start(
    name: str,
    given: PipelineInput,
    backbone: BackboneChoice,
    epochs: int,
    on_epoch: Callable[[int], None],
) -> Any:
    """Train the phase `name` (one with a frozen backbone) on cached features.

    Returns its whole network: images to probabilities.

    Raises:
        ModelError: the backbone does not exist, or its weights do not fit.
        PipelineError: the phase's backbone is not frozen.
    """
    pipeline = build(FEATURES, given)
    trainee = assemble(phase(name), pipeline, given, backbone=backbone)
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1))  # noqa: ARG005
    fit(trainee, pipeline, epochs=epochs, callbacks=[told])
    return trainee.network
