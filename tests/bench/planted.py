"""Real profiles of tiny trainings with something wrong in them on purpose.

Everything is the harness' own: pipelines, model, meter, profiler, the reading process. Only the
fault is planted, as a sleep: the same on every machine, however busy.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from bench.executor import ProcessExecutor
from bench.profile_schema import ProfileRecord, ProfileSpec, ProfileWindow
from bench.profiling import ProfilerWindow
from bench.requests import ReadingRequest
from bench.schema import SCHEMA_VERSION, TrialKind, TrialRecord, TrialStatus
from bench.timing import EpochMeter, StepStamps, metered
from leafmodel.data.folder import ImageFile
from leafmodel.pipelines.build import build
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.spec import PipelineSpec
from leafmodel.training.phases import PHASES
from leafmodel.training.train import assemble, fit
from tests.bench.samples import trial_spec

BATCH_SIZE = 8
IMAGE_SIZE = 32
WINDOW = ProfileWindow(epoch=1, first_step=3, steps=6)
SLEEP_S = 0.01  # an image; a step takes less for a whole batch, on a busy machine too
STALL_S = 0.6  # a boundary; an epoch of this model takes about a second


def slowly(function: Any, seconds: float = SLEEP_S) -> Any:
    """A TensorFlow function of one tensor that sleeps first, on the thread that calls it."""

    def late(tensor: Any) -> Any:
        time.sleep(seconds)
        return tensor

    def slow(tensor: Any, *arguments: Any, **options: Any) -> Any:
        delayed = tf.numpy_function(late, [tensor], tensor.dtype)
        delayed.set_shape(tensor.shape)
        return function(delayed, *arguments, **options)

    return slow


class RandomSlow(keras.layers.Layer):
    """An augmentation that changes nothing and takes long."""

    def __init__(self, seconds: float = SLEEP_S) -> None:
        super().__init__(name="random_slow")
        self._seconds = seconds

    def call(self, images: Any) -> Any:
        return slowly(tf.identity, self._seconds)(images)


class SlowBoundary(keras.callbacks.Callback):
    """Holds every epoch up before its first step."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        time.sleep(STALL_S)


def images(folder: Path) -> tuple[ImageFile, ...]:
    """As many small JPEGs as the window needs."""
    random = np.random.default_rng(0)
    files = []
    for number in range(BATCH_SIZE * WINDOW.steps_needed):
        path = folder / f"{number:03d}.jpg"
        pixels = random.integers(0, 255, (IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        files.append(ImageFile(path, number % 2))
    return tuple(files)


@dataclass(frozen=True)
class Training:
    """What is trained under the profiler; `front` and `callbacks` are planted."""

    pipeline: PipelineSpec
    front: Sequence[Any] = ()
    callbacks: Sequence[Any] = ()


def profile(training: Training, folder: Path) -> ProfileRecord:
    """Train, profile, read."""
    files = images(folder)
    given = PipelineInput(files, ("ash", "elm"), BATCH_SIZE, IMAGE_SIZE, 0, folder / "work")
    built = build(training.pipeline, given)
    planted = replace(
        built,
        front=(*built.front, *training.front),
        callbacks=(*built.callbacks, *training.callbacks),
    )
    trial, profiler = _fit(planted, given, training.pipeline, folder)
    return _read(trial, profiler, folder)


def _fit(
    pipeline: Pipeline, given: PipelineInput, spec: PipelineSpec, folder: Path
) -> tuple[TrialRecord, ProfilerWindow]:
    stamps = StepStamps(given.steps)
    trainee = assemble(PHASES["cnn"], pipeline, given, model_class=metered(stamps))
    meter = EpochMeter(images=len(given.files), stamps=stamps)
    profiler = ProfilerWindow(WINDOW, folder / "log")
    meter.fit_begins()
    fit(trainee, pipeline, epochs=2, callbacks=[meter, profiler])
    trial = TrialRecord(
        schema_version=SCHEMA_VERSION,
        spec=trial_spec(
            "planted",
            kind=TrialKind.PROFILE,
            pipeline=spec,
            epochs=2,
            batch_size=BATCH_SIZE,
            image_size=IMAGE_SIZE,
        ),
        status=TrialStatus.OK,
        failure=None,
        started_at="2026-01-02T03:04:05Z",
        wall_ns=1,
        epochs=tuple(meter.epochs),
    )
    return trial, profiler


def _read(trial: TrialRecord, profiler: ProfilerWindow, folder: Path) -> ProfileRecord:
    capture = profiler.capture()
    assert capture.failure is None, capture.failure
    assert capture.trace is not None
    request = ReadingRequest(
        SCHEMA_VERSION,
        capture.trace,
        WINDOW.numbers,
        capture.begin_real_ns,
        capture.end_real_ns,
        False,
        str(folder / "read.json"),
    )
    outcome = ProcessExecutor(folder).read_trace(request)
    return ProfileRecord(
        schema_version=SCHEMA_VERSION,
        spec=ProfileSpec(trial.spec, WINDOW),
        trial=trial,
        trace=capture.trace,
        trace_bytes=Path(capture.trace).stat().st_size,
        reading=outcome.reading,
        failure=outcome.failure,
    )
