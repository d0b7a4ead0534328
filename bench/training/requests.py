"""What a worker is asked about one model: train a phase, measure a saved model, name leaves.

Scratch, not results: each is a JSON file that lives as long as its process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.schema import DataSummary
from leafmodel.pipelines.spec import PipelineSpec


@dataclass(frozen=True)
class PhaseRequest:
    """Train one phase into `folder`, or go on with it where its checkpoints stand.

    Attributes:
        split_seed: by which the images were split.
        seed: of weights, order and augmentation.
        files: path of a `WorkerFiles`.
        work: a folder for scratch files.
        tensorboard: a folder for event files.
        start: the model file to continue from; empty begins anew.
        identity: what makes this training what it is; a checkpoint of another one is refused.
    """

    schema_version: int
    phase: str
    variant: str
    pipeline: PipelineSpec
    backbone: str
    weights: str
    epochs: int
    batch_size: int
    image_size: int
    split_seed: int
    seed: int
    data: DataSummary
    files: str
    work: str
    folder: str
    tensorboard: str
    start: str
    identity: Mapping[str, str]


@dataclass(frozen=True)
class EvaluateRequest:
    """Hold a saved model against labelled images (path, index of the model's class)."""

    schema_version: int
    model: str
    files: tuple[tuple[str, int], ...]
    out: str


@dataclass(frozen=True)
class PredictRequest:
    """Ask a saved model about images."""

    schema_version: int
    model: str
    files: tuple[str, ...]
    out: str


Request = PhaseRequest | EvaluateRequest | PredictRequest


@dataclass(frozen=True)
class Answers:
    """A model's probabilities for each image of a `PredictRequest`, in its order."""

    schema_version: int
    probabilities: tuple[tuple[float, ...], ...]
