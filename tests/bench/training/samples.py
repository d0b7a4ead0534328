"""Made-up trainings for tests: a head, phases, and a folder that holds them. No measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.codec import encode
from bench.schema import SCHEMA_VERSION, DataSummary
from bench.training.plan import training_phases
from bench.training.records import (
    EvaluationRecord,
    PartEvaluation,
    TrainConfig,
    TrainingRecord,
)
from bench.training.store import StoredPhase, StoredTraining, phase_folder
from leafmodel.evaluate import evaluate
from leafmodel.model_card import Card, measured
from leafmodel.training.history import EpochResult, to_csv
from tests.bench.samples import environment
from tests.leafmodel.model_samples import CLASSES, card, training


def config(**changes: Any) -> TrainConfig:
    """What a made-up training was asked for."""
    values: dict[str, Any] = {
        "data": "data/leaves",
        "phases": ("cnn", "improved"),
        "variant": "in_model_cache",
        "epochs": 50,
        "batch_size": 32,
        "image_size": 224,
        "images": None,
        "seed": 0,
        "backbone": "efficientnet_lite0",
        "weights": "imagenet",
    }
    return TrainConfig(**(values | changes))


def data(**changes: Any) -> DataSummary:
    """The images of a made-up training."""
    values: dict[str, Any] = {
        "root": "data/leaves",
        "source": "a folder of images",
        "fingerprint": "f00d",
        "class_names": CLASSES,
        "train_images": 250,
        "validation_images": 50,
        "test_images": 90,
        "image_sizes": {"256x256": 390},
        "skipped": (),
        "converted": (),
    }
    return DataSummary(**(values | changes))


def head(wanted: TrainConfig | None = None, **changes: Any) -> TrainingRecord:
    """The head of a made-up training."""
    wanted = wanted or config()
    values: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run_id": "20260102-120000-train",
        "created_at": "2026-01-02T12:00:00+00:00",
        "leafbench_version": "0.1.0",
        "command": ("leafbench", "train", "--phase", "cnn", "--phase", "improved"),
        "config": wanted,
        "data": data(),
        "environment": environment(),
        "plan": training_phases(wanted.phases),
    }
    return TrainingRecord(**(values | changes))


def history(epochs: int = 12, best: int = 9) -> tuple[EpochResult, ...]:
    """A loss that falls to the best epoch and rises behind it."""
    return tuple(
        EpochResult(
            epoch=number,
            loss=1.2 / number,
            accuracy=1 - 0.5 / number,
            val_loss=0.4 + 0.05 * abs(number - best),
            val_accuracy=0.9 - 0.02 * abs(number - best),
            learning_rate=1e-3,
            wall_s=20.0,
        )
        for number in range(1, epochs + 1)
    )


def part(name: str, right: Sequence[bool], classes: Sequence[str] = CLASSES) -> PartEvaluation:
    """Answers for images of the classes in turn, with a confidence of 0.8."""
    truth = np.arange(len(right)) % len(classes)
    called = np.where(right, truth, (truth + 1) % len(classes))
    probabilities = np.full((len(right), len(classes)), 0.2 / (len(classes) - 1))
    probabilities[np.arange(len(right)), called] = 0.8
    return PartEvaluation(
        part=name,
        evaluation=evaluate(probabilities, truth, classes),
        truth=tuple(truth.tolist()),
        called=tuple(called.tolist()),
    )


def phase(name: str, right: Sequence[bool], *, test: bool = True, start: str = "") -> StoredPhase:
    """A trained phase whose answers for the test (or validation) images are right where given."""
    validation = part("validation", [True] * 40 + [False] * 10)
    parts = (part("test", right), validation) if test else (part("validation", right),)
    with_backbone = {"backbone": "efficientnet_lite0", "weights": "imagenet"}
    made: Card = card(
        training=training(
            phase=name, start=start, stopped_early=True, **(with_backbone if start else {})
        ),
        measured=tuple(measured(item.part, item.evaluation) for item in parts),
    )
    return StoredPhase(made, history(), EvaluationRecord(SCHEMA_VERSION, parts))


def stored(*phases: StoredPhase, **changes: Any) -> StoredTraining:
    """All that a made-up folder holds."""
    made = StoredTraining(head=head(), phases=phases, failures=(), audit=None)
    return replace(made, **changes)


def finish(folder: Path, made: StoredPhase) -> None:
    """Write what a worker leaves of a phase that has ended."""
    phase_dir = phase_folder(folder, made.card.training.phase)
    phase_dir.mkdir(parents=True, exist_ok=True)
    (phase_dir / "model.keras").write_bytes(b"a model")
    (phase_dir / "evaluation.json").write_bytes(encode(made.evaluation))
    (phase_dir / "history.csv").write_text(to_csv(made.history))
    (phase_dir / "card.json").write_bytes(encode(made.card))
