"""Made-up cards of models that never were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leafmodel.evaluate import Evaluation, evaluate
from leafmodel.model_card import CARD_VERSION, Card, Images, Training, measured

CLASSES = ("ash", "elm", "oak")


def evaluation(right: int = 27, images: int = 30, classes: Sequence[str] = CLASSES) -> Evaluation:
    """Of a model that names `right` of the images rightly, with a confidence of 0.8."""
    truth = np.arange(images) % len(classes)
    called = np.where(np.arange(images) < right, truth, (truth + 1) % len(classes))
    probabilities = np.full((images, len(classes)), 0.2 / (len(classes) - 1))
    probabilities[np.arange(images), called] = 0.8
    return evaluate(probabilities, truth, classes)


def training(**changes: Any) -> Training:
    """How a made-up CNN was trained."""
    values: dict[str, Any] = {
        "phase": "cnn",
        "summary": "a simple CNN",
        "settings": {"dropout": "0.3", "learning_rate": "0.001"},
        "start": "",
        "backbone": "",
        "weights": "",
        "variant": "in_model_cache",
        "batch_size": 32,
        "epochs": 12,
        "best_epoch": 9,
        "stopped_early": False,
        "wall_s": 240.0,
    }
    return Training(**(values | changes))


def card(**changes: Any) -> Card:
    """The card of a made-up model; any field can be given."""
    values: dict[str, Any] = {
        "card_version": CARD_VERSION,
        "class_names": CLASSES,
        "image_size": 32,
        "images": Images("a folder of images", "f00d", 0, 100, 20, 30),
        "training": training(),
        "measured": (measured("test", evaluation()), measured("validation", evaluation(18, 20))),
        "created_at": "2026-01-02T12:00:00+00:00",
        "versions": {"keras": "3.15.1", "tensorflow": "2.21.0"},
    }
    return Card(**(values | changes))
