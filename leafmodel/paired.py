"""Two models on the same images: who is right where the other is wrong.

Because both answered for the same images, only those on which exactly one is right tell them apart.

The p-value is McNemar's test (McNemar 1947, doi:10.1007/BF02295996) in its exact form: if the
models were equally good, each such image would be a fair coin. The interval of the difference of
accuracies is that of Agresti and Min (2005, doi:10.1002/sim.1781): half an image is added to each
of the four cells, so that few disagreements do not make it too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import bdtr, ndtri

from leafmodel.errors import ModelError
from leafmodel.evaluate import CONFIDENCE, Estimate

_ADDED = 0.5  # to each of four cells


@dataclass(frozen=True)
class Paired:
    """How two models differ on the same images.

    Attributes:
        only_first: images that only the first model named rightly; `only_second` likewise.
        difference: accuracy of the second less that of the first, with its 95 % interval.
        p_value: of McNemar's exact test, two-sided.
    """

    images: int
    only_first: int
    only_second: int
    difference: Estimate
    p_value: float

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the test tells the models apart at 5 %."""
        return self.p_value < 1 - CONFIDENCE


def paired(truth: Sequence[int], first: Sequence[int], second: Sequence[int]) -> Paired:
    """Compare the classes that two models called, image by image.

    Raises:
        ModelError: not one call of each model for each image, or no image.
    """
    n = len(truth)
    if n == 0 or len(first) != n or len(second) != n:
        raise ModelError(
            f"Expected two models' calls for the same images, found {len(first)} and "
            f"{len(second)} calls for {n} images."
        )
    right = [(a == label, b == label) for label, a, b in zip(truth, first, second, strict=True)]
    only_first, only_second = right.count((True, False)), right.count((False, True))
    return Paired(
        images=n,
        only_first=only_first,
        only_second=only_second,
        difference=_difference(n, only_first, only_second),
        p_value=_exact_p(only_first, only_second),
    )


def _exact_p(only_first: int, only_second: int) -> float:
    """Twice the smaller tail of a fair coin; 1 without a disagreement."""
    fewer, coins = min(only_first, only_second), only_first + only_second
    return min(1.0, 2 * float(bdtr(fewer, coins, 0.5))) if coins else 1.0


def _difference(n: int, only_first: int, only_second: int) -> Estimate:
    total = n + 4 * _ADDED
    lost, won = (only_first + _ADDED) / total, (only_second + _ADDED) / total
    centre = won - lost
    error = math.sqrt((won + lost - centre * centre) / total)
    half = float(ndtri(0.5 + CONFIDENCE / 2)) * error
    value = (only_second - only_first) / n
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    return Estimate(value, min(low, value), max(high, value))
