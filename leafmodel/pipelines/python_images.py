"""Images as Python's workers read them: Pillow decodes, OpenCV resizes, SciPy augments.

A worker process imports this module and nothing of TensorFlow, unless it augments. Each worker has
one thread: Pillow decodes on its caller's, and OpenCV is told to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.spec import Augment, PipelineSpec

DECODES_WITH = "Pillow, on one thread a worker (OpenCV resizes what has another size)"
_DRAWS = 2**31

Example = tuple[NDArray[Any], np.int32]
Draw = tuple[int, int]
"""The number of an image, and the random number that its augmentation is drawn from."""


@dataclass(frozen=True)
class PythonImages:
    """The images of a split, to be read one by one in any thread or process.

    Images are uint8 (size, size, 3), or float32 where they are augmented.
    """

    paths: tuple[str, ...]
    labels: tuple[int, ...]
    image_size: int
    augments: bool

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, draw: Draw) -> Example:
        number, random = draw
        image: NDArray[Any] = _read(self.paths[number], self.image_size)
        if self.augments:
            from leafmodel.augment.image_data_generator import augmented

            image = augmented(image, random)
        return image, np.int32(self.labels[number])

    def random(self, number: int, generator: np.random.Generator) -> Example:
        """An image by its number, augmented by what the generator draws."""
        return self[number, int(generator.integers(_DRAWS))]

    def batch(self, draws: Iterable[Draw]) -> tuple[NDArray[Any], NDArray[np.int32]]:
        """Several images, and their labels."""
        images, labels = zip(*(self[draw] for draw in draws), strict=True)
        return np.stack(images), np.array(labels, np.int32)


def python_images(spec: PipelineSpec, given: PipelineInput) -> PythonImages:
    """The given images, augmented if the spec says that the pipeline does."""
    augments = spec.augment is Augment.PIPELINE
    _import_readers(augments=augments)
    return PythonImages(tuple(given.paths), tuple(given.labels), given.image_size, augments)


def _import_readers(*, augments: bool) -> None:
    """Import what reads an image before any worker is forked.

    Pillow imports the reader of a format with the first file of it. A process forked while another
    thread is within that import waits for ever for the module's lock.
    """
    Image.init()
    _opencv()
    if augments:
        from leafmodel.augment import image_data_generator  # noqa: F401


class Epochs:
    """The order of every epoch, seeded: all numbers once, each with a draw."""

    def __init__(self, images: int, seed: int) -> None:
        self._images = images
        self._random = np.random.default_rng(seed)

    def __len__(self) -> int:
        return self._images

    def order(self) -> list[Draw]:
        """Of the next epoch."""
        numbers = self._random.permutation(self._images)
        draws = self._random.integers(_DRAWS, size=self._images)
        return list(zip(numbers.tolist(), draws.tolist(), strict=True))


def _read(path: str, image_size: int) -> NDArray[np.uint8]:
    with Image.open(path) as file:
        image = np.array(file if file.mode == "RGB" else file.convert("RGB"))
    if image.shape[:2] == (image_size, image_size):
        return image
    cv2 = _opencv()
    resized: NDArray[np.uint8] = cv2.resize(
        image, (image_size, image_size), interpolation=cv2.INTER_LINEAR
    )
    return resized


@cache
def _opencv() -> Any:
    import cv2

    cv2.setNumThreads(1)
    return cv2
