"""How fast leaves are made: one process image by image, then `generate` on all cores.

    python benchmarks/leaf_generator.py [--images 2000] [--workers N]

Prints the time that the whole course data set (17,728 images) would take at the measured rate.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2

from leafmodel.data.generate import generate
from leafmodel.data.leaf import draw_leaf, encode_jpeg
from leafmodel.data.species import COURSE_IMAGES, SPECIES


def milliseconds_an_image(rounds: int, size: int) -> list[float]:
    """One sample a round; a round draws one image of every species."""
    cv2.setNumThreads(1)
    samples = []
    for number in range(rounds):
        start = time.perf_counter_ns()
        for index, species in enumerate(SPECIES):
            encode_jpeg(draw_leaf(species, (0, index, number), size))
        samples.append((time.perf_counter_ns() - start) / 1e6 / len(SPECIES))
    return samples[1:]  # the first pays for imports and caches


def seconds_to_generate(images: int, size: int, workers: int | None) -> float:
    """The wall time of `generate` into a fresh folder, starting its processes included."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        generate(Path(folder) / "leaves", images=images, size=size, workers=workers)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, default=None)
    options = parser.parse_args()
    alone = milliseconds_an_image(16, options.size)
    print(
        f"one process: median {statistics.median(alone):.2f} ms an image, JPEG included "
        f"({min(alone):.2f} to {max(alone):.2f} over {len(alone)} rounds)"
    )
    seconds = seconds_to_generate(options.images, options.size, options.workers)
    rate = options.images / seconds
    print(f"generate: {options.images} images in {seconds:.1f} s, {rate:.0f} images/s")
    print(f"so {COURSE_IMAGES} images take about {COURSE_IMAGES / rate:.0f} s")


if __name__ == "__main__":
    main()
