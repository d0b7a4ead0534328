"""The axes of an input pipeline and what there is on each, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

AUTOTUNE = -1
ALL_CORES = 0


class Loader(StrEnum):
    """Who reads the files."""

    IMAGE_DATA_GENERATOR = "image_data_generator"
    TF_DATA = "tf_data"
    KERAS_DIRECTORY = "keras_directory"
    RESIDENT = "resident"
    FEATURES = "features"
    MEMORY_MAPPED = "memory_mapped"
    PY_DATASET = "py_dataset"
    GRAIN = "grain"
    GRAIN_DIRECTORY = "grain_directory"
    TORCH = "torch"

    @property
    def is_python(self) -> bool:
        """Whether workers of Python's read, decode and batch, outside tf.data."""
        return self in _PYTHON


class Workers(StrEnum):
    """What works in parallel: threads of one process, or processes."""

    THREADS = "threads"
    PROCESSES = "processes"


class Cache(StrEnum):
    """What is kept between epochs, before shuffle and augmentation: decoded images.

    `decoded` keeps them in memory, `file` in a file of the training's own. The shuffle behind a
    file holds them all in memory nevertheless; what is larger needs the loader `memory_mapped`.
    """

    NONE = "none"
    DECODED = "decoded"
    FILE = "file"


class Augment(StrEnum):
    """Where the claim's augmentation runs: nowhere, per image in the pipeline, in the model."""

    NONE = "none"
    PIPELINE = "pipeline"
    MODEL = "model"


class AugmentForm(StrEnum):
    """What augments: the claim's five Keras layers, or the one that resamples once for them."""

    STOCK = "stock"
    FUSED = "fused"


class Resize(StrEnum):
    """How an image of another size becomes `image_size` pixels."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


class Decode(StrEnum):
    """How large a JPEG is decoded: whole, or scaled by 1/2, 1/4 or 1/8 on the way.

    `target` takes the smallest of these that is not smaller than `image_size`; libjpeg then leaves
    out most of the inverse transform. Other formats are decoded whole.
    """

    FULL = "full"
    TARGET = "target"


class Delivers(StrEnum):
    """The type of the images in a batch; `uint8` is cast where the model runs."""

    FLOAT32 = "float32"
    UINT8 = "uint8"


@dataclass(frozen=True)
class Axes:
    """A value on each axis, whether or not they go together.

    Attributes:
        loader: who reads the files.
        map_parallelism: calls of each `map` in flight; 1 is sequential, `ALL_CORES` (0) as many as
            there are cores, `AUTOTUNE` (-1) whatever tf.data decides. Of a Python loader: workers.
        cache: what is kept between epochs.
        prefetch: batches made ahead of the model; 0 is none, `AUTOTUNE` (-1) tf.data's choice. Of a
            Python loader: batches that each worker makes ahead.
        augment: where the augmentation runs.
        augment_form: which Keras layers augment; `stock` where none do.
        autotune: whether tf.data may tune and rewrite the pipeline by itself.
        resize: interpolation used when an image has another size.
        feature_passes: for the loader `features`, how many passes of the images through the frozen
            backbone are kept; epochs take them in turn. Without augmentation all would be equal, so
            there is one; with it there are two or more, since a single one would freeze it.
        decode: how large a JPEG is decoded before it is resized.
        delivers: the type of the images that a batch hands to the model.
        workers: what works in parallel.
        service_workers: worker processes of a tf.data service that decode; 0 decodes in the process
            that trains.
    """

    loader: Loader = Loader.TF_DATA
    map_parallelism: int = 1
    cache: Cache = Cache.NONE
    prefetch: int = 0
    augment: Augment = Augment.PIPELINE
    augment_form: AugmentForm = AugmentForm.STOCK
    autotune: bool = False
    resize: Resize = Resize.BILINEAR
    feature_passes: int = 0
    decode: Decode = Decode.FULL
    delivers: Delivers = Delivers.FLOAT32
    workers: Workers = Workers.THREADS
    service_workers: int = 0


_PYTHON = (Loader.PY_DATASET, Loader.GRAIN, Loader.GRAIN_DIRECTORY, Loader.TORCH)

NAMED_COUNTS = {
    "map_parallelism": {"autotune": AUTOTUNE, "cores": ALL_CORES, "sequential": 1},
    "prefetch": {"autotune": AUTOTUNE},
}


def axis_text(axis: str, value: object) -> str:
    """The value of an axis as a person writes it (`cores`, `autotune`, `2`, `true`)."""
    if isinstance(value, bool):
        return str(value).lower()
    for name, count in NAMED_COUNTS.get(axis, {}).items():
        if value == count:
            return name
    return str(value)
