"""A smooth image whose every value, between the pixels too, is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

HEIGHT, WIDTH = 72, 104  # not square: an x taken for a y shows
AMPLITUDE = 100.0
# Radians a pixel, (x, y) of each channel: 40 to 90 pixels a wave, no symmetry that hides a mistake.
WAVES = ((0.09, 0.05), (-0.04, 0.12), (0.07, -0.11))
STEEPEST = max(float(np.hypot(*wave)) for wave in WAVES)


def values(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """The image at places (x, y), channels last."""
    x, y = np.asarray(x), np.asarray(y)
    channels = [np.sin(along * x + down * y + 0.5) for along, down in WAVES]
    return 127.5 + AMPLITUDE * np.stack(channels, axis=-1)


def image() -> NDArray[np.float32]:
    """(1, HEIGHT, WIDTH, 3) in 0-255."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return values(x, y)[None].astype(np.float32)
