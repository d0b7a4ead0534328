"""What augmentation costs: the claim's five Keras layers against the fused one, pair by pair.

    python benchmarks/fused_augmentation.py [--size 256] [--batch 32] [--steps 4] [--pairs 15]

Both augment the same batch of images that lies in memory, some steps each in turn, the order
reversed in every second pair; the ratio is formed inside a pair. `fused, bytes` is given the images
as bytes, as it takes them where a pipeline delivers uint8; the others are given float32.

What fusing does to accuracy, by pairs of trainings with one seed:

    leafbench run --suite race --data DIR --variants in_model,fused_model --baseline in_model \
        --candidate fused_model --claim 1x --blocks 6
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from bench.report.formats import seconds, times_interval
from bench.stats import geometric_mean, median
from leafmodel.augment import FusedAugmentation, stock_augmentation

GOAL = 2.5


def _augmentation(layers: Sequence[Any], images: Any, steps: int) -> Callable[[], None]:
    """Augments the images so many times, as a model in training does."""

    def through(x: Any) -> Any:
        for layer in layers:
            x = layer(x, training=True)
        return x

    augmented = tf.function(through)

    def work() -> None:
        for _ in range(steps):
            augmented(images).numpy()

    return work


def _contenders(size: int, batch: int, steps: int) -> dict[str, Callable[[], None]]:
    random = np.random.default_rng(0)
    as_bytes = tf.constant(random.integers(0, 256, (batch, size, size, 3), dtype=np.uint8))
    as_floats = tf.cast(as_bytes, tf.float32)
    fused = FusedAugmentation(seed=0)
    return {
        "stock": _augmentation(stock_augmentation(0), as_floats, steps),
        "fused": _augmentation([fused], as_floats, steps),
        "fused, bytes": _augmentation([fused], as_bytes, steps),
    }


def _seconds(work: Callable[[], None]) -> float:
    begin_ns = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - begin_ns) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=15)
    given = parser.parse_args()
    keras.utils.set_random_seed(0)
    contenders = _contenders(given.size, given.batch, given.steps)
    for work in contenders.values():
        work()  # traces
    taken_s: dict[str, list[float]] = {name: [] for name in contenders}
    for pair in range(given.pairs):
        for name in list(contenders)[:: 1 if pair % 2 == 0 else -1]:
            taken_s[name].append(_seconds(contenders[name]))
    images = given.batch * given.steps
    print(f"{given.size} px, batch {given.batch}, {given.pairs} pairs; goal {GOAL}x")
    for name, own_s in taken_s.items():
        ratio = geometric_mean([a / b for a, b in zip(taken_s["stock"], own_s, strict=True)])
        each = seconds((median(own_s) or 0.0) / images)
        cheaper = "" if name == "stock" else f", stock takes {times_interval(ratio)} as long"
        print(f"{name}: {each} an image{cheaper}")


if __name__ == "__main__":
    main()
