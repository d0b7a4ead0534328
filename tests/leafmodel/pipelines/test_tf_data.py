"""Decoding to the target size, the cache in a file, and what batches are made of."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from leafmodel.errors import PipelineError
from leafmodel.pipelines import scratch
from leafmodel.pipelines.build import build
from leafmodel.pipelines.front import CastImages
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.spec import (
    Augment,
    Cache,
    Decode,
    Delivers,
    PipelineSpec,
    Resize,
)
from leafmodel.pipelines.tf_data import decode_image

Given = Callable[..., PipelineInput]


def _picture(path: Path, width: int, height: int) -> str:
    """A smooth picture with some detail."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [128 + 100 * np.sin(x / 9), 255 * y / height, 128 + 90 * np.cos((x + y) / 7)]
    pixels = np.stack(channels, axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))
    return str(path)


def _ratio(width: int, height: int, size: int) -> int:
    """The largest of libjpeg's ratios that leaves both sides at least `size`, by definition."""
    fits = [r for r in (8, 4, 2) if min(ceil(width / r), ceil(height / r)) >= size]
    return max(fits, default=1)


@pytest.mark.parametrize(
    ("width", "height", "size", "ratio"),
    [
        (256, 256, 32, 8),
        (256, 256, 33, 4),
        (250, 250, 32, 8),  # 250 / 8 is 31.25, and libjpeg rounds up
        (248, 256, 32, 4),
        (256, 100, 32, 2),
        (63, 64, 32, 2),
        (62, 64, 32, 1),
        (64, 64, 64, 1),
        (40, 30, 64, 1),
    ],
)
def test_a_jpeg_is_scaled_to_no_less_than_the_target(
    width: int, height: int, size: int, ratio: int, tmp_path: Path
) -> None:
    assert _ratio(width, height, size) == ratio
    path = _picture(tmp_path / "leaf.jpg", width, height)
    found = decode_image(path, size, Resize.BILINEAR, Decode.TARGET)
    scaled = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, ratio=ratio)
    expected = tf.round(tf.image.resize(scaled, (size, size), method="bilinear"))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected).astype(np.uint8))


def test_scaling_gives_nearly_the_picture_that_decoding_whole_does(tmp_path: Path) -> None:
    path = _picture(tmp_path / "leaf.jpg", 256, 256)
    whole, scaled = (
        np.asarray(decode_image(path, 60, Resize.BILINEAR, decode), np.float32) for decode in Decode
    )
    assert 0 < np.abs(whole - scaled).mean() < 12


@pytest.mark.parametrize("ending", ["png", "bmp", "gif"])
def test_other_formats_are_decoded_whole(ending: str, tmp_path: Path) -> None:
    path = _picture(tmp_path / f"leaf.{ending}", 128, 96)
    whole, target = (
        np.asarray(decode_image(path, 16, Resize.BILINEAR, decode)) for decode in Decode
    )
    np.testing.assert_array_equal(whole, target)


def test_a_map_scales_as_one_image_alone_does(given: Given) -> None:
    inputs = given(image_size=8, file_size=40)
    spec = PipelineSpec(augment=Augment.NONE, decode=Decode.TARGET)
    numbered = replace(inputs, files=tuple(replace(f, label=n) for n, f in enumerate(inputs.files)))
    for images, numbers in build(spec, numbered).drain():
        for image, number in zip(np.asarray(images), np.asarray(numbers), strict=True):
            alone = decode_image(inputs.paths[number], 8, Resize.BILINEAR, Decode.TARGET)
            np.testing.assert_array_equal(image, np.asarray(alone, np.float32))


def test_bytes_are_a_quarter_of_the_transfer(given: Given) -> None:
    inputs, spec = given(), PipelineSpec(augment=Augment.MODEL)
    sizes = [
        np.asarray(next(build(spec.evolve(delivers=delivers), inputs).drain())[0]).nbytes
        for delivers in (Delivers.UINT8, Delivers.FLOAT32)
    ]
    assert sizes == [4 * 16 * 16 * 3, 4 * 16 * 16 * 3 * 4]


def test_bytes_are_cast_before_they_are_augmented(given: Given) -> None:
    spec = PipelineSpec(augment=Augment.MODEL, delivers=Delivers.UINT8)
    front = build(spec, given()).front
    assert isinstance(front[0], CastImages)
    assert type(front[1]).__name__ == "RandomFlip"
    assert len(front) == 6
    cast = front[0](np.array([[0, 7, 255]], np.uint8))
    assert np.asarray(cast).dtype == np.float32
    assert np.asarray(cast).tolist() == [[0.0, 7.0, 255.0]]


def test_a_cache_in_a_file_is_complete_after_an_epoch_and_decodes_no_more(given: Given) -> None:
    inputs = given()
    pipeline = build(PipelineSpec(cache=Cache.FILE, augment=Augment.NONE), inputs)
    first = [np.asarray(images) for images, _ in pipeline.drain()]
    for file in inputs.files:
        file.path.unlink()
    second = [np.asarray(images) for images, _ in pipeline.drain()]
    assert np.concatenate(first).sum() == np.concatenate(second).sum()
    names = [path.name for path in (inputs.work).rglob("*") if path.is_file()]
    assert any(name.startswith("decoded.index") for name in names)
    assert not any("lock" in name for name in names)


def test_two_trainings_do_not_share_a_cache_in_a_file(given: Given) -> None:
    inputs, spec = given(), PipelineSpec(cache=Cache.FILE, augment=Augment.NONE)
    assert len(list(build(spec, inputs).drain())) == 3
    assert len(list(build(spec, inputs).drain())) == 3
    assert len(list(inputs.work.glob("cache-*"))) == 2


def test_no_room_for_a_cache_in_a_file_is_seen_when_it_is_built(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("Usage", ["free"])
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda _: usage(10 * 16 * 16 * 3 - 1))
    with pytest.raises(PipelineError, match="A cache of decoded images takes"):
        build(PipelineSpec(cache=Cache.FILE), given())
