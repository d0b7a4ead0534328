"""`leafbench predict`: what a saved model says of single images, and how unsure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.schema import SCHEMA_VERSION
from bench.training.requests import Answers, PredictRequest
from bench.training.use import ANSWERS, UseTools, ask, refusal, scratch
from leafmodel.data.check import check
from leafmodel.data.folder import FORMATS, Folder, ImageFile
from leafmodel.data.prepare import prepare
from leafmodel.errors import DataError
from leafmodel.model_card import Card, Measured, read_card

# Below either, an answer is called unsure: less than half, or a rival almost as likely.
SURE = 0.5
SURE_MARGIN = 0.2


@dataclass(frozen=True)
class Share:
    """A class and its probability."""

    name: str
    probability: float


@dataclass(frozen=True)
class Alike:
    """Images with answers of like confidence, and how many of those answers were right."""

    part: str
    images: int
    right: int


@dataclass(frozen=True)
class Named:
    """What a model says of an image.

    Attributes:
        shares: all classes, the likeliest first.
        margin: probability of the first less that of the second.
        entropy: of the probabilities, as a share of that of a guess: 0 is all on one class, 1 is
            all alike.
        alike: how many of the images that the model was measured with had an answer about as
            confident as this one, and of how many that was right.
    """

    path: str
    shares: tuple[Share, ...]
    margin: float
    entropy: float
    unsure: bool
    alike: Alike
    statement: str


@dataclass(frozen=True)
class Predicted:
    """What a model says of some images, and what no answer of it can mean."""

    model: str
    images: tuple[Named, ...]
    caution: str


def predict(model: Path, paths: Sequence[Path], tools: UseTools) -> Predicted:
    """Ask a saved model about images.

    Raises:
        ModelError: not a model of leafbench.
        DataError: an image is missing or cannot be read.
        WorkerFailedError: the process that asked the model did not end well.
    """
    card = read_card(model)
    files = _images(paths)
    with scratch() as work:
        prepared, _ = prepare(files, work)
        request = PredictRequest(
            schema_version=SCHEMA_VERSION,
            model=str(model.resolve()),
            files=tuple(str(file.path) for file in prepared),
            out=str(work / ANSWERS),
        )
        answers = ask(request, work / "images.predict.json", Answers, tools)
    return Predicted(
        model=str(model),
        images=tuple(
            named(str(path), row, card)
            for path, row in zip(paths, answers.probabilities, strict=True)
        ),
        caution=(
            f"A classifier of leaves gives one of its {len(card.class_names)} classes to anything. "
            "Whether a picture shows one of them, or a leaf at all, it cannot say."
        ),
    )


def named(path: str, probabilities: Sequence[float], card: Card) -> Named:
    """What an image's probabilities mean; ones that do not sum to 1 are divided by their sum."""
    total = math.fsum(probabilities)
    classes = len(probabilities)
    values = [p / total if total > 0 else 1 / classes for p in probabilities]
    ranked = sorted(
        (Share(name, p) for name, p in zip(card.class_names, values, strict=True)),
        key=lambda share: -share.probability,
    )
    best, margin = ranked[0].probability, ranked[0].probability - ranked[1].probability
    unsure = best < SURE or margin < SURE_MARGIN
    alike = _alike(card.measured[0], best)
    return Named(
        path=path,
        shares=tuple(ranked),
        margin=margin,
        entropy=-math.fsum(p * math.log(p) for p in values if p > 0) / math.log(classes),
        unsure=unsure,
        alike=alike,
        statement=_statement(ranked, unsure, alike),
    )


def _alike(part: Measured, confidence: float) -> Alike:
    for item in part.bins:
        if item.low < confidence <= item.high and item.accuracy is not None:
            return Alike(part.part, item.images, round(item.accuracy.value * item.images))
    return Alike(part.part, 0, 0)


def _statement(ranked: Sequence[Share], unsure: bool, alike: Alike) -> str:
    best, second = ranked[0], ranked[1]
    if unsure:
        text = (
            f"unsure: the best class has {best.probability:.0%}, against {1 / len(ranked):.0%} for "
            f"guessing and {second.probability:.0%} for {second.name}"
        )
    else:
        text = (
            f"if it is one of these {len(ranked)} leaves, most likely {best.name}; next is "
            f"{second.name} with {second.probability:.0%}"
        )
    if not alike.images:
        return f"{text}. No {alike.part} image had an answer of such confidence."
    return (
        f"{text}. Named rightly with about such confidence: {alike.right} of {alike.images} "
        f"{alike.part} images."
    )


def _images(paths: Sequence[Path]) -> tuple[ImageFile, ...]:
    for path in paths:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "there is no such file"
            raise DataError(f"Expected an image at {path}: {what}.")
        if not path.name.lower().endswith(FORMATS):
            raise DataError(
                f"{path} is not named as an image that leafbench reads ({', '.join(FORMATS)}): "
                "convert it."
            )
    files = tuple(ImageFile(path.absolute(), 0) for path in paths)
    problems = check(Folder(Path("/"), ("image",), files, ())).problems
    if problems:
        raise DataError(refusal(problems, "Mend them, or name other images."))
    return files
