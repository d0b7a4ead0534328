"""The outline of one leaf, in the leaf's own plane: base at (0, 0), tip near (0, 1).

A blade is two edges that run from base to tip. `point_inside` maps (how far along the edge, how
far from the spine to the edge) to the plane, so that veins follow whatever outline was drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafmodel.data.leaf_traits import Range, Shape

Floats = NDArray[np.float64]

EDGE_POINTS = 260
_ALONG = (1.0 - np.cos(np.linspace(0.0, math.pi, EDGE_POINTS))) / 2.0
_ENDS = np.minimum(1.0, np.minimum(_ALONG, 1.0 - _ALONG) / 0.04)  # nothing juts out at base or tip
_PALM_LOBES_RADIANS = np.radians([0.0, 52.0, 108.0])


@dataclass(frozen=True)
class Blade:
    """One leaf's edges without teeth (`edges`, for veins) and with them (`margin`, to be seen)."""

    edges: Floats  # (side, point, xy); side 0 is the right one
    spine: Floats  # (point, xy): where a line across the blade starts
    margin: Floats  # (side, point, xy)
    petiole: Floats  # (point, xy)

    def outline(self) -> Floats:
        """The closed polygon of the blade."""
        return np.concatenate([self.margin[0], self.margin[1][::-1]])

    def right_half(self) -> Floats:
        """The closed polygon between midrib and right margin."""
        midrib = np.stack([np.zeros(2), self.edges[0, -1]])
        return np.concatenate([self.margin[0], midrib[::-1]])

    def point_inside(self, along: Floats, outwards: Floats, side: int) -> Floats:
        """Points at `along` (0 base, 1 tip) and `outwards` (0 spine, 1 edge) of one side."""
        spine = _interpolate(self.spine, along)
        edge = _interpolate(self.edges[side], along)
        return spine + outwards[..., None] * (edge - spine)


def draw(value: Range, rng: np.random.Generator) -> float:
    """One value of a species' range."""
    return float(rng.uniform(*value))


def grow_blade(shape: Shape, rng: np.random.Generator) -> Blade:
    """Draw one leaf's outline from what its species allows."""
    sides, spine = _palmate(shape, rng) if shape.plan == "palmate" else _pinnate(shape, rng)
    sides = np.stack([_wave(side, draw(shape.margin_wave, rng), rng) for side in sides])
    margin = sides
    if shape.teeth[1] > 0:
        margin = np.stack([_cut_teeth(side, shape, rng) for side in sides])
    bend = draw(shape.bend, rng)
    petiole = _petiole(draw(shape.petiole_length, rng), rng)
    return Blade(*(_bent(part, bend) for part in (sides, spine, margin, petiole)))


def _interpolate(curve: Floats, along: Floats) -> Floats:
    where = np.clip(along, 0.0, 1.0)
    return np.stack([np.interp(where, _ALONG, curve[:, axis]) for axis in (0, 1)], axis=-1)


def _pinnate(shape: Shape, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Half-widths along a straight spine: most leaves, and the strap of a grass."""
    widest, power = draw(shape.widest_at, rng), draw(shape.pointedness, rng)
    width = draw(shape.width_to_length, rng) / 2.0
    profile = (_ALONG / widest) ** (power * widest)
    profile = profile * ((1.0 - _ALONG) / (1.0 - widest)) ** (power * (1.0 - widest))
    profile = profile * (1.0 - draw(shape.drawn_tip, rng) * np.exp((_ALONG - 1.0) / 0.12))
    heart = draw(shape.heart_base, rng)
    drop = heart * (_ALONG / 0.06) * np.exp(1.0 - _ALONG / 0.06)
    skew = rng.normal(0.0, 0.05)
    sides = []
    for sign in (1.0, -1.0):
        half = profile * width * (1.0 + sign * skew) * _side_lobes(shape, rng)
        sides.append(np.stack([sign * half, _ALONG - drop], axis=-1))
    return np.stack(sides), np.stack([np.zeros_like(_ALONG), _ALONG], axis=-1)


def _side_lobes(shape: Shape, rng: np.random.Generator) -> Floats:
    """A factor on the half-width: bays between lobes that lean towards the tip."""
    depth = draw(shape.lobe_depth, rng)
    if depth == 0.0:
        return np.ones_like(_ALONG)
    phase = (draw(shape.lobes, rng) * _ALONG**0.8 + rng.uniform(0.0, 0.3)) % 1.0
    lobe = np.sin(math.pi * phase**0.75) ** 0.8
    return 1.0 - depth * (1.0 - lobe) * np.clip(1.25 - _ALONG, 0.0, 1.0)


def _palmate(shape: Shape, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Radii around the place where the petiole meets the blade, with a bay at the base."""
    reach = math.pi * draw(shape.heart_base, rng)
    depth = draw(shape.lobe_depth, rng)
    sharpness = rng.uniform(0.25, 0.42)
    width = draw(shape.width_to_length, rng)
    sides = []
    for sign in (1.0, -1.0):
        angle = reach * (1.0 - _ALONG)
        centres = _PALM_LOBES_RADIANS + rng.normal(0.0, 0.05, 3) * (0.0, 1.0, 1.0)
        bumps = np.exp(-((np.abs(angle[:, None] - centres) / sharpness) ** 1.4)) * (1.0, 0.95, 0.82)
        round_blade = 0.90 - 0.22 * angle / math.pi
        radius = (1.0 - depth) * round_blade + depth * (bumps.max(axis=1) + 0.12)
        radius = radius * (1.0 - 0.75 * np.exp(-((_ALONG / 0.07) ** 2)))
        sides.append(
            np.stack([sign * width * radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
        )
    sides[1][-1] = sides[0][-1]
    return np.stack(sides), np.zeros((EDGE_POINTS, 2))


def _normals(edge: Floats) -> Floats:
    tangent = np.gradient(edge, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    outward = np.stack([tangent[:, 1], -tangent[:, 0]], axis=-1)
    outward *= math.copysign(1.0, float((outward[:, 0] * edge[:, 0]).sum()))
    return outward


def _wave(edge: Floats, height: float, rng: np.random.Generator) -> Floats:
    """Let the margin wander a little: no real leaf is a formula."""
    knots = rng.normal(0.0, 0.6, 9)
    wander = np.interp(_ALONG, np.linspace(0.0, 1.0, 9), knots)
    wander = np.convolve(np.pad(wander, 20, mode="edge"), np.ones(41) / 41.0, mode="valid")
    return edge + _normals(edge) * (height * wander * _ENDS)[:, None]


def _cut_teeth(edge: Floats, shape: Shape, rng: np.random.Generator) -> Floats:
    """Saw or scallop the margin; every tooth leans towards the tip and differs a little."""
    steps = np.hypot(*np.diff(edge, axis=0).T)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    travelled /= travelled[-1]
    jitter = 0.012 * np.interp(travelled, np.linspace(0, 1, 8), rng.normal(0.0, 1.0, 8))
    phase = draw(shape.teeth, rng) * (travelled + jitter)
    number, within = np.divmod(phase, 1.0)
    size = rng.uniform(0.6, 1.2, 80)[np.clip(number, 0, 79).astype(int)]
    saw = np.where(within < 0.8, within / 0.8, (1.0 - within) / 0.2)
    scallop = np.sin(math.pi * within) ** 0.6
    roundness = draw(shape.tooth_roundness, rng)
    tooth = (1.0 - roundness) * saw + roundness * scallop
    height = draw(shape.tooth_depth, rng) * size * (tooth - 0.4) * _ENDS
    toothed: Floats = edge + _normals(edge) * height[:, None]
    return toothed


def _petiole(length: float, rng: np.random.Generator) -> Floats:
    down = np.linspace(0.04, -length, 9)
    sideways: Floats = rng.normal(0.0, 1.2) * np.minimum(down, 0.0) ** 2
    return np.stack([sideways, down], axis=-1)


def _bent(points: Floats, bend: float) -> Floats:
    """Bow the whole leaf sideways, most in the middle."""
    along = points[..., 1]
    return np.stack([points[..., 0] + bend * along * (1.0 - along), along], axis=-1)
