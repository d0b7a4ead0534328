"""One model trained properly: all its epochs, stopped when it gets no better, never lost.

A training that was killed goes on behind its last complete epoch: with the weights, the optimiser's
state and learning rate, and what early stopping and the plateau had counted. What is not as if it
had never stopped are the random numbers: the order of the images, augmentation and dropout go on
from a seed of their own, so that the first epochs' are not dealt a second time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from leafmodel.data.folder import ImageFile
from leafmodel.models.network import BackboneChoice
from leafmodel.pipelines.build import build
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.spec import PipelineSpec
from leafmodel.pipelines.tf_data import evaluation_dataset
from leafmodel.training.checkpoints import Checkpoint, Checkpoints
from leafmodel.training.early_stopping import Replay, early_stopping
from leafmodel.training.history import EpochResult, result_of
from leafmodel.training.phases import Phase
from leafmodel.training.schedules import plateau
from leafmodel.training.train import Trainee, Validation, assemble, continue_from, fit

_SEEDS = 2**32


@dataclass(frozen=True)
class Job:
    """What is to be trained.

    Attributes:
        given: the training images.
        validation: the images by which the best epoch is chosen.
        epochs: the most that it may take.
        start: a file with the weights to continue from; None begins anew.
    """

    phase: Phase
    pipeline: PipelineSpec
    given: PipelineInput
    validation: Sequence[ImageFile]
    backbone: BackboneChoice
    epochs: int
    start: Path | None = None


@dataclass(frozen=True)
class Trained:
    """A network with the weights of its best epoch, which is counted from 1."""

    network: Any
    history: tuple[EpochResult, ...]
    best_epoch: int
    stopped_early: bool


def train(job: Job, checkpoints: Checkpoints, callbacks: Sequence[Any] = ()) -> Trained:
    """Train from the beginning, or from where `checkpoints` stand.

    Args:
        callbacks: Keras callbacks that see each epoch with its validation, behind its checkpoint.

    Raises:
        ModelError: checkpoints of another training, weights that do not fit, a full disk, or a
            training that diverged.
        PipelineError: a pipeline that this phase cannot have.
    """
    saved = checkpoints.latest()
    done = len(saved.history) if saved else 0
    seed = (job.given.seed + done) % _SEEDS
    keras.utils.set_random_seed(seed)
    given = replace(job.given, seed=seed)
    pipeline = build(job.pipeline, given)
    trainee = assemble(job.phase, pipeline, given, backbone=job.backbone)
    if saved is None and job.start is not None:
        continue_from(trainee.network, job.start)
    if saved is None or not (saved.stopped or done >= job.epochs):
        _fit(job, trainee, pipeline, checkpoints, saved, callbacks)
    return _best(trainee.network, checkpoints)


def _fit(
    job: Job,
    trainee: Trainee,
    pipeline: Pipeline,
    checkpoints: Checkpoints,
    saved: Checkpoint | None,
    callbacks: Sequence[Any],
) -> None:
    optimiser = trainee.training.optimizer
    optimiser.build(trainee.training.trainable_variables)
    history = saved.history if saved else ()
    deciding = (early_stopping(job.phase), *plateau(job.phase))
    validation = evaluation_dataset(replace(job.given, files=job.validation))

    def restore() -> None:
        if saved is not None:
            saved.restore(trainee.network, optimiser)

    def keep(results: Sequence[EpochResult]) -> None:
        stopped = bool(trainee.training.stop_training)
        checkpoints.save(trainee.network, optimiser, results, stopped=stopped)

    fit(
        trainee,
        pipeline,
        epochs=job.epochs,
        initial_epoch=len(history),
        callbacks=[
            Validation(trainee.network, validation),
            LearningRate(),
            *deciding,
            Replay(history, deciding, restore),
            Keeper(history, keep),
            *callbacks,
        ],
    )


class LearningRate(keras.callbacks.Callback):
    """Adds `learning_rate` to each epoch's logs, before anything changes it for the next one."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Note it."""
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class Keeper(keras.callbacks.Callback):
    """Collects the results of the epochs, those of an earlier process first, and has them kept."""

    def __init__(
        self, history: Sequence[EpochResult], keep: Callable[[Sequence[EpochResult]], None]
    ) -> None:
        super().__init__()
        self._results = list(history)
        self._keep = keep
        self._began_ns = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Start the clock."""
        self._began_ns = time.perf_counter_ns()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep the epoch; its number is counted from 1."""
        wall_s = (time.perf_counter_ns() - self._began_ns) / 1e9
        self._results.append(result_of(epoch + 1, logs, wall_s))
        self._keep(tuple(self._results))


def _best(network: Any, checkpoints: Checkpoints) -> Trained:
    best = checkpoints.best()
    best.restore_weights(network)
    return Trained(network, best.history, best.epoch, best.stopped)
