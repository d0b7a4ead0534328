"""How much fine detail augmentation leaves: the claim's five Keras layers against the fused one.

    python benchmarks/augmentation_sharpness.py --data DIR [--images 96] [--size 128] [--draws 8]

Printed is the mean difference between neighbouring pixels over that of the images as they are, in
the middle half of each side, where no border was filled in; and the same of the pixels' standard
deviation, which contrast alone changes. The stock layers resample three times (translation,
rotation, zoom), the fused one once: each time bilinear interpolation blurs.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from numpy.typing import NDArray

from leafmodel.augment import FusedAugmentation, stock_augmentation
from leafmodel.data.folder import scan

Images = NDArray[np.float32]


def main() -> None:
    given = _arguments()
    images = _images(given.data, given.images, given.size)
    plain = _measures(images)
    for name in ("stock", "fused"):
        draws = [
            _measures(_augmented(_layers(name, seed), images)) / plain
            for seed in range(given.draws)
        ]
        for what, values in zip(("detail", "contrast"), np.transpose(draws), strict=True):
            print(
                f"{name} {what}: {values.mean():.2f} of the images' own "
                f"({values.min():.2f} to {values.max():.2f} in {given.draws} draws)"
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder of images")
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--draws", type=int, default=8, help="seeds of the augmentation")
    return parser.parse_args()


def _images(folder: Path, count: int, size: int) -> Images:
    """So many images, from all classes alike: float32 (count, size, size, 3) in 0-255."""
    files = scan(folder).training  # class by class
    chosen = files[:: max(1, len(files) // count)][:count]
    loaded = [
        keras.utils.load_img(file.path, target_size=(size, size), interpolation="bilinear")
        for file in chosen
    ]
    return np.stack([np.asarray(image, np.float32) for image in loaded])


def _layers(name: str, seed: int) -> Sequence[Any]:
    return stock_augmentation(seed) if name == "stock" else (FusedAugmentation(seed=seed),)


def _augmented(layers: Sequence[Any], images: Images) -> Images:
    augmented: Any = images
    for layer in layers:
        augmented = layer(augmented, training=True)
    return np.asarray(augmented)


def _measures(images: Images) -> NDArray[np.float64]:
    """Mean difference of neighbours, and standard deviation inside an image, of the middles."""
    quarter = images.shape[1] // 4
    middle = images[:, quarter:-quarter, quarter:-quarter].astype(np.float64)
    steps = [np.abs(np.diff(middle, axis=axis)).mean() for axis in (1, 2)]
    return np.array([np.mean(steps), middle.std(axis=(1, 2)).mean()])


if __name__ == "__main__":
    main()
