"""What metering costs: `fit` with leafbench's meters against bare `fit`, pair by pair.

    python benchmarks/meter_overhead.py [--size 256] [--batch 32] [--steps 6] [--pairs 15]

Both models train the claim's CNN on a batch that lies on the device, one epoch each in turn, the
order reversed in every second pair. The ratio is formed inside a pair.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from bench.timing import EpochMeter, StepStamps, metered
from leafmodel.models import cnn
from leafmodel.training.phases import PHASES


def _dataset(size: int, batch: int, steps: int) -> tf.data.Dataset:
    random = np.random.default_rng(0)
    images = tf.constant(random.uniform(0, 255, (batch, size, size, 3)).astype(np.float32))
    labels = tf.constant(random.integers(0, 14, batch))
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensors((images, labels)).repeat(steps).with_options(options)


def _model(size: int, model_class: type[keras.Model]) -> keras.Model:
    network = cnn.build(PHASES["cnn"], size, 14)
    model = model_class(network.inputs, network.outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _contenders(size: int, batch: int, steps: int) -> dict[str, Callable[[], None]]:
    dataset = _dataset(size, batch, steps)
    stamps = StepStamps(steps)
    bare, measured = _model(size, keras.Model), _model(size, metered(stamps))
    meter = EpochMeter(images=batch * steps, stamps=stamps)
    return {
        "bare": lambda: bare.fit(dataset, epochs=1, verbose=0),
        "metered": lambda: measured.fit(dataset, epochs=1, verbose=0, callbacks=[meter]),
    }


def _seconds(work: Callable[[], None]) -> float:
    begin_ns = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - begin_ns) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=15)
    given = parser.parse_args()
    contenders = _contenders(given.size, given.batch, given.steps)
    for work in contenders.values():
        work()  # traces
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for pair in range(given.pairs):
        for name in list(contenders)[:: 1 if pair % 2 == 0 else -1]:
            times[name].append(_seconds(contenders[name]))
    ratios = [m / b for m, b in zip(times["metered"], times["bare"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(
        f"metered / bare: median {middle:.4f} (quartiles {low:.4f} to {high:.4f}, {len(ratios)} "
        f"pairs), {given.size} px, batch {given.batch}, {given.steps} steps an epoch; "
        f"bare epoch {statistics.median(times['bare']):.3f} s"
    )


if __name__ == "__main__":
    main()
