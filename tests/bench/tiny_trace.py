"""Small real traces for tests: the claim's CNN on tiny images, profiled in a process of its own.

    traces()["plain"].path

TensorFlow's profiler can run once at a time and leaves state behind, hence the process. The traces
are made once a session and are never committed: they are as large as they are specific to versions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Decoded one by one while the model waits; by a Python generator; augmented inside the model.
VARIANTS = ("plain", "default", "in_model")
FIRST_STEP = 2
STEPS = 6


@dataclass(frozen=True)
class MadeTrace:
    """A trace, and what a capture knows of it."""

    path: Path
    steps: tuple[int, ...]
    begin_real_ns: int
    end_real_ns: int


@dataclass(frozen=True)
class Size:
    """Of the images, batches and the profiled window."""

    image_size: int = 32
    batch_size: int = 4
    steps: int = STEPS


@cache
def traces() -> Mapping[str, MadeTrace]:
    """A trace of each of `VARIANTS`; the folder goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="tiny-trace-")
    made = make(Path(folder.name), VARIANTS, Size())
    _KEPT.append(folder)
    return made


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def make(folder: Path, variants: Sequence[str], size: Size) -> Mapping[str, MadeTrace]:
    """Profile each variant, in one process for all."""
    argument = json.dumps({"folder": str(folder), "variants": list(variants)} | asdict(size))
    subprocess.run(
        [sys.executable, "-m", "tests.bench.tiny_trace", argument],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
        capture_output=True,
    )
    found = json.loads((folder / "made.json").read_bytes())
    return {
        name: MadeTrace(Path(path), tuple(steps), *clock)
        for name, (path, steps, *clock) in found.items()
    }


def main(argument: str) -> None:
    """The child: make images, then a trace a variant."""
    given = json.loads(argument)
    folder, names = Path(given.pop("folder")), given.pop("variants")
    size = Size(**given)
    _make_images(folder / "images", size)
    made = {name: _profile(name, folder, size) for name in names}
    (folder / "made.json").write_text(json.dumps(made))


def _make_images(folder: Path, size: Size) -> None:
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for name in ("ash", "elm"):
        (folder / name).mkdir(parents=True)
        for number in range((FIRST_STEP + size.steps + 2) * size.batch_size // 2):
            pixels = random.integers(0, 255, (size.image_size, size.image_size, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:04d}.jpg")


def _profile(name: str, folder: Path, size: Size) -> tuple[str, tuple[int, ...], int, int]:
    import keras
    import tensorflow as tf

    from bench.variants import variant
    from leafmodel.data.folder import scan
    from leafmodel.pipelines.build import build
    from leafmodel.pipelines.pipeline import PipelineInput
    from leafmodel.training.phases import PHASES
    from leafmodel.training.train import assemble, fit

    images = scan(folder / "images")
    numbers = tuple(range(FIRST_STEP, FIRST_STEP + size.steps))
    clock: list[int] = []

    class Window(keras.callbacks.Callback):
        """Switches the profiler on for the window and marks the steps in it."""

        mark: Any = None

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            if batch == numbers[0]:
                clock.append(time.time_ns())
                options = tf.profiler.experimental.ProfilerOptions(python_tracer_level=0)
                tf.profiler.experimental.start(str(folder / name), options)
            if batch in numbers:
                self.mark = tf.profiler.experimental.Trace("train", step_num=batch, _r=1)
                self.mark.__enter__()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            if batch in numbers:
                self.mark.__exit__(None, None, None)
            if batch == numbers[-1]:
                tf.profiler.experimental.stop()
                clock.append(time.time_ns())

    given = PipelineInput(
        files=tuple(images.training) + tuple(images.training)[: 2 * size.batch_size],
        class_names=images.class_names,
        batch_size=size.batch_size,
        image_size=size.image_size,
        seed=1,
        work=folder / "work" / name,
    )
    given.work.mkdir(parents=True)
    pipeline = build(variant(name).pipeline, given)
    trainer = assemble(PHASES["cnn"], pipeline, given)
    fit(trainer, pipeline, epochs=1, callbacks=[Window()])
    (path,) = (folder / name).rglob("*.xplane.pb")
    return str(path), numbers, clock[0], clock[1]


if __name__ == "__main__":
    main(sys.argv[1])
