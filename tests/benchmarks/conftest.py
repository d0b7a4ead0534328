"""Microbenchmarks: the parts of an input pipeline, each alone. `make microbench` runs them.

Their images are generated leaves, or those of the folder that LEAFBENCH_IMAGES names. Each writes
what it worked on into its `extra_info`, so that two files of other work are not compared.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf
from pytest_benchmark.fixture import BenchmarkFixture

from leafmodel.data.folder import Folder, scan
from leafmodel.data.generate import generate
from leafmodel.pipelines.pipeline import PipelineInput

IMAGES = 64
BATCH = 32
SIDE_PIXELS = 256
FOLDER_VARIABLE = "LEAFBENCH_IMAGES"

Measure = Callable[[str, Callable[[], object], int], None]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Enough rounds for the gate's batches, after the first calls, which trace and fill caches."""
    item.add_marker(
        pytest.mark.benchmark(min_rounds=40, max_time=2.0, warmup=True, warmup_iterations=3)
    )


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> PipelineInput:
    """A few images of each class, as a pipeline's input."""
    work = tmp_path_factory.mktemp("microbench")
    folder = _folder(work / "leaves")
    step = max(1, len(folder.training) // IMAGES)
    chosen = folder.training[::step][:IMAGES]
    labels = sorted({file.label for file in chosen})
    return PipelineInput(
        files=[replace(file, label=labels.index(file.label)) for file in chosen],
        class_names=[folder.class_names[label] for label in labels],
        batch_size=BATCH,
        image_size=SIDE_PIXELS,
        seed=0,
        work=work,
    )


@pytest.fixture
def measure(benchmark: BenchmarkFixture, given: PipelineInput) -> Measure:
    """`measure(group, work, images)`: time work on so many images, to its end on the device."""

    def run(group: str, work: Callable[[], object], images: int) -> None:
        def whole() -> None:
            work()
            tf.test.experimental.sync_devices()

        benchmark.group = group
        benchmark.extra_info["images"] = images
        benchmark.extra_info["image_bytes"] = sum(f.path.stat().st_size for f in given.files)
        benchmark(whole)
        if benchmark.enabled:
            benchmark.extra_info["images_per_s"] = images / benchmark.stats.stats.median

    return run


def _folder(generated: Path) -> Folder:
    if named := os.environ.get(FOLDER_VARIABLE):
        return scan(Path(named))
    generate(generated, images=IMAGES, size=SIDE_PIXELS, workers=1)
    return scan(generated)
