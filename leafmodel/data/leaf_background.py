"""What a photograph has besides its leaf: cloth or concrete, light, pose, grain.

A `Scene` is drawn from its own random stream and never sees the species, so the background cannot
give the class away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]  # (size, size)
Picture = NDArray[np.float32]  # (3, size, size), 0 to 1; whole planes are the fastest to mix


@dataclass(frozen=True)
class Scene:
    """Everything about one photograph that does not depend on the leaf in it."""

    turn_radians: float
    tilt: float  # foreshortening across `tilt_radians`; 1 is seen from straight above
    tilt_radians: float
    fill: float  # share of the free room that the leaf takes
    place: tuple[float, float]  # where it lies in the room that is left, 0 to 1
    mirrored: bool
    light_radians: float
    sun: float  # 0 is an overcast sky, 1 is hard sun
    shadow_length: float  # of the image's side
    exposure: float
    tint: tuple[float, float, float]
    paper: tuple[float, float, float]
    grain: float
    grain_softness: float
    weave: float
    noise: float
    blur_sigma: float


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw light, pose and background of one photograph."""
    sun = float(rng.beta(1.1, 1.1))
    grey = rng.uniform(0.44, 0.70)
    warmth, violet = rng.normal(0.004, 0.012), rng.normal(0.020, 0.014)
    return Scene(
        turn_radians=float(rng.normal(0.0, 0.55)),
        tilt=float(rng.uniform(0.82, 1.0)),
        tilt_radians=float(rng.uniform(0.0, math.pi)),
        fill=float(rng.uniform(0.90, 1.0)),
        place=(float(rng.uniform()), float(rng.uniform())),
        mirrored=bool(rng.random() < 0.5),
        light_radians=float(rng.uniform(0.0, 2.0 * math.pi)),
        sun=sun,
        shadow_length=float(rng.uniform(0.006, 0.018) + sun * rng.uniform(0.0, 0.04)),
        exposure=float(rng.uniform(0.84, 1.18)),
        tint=tuple(1.0 + rng.normal(0.0, 0.018, 3)),
        paper=(grey + warmth + violet / 2, grey - violet / 2, grey - warmth + violet),
        grain=float(np.clip(rng.lognormal(-2.2, 0.36), 0.025, 0.19)),
        grain_softness=float(rng.uniform(0.0, 0.6)),
        weave=float(max(0.0, rng.normal(-0.008, 0.014))),
        noise=float(rng.uniform(0.04, 0.13)),
        blur_sigma=float(max(0.0, rng.normal(0.05, 0.3))),
    )


def rough_noise(size: int, cells: int, rng: np.random.Generator) -> Plane:
    """Smooth random hills, about `cells` of them along a side, with unit spread."""
    grid = rng.standard_normal((cells + 2, cells + 2), dtype=np.float32)
    half_way = min(size, 4 * cells)
    if half_way < size // 2:  # cubic where it shows, linear where it does not: 5 times as fast
        grid = np.asarray(cv2.resize(grid, (half_way, half_way), interpolation=cv2.INTER_CUBIC))
        return _resized(grid, size, cv2.INTER_LINEAR)
    return _resized(grid, size, cv2.INTER_CUBIC)


def blurred(plane: Plane, share_of_side: float) -> Plane:
    """A Gaussian blur; a wide one is done on a quarter of the pixels, where it costs little."""
    size = plane.shape[0]
    sigma = max(0.3, share_of_side * size)
    if sigma < 2.5:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), dtype=np.float32)
    small = _resized(plane, size // 2, cv2.INTER_AREA)
    return _resized(np.asarray(cv2.GaussianBlur(small, (0, 0), sigma / 2)), size, cv2.INTER_LINEAR)


def _resized(plane: Plane, size: int, interpolation: int) -> Plane:
    return np.asarray(cv2.resize(plane, (size, size), interpolation=interpolation), np.float32)


def paint_background(scene: Scene, size: int, rng: np.random.Generator) -> tuple[Picture, Plane]:
    """The empty sheet under its light, and the grain that the leaf's picture shares."""
    light = _lighting(scene, size, rng)
    grain = _grain(scene, size, rng)
    texture = light * (1.0 + scene.grain * grain)
    if scene.weave > 0.0:
        texture += scene.weave * _weave(size, rng)
    texture += 0.006 * rough_noise(size, max(2, size // 5), rng)
    return in_colours(texture, scene.paper), grain


def in_colours(plane: Plane, colours: tuple[float, float, float]) -> Picture:
    """The plane once for each channel; `np.stack` of three would take four times as long."""
    picture = np.empty((3, *plane.shape), dtype=np.float32)
    for channel, colour in zip(picture, colours, strict=True):
        np.multiply(plane, np.float32(colour), out=channel)
    return picture


def _lighting(scene: Scene, size: int, rng: np.random.Generator) -> Plane:
    """A slope of light across the sheet, darker corners, and slow blotches."""
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    across, down = axis[None, :], axis[:, None]
    slope = float(rng.normal(0.0, 0.07))
    angle = float(rng.uniform(0.0, 2.0 * math.pi))
    light = 1.0 + slope * (math.cos(angle) * across + math.sin(angle) * down)
    light = light - float(rng.uniform(0.0, 0.06)) * (across**2 + down**2)
    light = light + 0.03 * (0.4 + scene.sun) * rough_noise(size, 4, rng)
    return np.asarray(light, dtype=np.float32)


def _grain(scene: Scene, size: int, rng: np.random.Generator) -> Plane:
    """Unit-spread grain between single pixels and soft clumps."""
    raw = rng.integers(0, 256, (size, size), dtype=np.uint8)  # 10 times as fast as normal noise
    fine = (raw.astype(np.float32) - 127.5) * np.float32(1.0 / 73.9)
    soft = cv2.GaussianBlur(fine, (5, 5), 0.8)
    mixed = (1.0 - scene.grain_softness) * fine + scene.grain_softness * 2.2 * soft
    return np.asarray(mixed, dtype=np.float32)


def _weave(size: int, rng: np.random.Generator) -> Plane:
    """Two crossing sets of threads, a few pixels apart."""
    angle, pitch = float(rng.uniform(0.0, math.pi / 2)), float(rng.uniform(3.0, 6.0))
    axis = np.arange(size, dtype=np.float32) * np.float32(2.0 * math.pi / pitch)
    along = math.cos(angle) * axis[None, :] + math.sin(angle) * axis[:, None]
    across = -math.sin(angle) * axis[None, :] + math.cos(angle) * axis[:, None]
    return np.asarray(np.sin(along) * np.sin(across), dtype=np.float32)
