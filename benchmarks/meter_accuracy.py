"""Does the meter see a wait that we planted? A pipeline that sleeps before every batch.

    python benchmarks/meter_accuracy.py [--wait-ms 300]

Shows the input wait per step as metered, for a data set that knows its length. `in the step` is
what the meter took for computing: a planted wait must not hide there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from bench.timing import EpochMeter, StepStamps, metered

STEPS = 6


def _slow(wait_s: float) -> tf.data.Dataset:
    images = np.zeros((32 * STEPS, 16, 16, 3), np.float32)
    labels = np.zeros(32 * STEPS, np.int32)

    def wait(x: Any) -> Any:
        time.sleep(wait_s)
        return x

    def sleeping(x: Any, y: Any) -> tuple[Any, Any]:
        waited = tf.numpy_function(wait, [x], tf.float32)
        return tf.ensure_shape(waited, (None, 16, 16, 3)), y

    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(32).map(sleeping)
    return dataset.with_options(options)


def _meter(dataset: tf.data.Dataset) -> EpochMeter:
    stamps = StepStamps(STEPS)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(32, 3, activation="relu")(inputs)
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(x))
    model = metered(stamps)(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    meter = EpochMeter(images=32 * STEPS, stamps=stamps)
    meter.fit_begins()
    model.fit(dataset, epochs=3, verbose=0, callbacks=[meter])
    return meter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--wait-ms", type=float, default=300.0)
    wait_ms = parser.parse_args().wait_ms
    for planted_ms in (0.0, wait_ms):
        steady = _meter(_slow(planted_ms / 1e3)).epochs[1:]
        waits = [value / 1e6 for epoch in steady for value in epoch.wait_ns or ()]
        computes = [value / 1e6 for epoch in steady for value in epoch.compute_ns or ()]
        print(
            f"planted {planted_ms:6.1f} ms: metered wait median {statistics.median(waits):7.2f} ms "
            f"(min {min(waits):.2f}, max {max(waits):.2f}); in the step "
            f"{statistics.median(computes):.2f} ms"
        )


if __name__ == "__main__":
    main()
