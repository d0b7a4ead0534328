"""From a file to pixels: decoding, and resizing where an image has another size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image

from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.spec import Decode, Resize
from leafmodel.pipelines.tf_data import decode_image

RESIZED_PIXELS = 192


def test_decode(measure, given: PipelineInput) -> None:
    measure("decode", _decoding(given.paths, given.image_size, Resize.BILINEAR), len(given.paths))


@pytest.mark.parametrize("decode", [str(how) for how in Decode])
def test_decode_smaller(measure, given: PipelineInput, decode: str) -> None:
    """To a quarter of the side: decoded whole and resized, or scaled while it is decoded."""
    side = given.image_size // 4
    decoding = _decoding(given.paths, side, Resize.BILINEAR, Decode(decode))
    measure("decode and resize", decoding, len(given.paths))


@pytest.mark.parametrize("resize", [str(method) for method in Resize])
def test_resize(measure, given: PipelineInput, tmp_path: Path, resize: str) -> None:
    # A bitmap costs next to nothing to decode: what is left of `decode_image` is its resizing.
    bitmaps = [_bitmap(path, tmp_path / f"{number}.bmp") for number, path in enumerate(given.paths)]
    measure("resize", _decoding(bitmaps, RESIZED_PIXELS, Resize(resize)), len(bitmaps))


def _decoding(
    paths: Sequence[str], side: int, resize: Resize, decode: Decode = Decode.FULL
) -> Callable[[], object]:
    """All files, one after the other, in one call of a graph."""

    @tf.function
    def decode_all(names):
        def one(name):
            return decode_image(name, side, resize, decode)

        return tf.map_fn(one, names, fn_output_signature=tf.uint8, parallel_iterations=1)

    names = tf.constant(paths)
    return lambda: decode_all(names)


def _bitmap(image: str, bitmap: Path) -> str:
    with Image.open(image) as opened:
        opened.convert("RGB").save(bitmap)
    return str(bitmap)
