from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from leafmodel.augment import FusedAugmentation, stock_augmentation
from leafmodel.pipelines.graph import Stage, layer_resamplings, stages


def _images() -> Any:
    return tf.data.Dataset.from_tensor_slices(tf.zeros((4, 8, 8, 3)))


def test_stages_come_in_the_order_of_the_data() -> None:
    dataset = _images().shuffle(4).map(tf.abs, num_parallel_calls=3).cache().batch(2).prefetch(5)
    assert stages(dataset) == (
        Stage("slices"),
        Stage("shuffle", buffer=4),
        Stage("map", work="cast", calls=3),
        Stage("cache"),
        Stage("batch"),
        Stage("prefetch", buffer=5),
    )


def test_a_cache_in_a_file_is_told_from_one_in_memory(tmp_path: Path) -> None:
    in_file = _images().cache(str(tmp_path / "decoded"))
    assert [str(stage) for stage in stages(in_file)] == ["slices", "cache(file)"]
    assert [str(stage) for stage in stages(_images().cache())] == ["slices", "cache"]


def test_work_in_a_branch_of_several_is_seen() -> None:
    def decode(encoded: Any) -> Any:
        ratios = [lambda r=r: tf.io.decode_jpeg(encoded, channels=3, ratio=r) for r in (1, 2)]
        return tf.switch_case(tf.strings.length(encoded) % 2, ratios)

    dataset = tf.data.Dataset.from_tensors("x").map(decode)
    assert [stage.work for stage in stages(dataset)] == ["", "decode"]


def test_python_within_a_map_is_named() -> None:
    def asked(images: Any) -> Any:
        return tf.numpy_function(np.negative, [images], tf.float32)

    assert [stage.work for stage in stages(_images().map(asked))] == ["", "python"]


def test_a_map_is_named_for_its_work() -> None:
    layer = stock_augmentation(0)[2]
    dataset = (
        tf.data.Dataset.from_tensors("x.jpg")
        .map(lambda path: tf.io.decode_jpeg(tf.io.read_file(path), channels=3))
        .map(lambda image: layer(tf.ensure_shape(image, (8, 8, 3)), training=True))
    )
    assert [stage.work for stage in stages(dataset)] == ["", "decode", "augment"]


def _augmenting(layers: Sequence[Any]) -> Any:
    def augment(image: Any) -> Any:
        for layer in layers:
            image = layer(image, training=True)
        return image

    return _images().map(augment)


@pytest.mark.parametrize(
    ("layers", "resamplings"),
    [
        ((), 0),
        (stock_augmentation(), 3),
        ((FusedAugmentation(),), 1),
        ((FusedAugmentation(), *stock_augmentation()), 4),
    ],
)
def test_resamplings_are_counted_in_the_graph(layers: Sequence[Any], resamplings: int) -> None:
    assert [stage.resamplings for stage in stages(_augmenting(layers))] == [0, resamplings]
    assert layer_resamplings(layers, 8) == resamplings


def test_a_resampling_within_a_function_is_counted() -> None:
    compiled = tf.function(FusedAugmentation())
    assert layer_resamplings([compiled], 8) == 1
    assert stages(_images().map(compiled))[1].resamplings == 1


def test_autotuned_values_are_shown_as_such() -> None:
    dataset = _images().map(tf.abs, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    assert [str(stage) for stage in stages(dataset)] == [
        "slices",
        "map(cast, autotuned calls)",
        "prefetch(buffer autotuned)",
    ]


def test_options_are_no_stage() -> None:
    assert stages(_images().with_options(tf.data.Options())) == (Stage("slices"),)
