"""Draw one photograph of one leaf: a pure function of (species, seed, size).

Two random streams come out of the seed: one for the scene, which never sees the species, and one
for the leaf. Leaf, petiole and shadow all stay inside a margin of 1/16 of the image's side, so the
outer ring shows background alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafmodel.data.leaf_background import (
    Picture,
    Plane,
    Scene,
    draw_scene,
    paint_background,
)
from leafmodel.data.leaf_outline import Blade, grow_blade
from leafmodel.data.leaf_surface import Cover, paint_leaf
from leafmodel.data.leaf_veins import VeinLines, grow_veins
from leafmodel.data.species import Species
from leafmodel.errors import DataError

Image = NDArray[np.uint8]  # (size, size, 3), RGB
Floats = NDArray[np.float64]

MIN_SIZE_PIXELS = 16
JPEG_QUALITY = 75  # the tables of the photographs that we compare with; 4:2:0 as they are
MARGIN_SHARE = 1.0 / 16.0
_SHIFT = 4  # OpenCV draws in 1/16 pixel
_SHADOW_SOFTNESS = 0.008  # of the image's side, under an overcast sky
_BITES_PROBABILITY = 0.22


def draw_leaf(species: Species, seed: Sequence[int], size: int) -> Image:
    """One RGB photograph, `size` pixels square; the same arguments give the same pixels."""
    scene_rng, leaf_rng = _streams(seed)
    scene = draw_scene(scene_rng)
    sheet, grain = paint_background(scene, size, scene_rng)
    blade = grow_blade(species.shape, leaf_rng)
    veins = grow_veins(blade, species.shape, species.veins, leaf_rng)
    pose = _pose(blade, scene, size)
    cover = _cover(blade, veins, pose, size)
    leaf = paint_leaf(species, cover, scene, grain, leaf_rng)
    mask = _bitten(cover.blade, blade, pose, leaf_rng)
    _cast_shadow(sheet, mask, scene)
    leaf -= sheet
    leaf *= mask
    sheet += leaf
    return _develop(sheet, scene)


def encode_jpeg(image: Image) -> bytes:
    """JPEG bytes with the quality and chroma subsampling of the real photographs."""
    swapped = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise DataError(f"expected JPEG bytes of an image {image.shape}, but OpenCV gave none")
    return bytes(data.tobytes())


def _streams(seed: Sequence[int]) -> tuple[np.random.Generator, np.random.Generator]:
    """The scene's stream and the leaf's; SFC64 is the fastest that NumPy has."""
    scene, leaf = np.random.SeedSequence(list(seed)).spawn(2)
    return np.random.Generator(np.random.SFC64(scene)), np.random.Generator(np.random.SFC64(leaf))


@dataclass(frozen=True)
class _Pose:
    """From the leaf's plane to pixels: turn, foreshorten, then fit into the free room."""

    matrix: Floats
    offset: Floats

    def __call__(self, points: Floats) -> NDArray[np.int32]:
        """Fixed-point pixels for OpenCV."""
        pixels = points @ self.matrix.T + self.offset
        return np.round(pixels * (1 << _SHIFT)).astype(np.int32)

    @property
    def scale(self) -> float:
        """Pixels for one leaf length."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix))))


def _pose(blade: Blade, scene: Scene, size: int) -> _Pose:
    """Fit the leaf, its petiole and its shadow into what the margin leaves free."""
    cos, sin = math.cos(scene.turn_radians), math.sin(scene.turn_radians)
    upright = np.array([[-1.0 if scene.mirrored else 1.0, 0.0], [0.0, -1.0]])
    turned = np.array([[cos, -sin], [sin, cos]]) @ upright
    axis = np.array([math.cos(scene.tilt_radians), math.sin(scene.tilt_radians)])
    matrix = (np.eye(2) - (1.0 - scene.tilt) * np.outer(axis, axis)) @ turned
    points = np.concatenate([blade.outline(), blade.petiole]) @ matrix.T
    low, high = points.min(axis=0), points.max(axis=0)
    shadow = size * np.array(_shadow_offset(scene))
    pad = size * MARGIN_SHARE + 1.5
    soft = 3.0 * _shadow_sigma(scene, size)
    before, after = (pad + np.maximum(0.0, soft + way * shadow) for way in (-1.0, 1.0))
    room = size - before - after
    scale = scene.fill * float((room / (high - low)).min())
    slack = room - scale * (high - low)
    corner = before + slack * np.array(scene.place)
    return _Pose(matrix * scale, corner - scale * low)


def _shadow_offset(scene: Scene) -> tuple[float, float]:
    """Away from the light, as a share of the image's side."""
    away = -scene.shadow_length
    return away * math.cos(scene.light_radians), away * math.sin(scene.light_radians)


def _shadow_sigma(scene: Scene, size: int) -> float:
    """Hard sun casts a sharp shadow."""
    return max(0.4, _SHADOW_SOFTNESS * size * (1.0 - 0.6 * scene.sun))


def _cover(blade: Blade, veins: VeinLines, pose: _Pose, size: int) -> Cover:
    width = max(1, round(0.026 * pose.scale))
    whole, half, main, side = (np.zeros((size, size), np.uint8) for _ in range(4))
    _fill(whole, pose(blade.outline()))
    _stroke(whole, pose(blade.petiole)[None], width)
    _fill(half, pose(blade.right_half()))
    _stroke(side, pose(veins.side), max(1, round(0.004 * pose.scale)))
    _stroke(main, pose(veins.main), max(1, round(0.010 * pose.scale)))
    _stroke(main, pose(veins.main[:, :5]), max(1, round(0.015 * pose.scale)))
    _stroke(main, pose(blade.petiole)[None], width)
    return Cover(*(_share(plane) for plane in (whole, half, main, side)))


def _fill(canvas: Image, polygon: NDArray[np.int32]) -> None:
    cv2.fillPoly(canvas, [polygon], 255, cv2.LINE_AA, _SHIFT)


def _stroke(canvas: Image, lines: NDArray[np.int32], width_pixels: int) -> None:
    cv2.polylines(canvas, list(lines), False, 255, width_pixels, cv2.LINE_AA, _SHIFT)


def _share(canvas: Image) -> Plane:
    return np.asarray(canvas, dtype=np.float32) * np.float32(1.0 / 255.0)


def _bitten(mask: Plane, blade: Blade, pose: _Pose, rng: np.random.Generator) -> Plane:
    """Now and then an insect was here: a few holes, most of them near the margin."""
    if rng.random() > _BITES_PROBABILITY:
        return mask
    bites = np.zeros(mask.shape, np.uint8)
    margin = pose(blade.outline())
    middle = margin.mean(axis=0)
    for _ in range(int(rng.integers(1, 7))):
        at = margin[int(rng.integers(len(margin)))]
        centre = at + rng.uniform(0.0, 0.8) ** 2 * (middle - at)
        radius = max(8, round(rng.uniform(0.006, 0.026) * pose.scale * (1 << _SHIFT)))
        cv2.circle(bites, centre.astype(int).tolist(), radius, 255, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    return mask * (1.0 - _share(bites))


def _cast_shadow(sheet: Picture, mask: Plane, scene: Scene) -> None:
    """Darken the sheet beside the leaf, away from the light, in place."""
    size = mask.shape[0]
    across, down = (size * part for part in _shadow_offset(scene))
    move = np.array([[1.0, 0.0, across], [0.0, 1.0, down]])
    moved = cv2.warpAffine(mask, move, (size, size))
    sigma = _shadow_sigma(scene, size)
    radius = max(1, math.floor(3.0 * sigma))
    soft = cv2.GaussianBlur(moved, (2 * radius + 1, 2 * radius + 1), sigma)
    sheet *= 1.0 - (0.25 + 0.5 * scene.sun) * soft


def _develop(picture: Picture, scene: Scene) -> Image:
    """The camera: focus, white balance, exposure, eight bits."""
    for channel, tint in enumerate(scene.tint):
        picture[channel] *= np.float32(255.0 * scene.exposure * tint)
    np.clip(picture, 0.0, 255.0, out=picture)
    image = cv2.merge(list(picture.astype(np.uint8)))
    if scene.blur_sigma > 0.3:
        image = cv2.GaussianBlur(image, (3, 3), scene.blur_sigma)
    return np.asarray(image, dtype=np.uint8)
