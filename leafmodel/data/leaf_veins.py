"""The veins of one leaf as lines in the leaf's own plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafmodel.data.leaf_outline import Blade, draw
from leafmodel.data.leaf_traits import Shape, Veins

Floats = NDArray[np.float64]

_STEPS = np.linspace(0.0, 1.0, 9)
_PALM_ALONG = np.array([0.68, 0.28])  # where the side lobes of a palmate edge lie


@dataclass(frozen=True)
class VeinLines:
    """Lines by rank; each array is (line, point, xy)."""

    main: Floats
    side: Floats


def grow_veins(blade: Blade, shape: Shape, veins: Veins, rng: np.random.Generator) -> VeinLines:
    """Draw the main and side veins that fit this blade."""
    pairs = max(2, round(draw(veins.pairs, rng)))
    rise = draw(veins.rise, rng)
    if shape.plan == "strap":
        return _parallel(blade, pairs, rng)
    if shape.plan == "palmate":
        return _palmate(blade, pairs, rise)
    return VeinLines(_midrib(blade), _feather(blade, pairs, rise, rng))


def _midrib(blade: Blade) -> Floats:
    line = blade.point_inside(_STEPS * 0.99, np.zeros_like(_STEPS), 0)
    return line[None]


def _parallel(blade: Blade, pairs: int, rng: np.random.Generator) -> VeinLines:
    """A grass: a strong midrib, and lines beside it that never meet."""
    along = 0.01 + 0.98 * _STEPS
    places = (np.arange(pairs) + rng.uniform(0.4, 0.9)) / (pairs + 0.5)
    lines = [
        blade.point_inside(along, np.full_like(along, place), side)
        for side in (0, 1)
        for place in places
    ]
    return VeinLines(_midrib(blade), np.stack(lines))


def _feather(blade: Blade, pairs: int, rise: float, rng: np.random.Generator) -> Floats:
    """Side veins that leave the midrib and bow towards the tip."""
    bow = rng.uniform(1.0, 1.7)
    lines = []
    for side in (0, 1):
        starts = 0.05 + 0.78 * (np.arange(pairs) + rng.uniform(0.0, 0.6)) / pairs
        starts = starts + rng.normal(0.0, 0.012, pairs)
        along = starts[:, None] + rise * (1.0 - 0.45 * starts[:, None]) * _STEPS**bow
        outwards = np.broadcast_to(_STEPS * 0.95, along.shape)
        lines.append(blade.point_inside(along, outwards, side))
    return np.concatenate(lines)


def _palmate(blade: Blade, pairs: int, rise: float) -> VeinLines:
    """One main vein into each lobe, and side veins off each of them."""
    reach = np.ones_like(_STEPS)
    tip = blade.point_inside(reach, _STEPS * 0.97, 0)
    main, side_lines = [tip], []
    for side in (0, 1):
        for along in (1.0, *_PALM_ALONG):
            if along < 1.0:
                main.append(blade.point_inside(reach * along, _STEPS * 0.95, side))
            for start in 0.18 + 0.6 * np.arange(pairs) / pairs:
                outwards = start + (0.97 - start) * _STEPS
                for turn in (-rise, rise):
                    path = along + turn * _STEPS**0.8 * (1.15 - start)
                    if path.max() <= 1.0:
                        side_lines.append(blade.point_inside(path, outwards, side))
    return VeinLines(np.stack(main), np.stack(side_lines))
