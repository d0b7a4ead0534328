"""Are the generated leaves like photographs, and does their background keep quiet?

    python benchmarks/leaf_realism.py --photographs DIR [--each 100]

DIR holds one folder a class, at any depth, of 256 x 256 JPEGs. Printed, the ratio first:

1. file size and decode time, generated over photographed, decoded turn by turn;
2. the border control: a classifier that sees the outer ring alone, against the majority class and
   against itself trained on shuffled labels. The same classifier on the photographs, whose
   background does tell the class, shows that it could have found something;
3. simple classifiers of whole images (colours; edges and colours): neither trivial nor hopeless.

All classes are of one size here, because at equal sizes the control finds the least leak.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from leafmodel.data.border import centred_targets, kernel_classifier, ring_features
from leafmodel.data.leaf import draw_leaf, encode_jpeg
from leafmodel.data.species import SPECIES
from leafmodel.evaluate import wilson

Image = NDArray[np.uint8]
Features = NDArray[np.float64]
Labels = NDArray[np.int64]

SIZE_PIXELS = 256


@dataclass(frozen=True)
class Score:
    """How many of the held-out images a classifier named rightly, and what no insight gives."""

    right: int
    asked: int
    majority: float
    shuffled_95th: float
    p_value: float

    def line(self) -> str:
        low, high = wilson(self.right / self.asked, self.asked)
        return (
            f"accuracy {self.right / self.asked:.3f} (95 % {low:.3f} to {high:.3f}), majority "
            f"{self.majority:.3f}, shuffled labels up to {self.shuffled_95th:.3f}, "
            f"p = {self.p_value:.3f}"
        )


def colour_features(image: Image) -> Features:
    """A histogram of 6 x 6 x 6 colours."""
    counts = cv2.calcHist([image], [0, 1, 2], None, [6, 6, 6], [0, 256] * 3)
    return np.asarray(np.sqrt(counts.ravel() / counts.sum()), dtype=np.float64)


def edge_features(image: Image) -> Features:
    """Directions of edges in 8 x 8 cells, and the colours: the classic before the CNN."""
    grey = cv2.cvtColor(
        cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
    )
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strength, angle = cv2.cartToPolar(across, down)
    sector = (angle * (8 / (2 * math.pi))).astype(int) % 8
    cells = [
        cv2.resize(np.where(sector == at, strength, 0.0), (8, 8), interpolation=cv2.INTER_AREA)
        for at in range(8)
    ]
    return np.concatenate([np.sqrt(np.stack(cells).ravel()) / 8.0, 4.0 * colour_features(image)])


def score(features: Features, labels: Labels, shuffles: int = 200, seed: int = 0) -> Score:
    """Kernel ridge regression on half of the images, asked about the other half.

    One factorisation serves the true labels and every shuffle of them.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    train, test = order[::2], order[1::2]
    answer = kernel_classifier(features[train], features[test])
    targets = centred_targets(labels[train], int(labels.max()) + 1)
    right = _count_right(answer(targets), labels[test])
    chance = [
        _count_right(answer(targets[rng.permutation(len(train))]), labels[test])
        for _ in range(shuffles)
    ]
    return Score(
        right=right,
        asked=len(test),
        majority=float(np.bincount(labels[test]).max() / len(test)),
        shuffled_95th=float(np.quantile(chance, 0.95)) / len(test),
        p_value=(1 + sum(other >= right for other in chance)) / (1 + shuffles),
    )


def _count_right(answers: Features, truth: Labels) -> int:
    return int((answers.argmax(axis=1) == truth).sum())


def generated(each: int, seed: int = 0) -> tuple[list[bytes], Labels]:
    """`each` JPEGs of every species."""
    data = [
        encode_jpeg(draw_leaf(species, (seed, index, number), SIZE_PIXELS))
        for index, species in enumerate(SPECIES)
        for number in range(each)
    ]
    return data, np.repeat(np.arange(len(SPECIES)), each)


def photographed(folder: Path, each: int) -> tuple[list[bytes], Labels]:
    """`each` JPEGs of every folder that has as many."""
    classes: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.jpg")):
        classes.setdefault(path.parent.name, []).append(path)
    full = [paths[:each] for paths in classes.values() if len(paths) >= each]
    if not full:
        raise SystemExit(f"{folder}: expected folders of {each} .jpg files or more, found none")
    data = [path.read_bytes() for paths in full for path in paths]
    return data, np.repeat(np.arange(len(full)), each)


def decode(data: bytes) -> Image:
    return np.asarray(
        cv2.cvtColor(
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
        )
    )


def decode_milliseconds(one: list[bytes], other: list[bytes]) -> tuple[float, float]:
    """Median decode time of each, taken turn by turn so that both see the same machine."""
    samples: tuple[list[float], list[float]] = ([], [])
    for pair in zip(one, other, strict=False):
        for data, times in zip(pair, samples, strict=True):
            start = time.perf_counter_ns()
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            times.append((time.perf_counter_ns() - start) / 1e6)
    return statistics.median(samples[0]), statistics.median(samples[1])


def print_ratios(ours: list[bytes], photographs: list[bytes]) -> None:
    rng = np.random.default_rng(0)
    mixed = [[data[at] for at in rng.permutation(len(data))] for data in (ours, photographs)]
    sizes = [statistics.median(map(len, data)) for data in mixed]
    times = decode_milliseconds(*mixed)
    print(f"file size    {sizes[0] / sizes[1]:.2f} x ({sizes[0]:.0f} / {sizes[1]:.0f} bytes)")
    print(f"decode time  {times[0] / times[1]:.2f} x ({times[0]:.3f} / {times[1]:.3f} ms)")


def print_scores(name: str, images: Sequence[Image], labels: Labels) -> None:
    looks = {
        "border ring": ring_features,
        "colours": colour_features,
        "edges+colours": edge_features,
    }
    for look, features in looks.items():
        found = score(np.stack([features(image) for image in images]), labels)
        print(f"{name:12s} {look:14s} {found.line()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--each", type=int, default=100, help="images of each class")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    photographs, kinds = photographed(options.photographs, options.each)
    ours, species = generated(options.each)
    print_ratios(ours, photographs)
    print_scores("generated", [decode(data) for data in ours], species)
    print_scores("photographs", [decode(data) for data in photographs], kinds)


if __name__ == "__main__":
    main()
