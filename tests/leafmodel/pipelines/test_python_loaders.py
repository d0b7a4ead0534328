"""Loaders whose workers are Python's: what they read, in which order, and how their epochs end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tensorflow as tf
from hypothesis import given as drawn
from hypothesis import strategies as st
from PIL import Image

from bench.variants import VARIANTS
from leafmodel.augment.image_data_generator import augmented
from leafmodel.errors import PipelineError
from leafmodel.pipelines import extras
from leafmodel.pipelines.build import build
from leafmodel.pipelines.checks import worker_checks
from leafmodel.pipelines.facts import ProofStatus, WorkerFacts
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.proof import prove
from leafmodel.pipelines.python_images import Epochs, PythonImages
from leafmodel.pipelines.resident import decode_all
from leafmodel.pipelines.spec import Augment, Delivers, Loader, Workers
from leafmodel.pipelines.tf_data import worker_count
from tests.installed import variants

Given = Callable[..., PipelineInput]
QUICK = variants(["py_dataset", "grain", "torch_loader"])


def _epoch(name: str, given: PipelineInput, **axes: Any) -> list[tuple[Any, Any]]:
    batches = build(VARIANTS[name].pipeline.evolve(**axes), given).drain()
    return [(np.asarray(images), np.asarray(labels)) for images, labels in batches]


@drawn(images=st.integers(1, 60), seed=st.integers(0, 2**31 - 1))
def test_an_order_has_every_number_once_and_is_seeded(images: int, seed: int) -> None:
    epochs = Epochs(images, seed)
    first, second = epochs.order(), epochs.order()
    assert [sorted(number for number, _ in order) for order in (first, second)] == (
        [list(range(images))] * 2
    )
    assert first != second
    assert Epochs(images, seed).order() == first
    assert len(epochs) == images


_BUILDS = """
import sys
from pathlib import Path
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.python_images import python_images
from bench.variants import VARIANTS
from leafmodel.pipelines.spec import Augment
spec = VARIANTS["py_dataset_processes"].pipeline.evolve(augment=Augment(sys.argv[1]))
python_images(spec, PipelineInput([], [], 32, 64, 1, Path()))
print(*sorted(sys.modules))
"""


@pytest.mark.parametrize(
    ("augment", "needed"),
    [
        ("none", {"PIL.JpegImagePlugin", "PIL.PngImagePlugin", "cv2"}),
        ("pipeline", {"PIL.JpegImagePlugin", "leafmodel.augment.image_data_generator"}),
    ],
)
def test_what_reads_an_image_is_imported_before_a_worker_is_forked(
    augment: str, needed: set[str]
) -> None:
    """A fork within another thread's first import of a reader hung a trial for ever."""
    command = [sys.executable, "-c", _BUILDS, augment]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert needed <= set(done.stdout.split())


@pytest.mark.parametrize("name", QUICK)
def test_the_same_seed_gives_the_same_epoch_and_another_one_another(
    name: str, given: Given
) -> None:
    def pixels(seed: int) -> Any:
        return np.concatenate([images for images, _ in _epoch(name, replace(given(), seed=seed))])

    one = pixels(1)
    shuffled = np.sort(one.mean(axis=(1, 2, 3)))
    np.testing.assert_array_equal(pixels(1), one)
    assert not np.array_equal(pixels(2), one)
    np.testing.assert_array_equal(np.sort(pixels(2).mean(axis=(1, 2, 3))), shuffled)


@pytest.mark.parametrize("name", QUICK)
def test_bytes_are_delivered_where_the_spec_says_so(name: str, given: Given) -> None:
    found = _epoch(name, given(), delivers=Delivers.UINT8)
    assert {images.dtype.name for images, _ in found} == {"uint8"}


@pytest.mark.parametrize("name", QUICK)
def test_workers_may_augment_with_scipy(name: str, given: Given) -> None:
    proof = prove(VARIANTS[name].pipeline.evolve(augment=Augment.PIPELINE), given())
    checks = {check.check: check for check in proof.checks}
    assert [c.check for c in proof.checks if c.status is ProofStatus.FAILED] == []
    assert checks["augmentation form"].found.startswith("one SciPy resampling")
    assert "Pillow" in checks["decoder"].found


def test_an_image_is_augmented_by_its_draw_alone() -> None:
    image = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    one, again, other = augmented(image, 7), augmented(image, 7), augmented(image, 8)
    np.testing.assert_array_equal(one, again)
    assert one.dtype == np.float32
    assert np.abs(one - other).mean() > 2


@pytest.mark.parametrize("name", ["grain", "grain_processes"])
def test_an_epoch_that_was_left_is_not_gone_on_with(name: str, given: Given) -> None:
    pytest.importorskip("grain")
    pipeline = build(VARIANTS[name].pipeline, given())
    next(pipeline.drain())
    for _ in range(2):
        labels = [int(label) for _, batch in pipeline.drain() for label in batch]
        assert sorted(labels) == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "RGB"])
def test_images_are_read_as_colour_whatever_they_are(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    Image.new("RGB", (20, 10), (255, 255, 255)).convert(mode).save(path)
    image, label = PythonImages((str(path),), (3,), 8, augments=False)[0, 0]
    assert (image.shape, image.dtype, label) == ((8, 8, 3), np.uint8, 3)
    assert image.min() > 240


def test_another_size_is_resampled_as_tensorflow_does(given: Given) -> None:
    inputs = given(image_size=10, file_size=32)
    images = PythonImages(tuple(inputs.paths), tuple(inputs.labels), 10, augments=False)
    read, _ = images.batch((number, 0) for number in range(len(images)))
    apart = np.abs(read.astype(np.float32) - decode_all(inputs))
    assert apart.max() <= 5  # of noise: 4 by Pillow's decoder, 1 by OpenCV's rounding
    assert apart.mean() < 2


@pytest.mark.parametrize("name", variants(["py_dataset", "grain", "grain_keras", "torch_loader"]))
def test_the_data_set_knows_its_length(name: str, given: Given) -> None:
    inputs = given()
    pipeline = build(VARIANTS[name].pipeline, inputs)
    if pipeline.dataset is None:
        assert len(pipeline.source) == inputs.steps
    else:
        assert int(pipeline.dataset.cardinality()) == inputs.steps


def test_a_worker_that_dies_is_an_error(given: Given) -> None:
    pytest.importorskip("torch")
    before = set(psutil.Process().children(recursive=True))
    batches = build(VARIANTS["torch_loader"].pipeline, given(batch_size=1)).drain()
    next(batches)
    for worker in set(psutil.Process().children(recursive=True)) - before:
        os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(tf.errors.UnknownError):  # PyTorch's own, or of a connection that is gone
        list(batches)


TORCH = VARIANTS["torch_loader"].pipeline
FACTS = WorkerFacts(worker_count(0), "processes", "2 batches each", "Pillow")


def test_workers_that_are_as_the_spec_says_pass() -> None:
    assert [check.status for check in worker_checks(TORCH, FACTS)] == [
        *(ProofStatus.OK, ProofStatus.OK, ProofStatus.DIFFERS)
    ]
    assert worker_checks(VARIANTS["plain"].pipeline, None) == ()


@pytest.mark.parametrize(
    ("facts", "check", "found"),
    [
        ({"count": 99}, "workers", "99 processes"),
        ({"kind": "threads"}, "workers", f"{worker_count(0)} threads"),
        ({"ahead": "9 batches each"}, "batches made ahead", "9 batches each"),
    ],
)
def test_other_workers_than_the_spec_names_fail(
    facts: dict[str, Any], check: str, found: str
) -> None:
    failed = [
        item
        for item in worker_checks(TORCH, replace(FACTS, **facts))
        if item.status is ProofStatus.FAILED
    ]
    assert [(item.check, item.found) for item in failed] == [(check, found)]
    assert failed[0].remedy


@pytest.mark.parametrize(
    ("name", "package"),
    [("grain", "grain"), ("grain_keras", "grain"), ("torch_loader", "torch")],
)
def test_what_is_not_installed_is_said_with_the_command(name: str, package: str) -> None:
    spec = VARIANTS[name].pipeline
    assert extras.lacking(spec, lambda found: found != package) == (
        f"needs {package}, which is not installed here: pip install 'leafbench[{package}]'"
    )
    assert extras.lacking(spec, lambda _package: True) == ""


def test_only_foreign_loaders_need_a_package() -> None:
    needy = {n for n, v in VARIANTS.items() if extras.lacking(v.pipeline, lambda _package: False)}
    assert needy == {"grain", "grain_processes", "grain_keras", "torch_loader"}


def test_a_loader_that_is_not_installed_is_refused_where_it_is_built(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "lacking", lambda _spec: "needs it")
    with pytest.raises(PipelineError, match="loader=torch needs it"):
        build(TORCH, given())


def test_the_python_loaders_are_those_with_workers_of_python() -> None:
    assert {loader for loader in Loader if loader.is_python} == {
        *(Loader.PY_DATASET, Loader.GRAIN, Loader.GRAIN_DIRECTORY, Loader.TORCH)
    }
    assert VARIANTS["grain"].pipeline.workers is Workers.THREADS
