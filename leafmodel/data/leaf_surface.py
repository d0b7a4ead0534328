"""The blade as it is seen: relief, veins, light, colour and disease, pixel by pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafmodel.data.leaf_background import (
    Picture,
    Plane,
    Scene,
    blurred,
    in_colours,
    rough_noise,
)
from leafmodel.data.leaf_outline import draw
from leafmodel.data.leaf_traits import Colour, Disease, Surface
from leafmodel.data.species import Species

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Cover:
    """Which pixels are what, from 0 to 1, all of one size."""

    blade: Plane
    right_half: Plane
    main_veins: Plane
    side_veins: Plane


def paint_leaf(
    species: Species, cover: Cover, scene: Scene, grain: Plane, rng: np.random.Generator
) -> Picture:
    """Colour every pixel as if the leaf covered the picture; the caller cuts it out."""
    surface, veins = species.surface, species.veins
    size = cover.blade.shape[0]
    network = draw(veins.network, rng) * _network(size, rng)
    lines = np.maximum(cover.main_veins, 0.7 * cover.side_veins)
    mottle = draw(surface.mottle, rng) * rough_noise(size, int(rng.integers(5, 16)), rng)
    base = blade_colour(surface, rng)
    vein_colour = _towards(base, (0.66, 0.72, 0.45), 0.75)
    picture = _blend(base, _towards(base, (0.55, 0.62, 0.20), 0.5), 0.3 + mottle)
    _mix(picture, vein_colour, draw(veins.contrast, rng) * (1.3 * lines + 0.5 * network))
    for disease in pick_diseases(species, rng):
        _mark(picture, disease, cover, rng)
    sunken = np.maximum(0.75 * cover.main_veins, 0.7 * cover.side_veins)
    height = _height(species, cover, sunken, network, rng)
    slope = _slope_to_light(height, scene)
    _light(picture, slope, cover, scene, draw(surface.gloss, rng), rng)
    picture *= 1.0 + (scene.noise + 0.35 * scene.grain) * grain
    return picture


def blade_colour(surface: Surface, rng: np.random.Generator) -> Colour:
    """A healthy green (or not so green) of this species."""
    hue = draw(surface.hue_degrees, rng) / 60.0
    saturation, brightness = draw(surface.saturation, rng), draw(surface.brightness, rng)
    chroma = brightness * saturation
    middle = chroma * (1.0 - abs(hue % 2.0 - 1.0))
    low = brightness - chroma
    if hue < 2.0:
        return (low + middle, low + chroma, low)
    return (low, low + chroma, low + middle)


def pick_diseases(species: Species, rng: np.random.Generator) -> list[Disease]:
    """At most one disease of the species' list, by its probability."""
    chance = float(rng.random())
    for disease, probability in species.diseases:
        if chance < probability:
            return [disease]
        chance -= probability
    return []


def _towards(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (a + share * (b - a) for a, b in zip(colour, other, strict=True))
    return (red, green, blue)


def _blend(low: Colour, high: Colour, share: Plane) -> Picture:
    red, green, blue = (b - a for a, b in zip(low, high, strict=True))
    picture = in_colours(np.clip(share, 0.0, 1.0), (red, green, blue))
    picture += np.array(low, dtype=np.float32)[:, None, None]
    return picture


def _mix(picture: Picture, colour: Colour, share: Plane) -> None:
    """Lay a colour over the picture, in place."""
    weight = np.clip(share, 0.0, 1.0)
    for channel, value in enumerate(colour):
        picture[channel] += weight * (np.float32(value) - picture[channel])


def _network(size: int, rng: np.random.Generator) -> Plane:
    """The fine net of the smallest veins: the zero lines of two smooth noises."""
    cells = min(size, 26)
    first = np.abs(rough_noise(size, cells, rng))
    second = np.abs(rough_noise(size, cells, rng))
    return np.asarray(np.clip(1.0 - 4.0 * np.minimum(first, second), 0.0, 1.0), dtype=np.float32)


def _height(
    species: Species, cover: Cover, lines: Plane, network: Plane, rng: np.random.Generator
) -> Plane:
    """Sunken veins, the pillows between them, bumps, and slow crumples."""
    size = cover.blade.shape[0]
    groove, relief = draw(species.veins.groove, rng), draw(species.surface.relief, rng)
    height = 0.5 * relief * -network
    height -= groove * (1.1 * blurred(lines, 0.006) + 2.2 * blurred(lines, 0.018))
    height += 0.10 * relief * rough_noise(size, min(size, 60), rng)
    height += 0.5 * relief * rough_noise(size, 9, rng)
    height += 0.9 * (0.2 + relief) * rough_noise(size, 4, rng)
    return height


def _slope_to_light(height: Plane, scene: Scene) -> Plane:
    """How much each pixel leans towards the light; the same at every image size."""
    across = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=np.float32)
    lean = math.cos(scene.light_radians) * across + math.sin(scene.light_radians) * across.T
    slope = cv2.filter2D(height, -1, lean * (-height.shape[0] / (8.0 * 64.0)))
    return np.asarray(slope, dtype=np.float32)


def _light(
    picture: Picture,
    slope: Plane,
    cover: Cover,
    scene: Scene,
    gloss: float,
    rng: np.random.Generator,
) -> None:
    """Shade the relief, make a roof of the two halves, and add the gloss, in place."""
    size = slope.shape[0]
    fold = float(rng.normal(0.0, 0.16)) * (0.4 + scene.sun)
    roof = fold * (2.0 * blurred(cover.right_half, 0.012) - 1.0)
    edge = 0.10 * (1.0 - blurred(cover.blade, 0.014)) * cover.blade
    shade = 1.0 + np.clip((0.5 + 0.7 * scene.sun) * slope + roof, -0.62, 0.75) - edge
    picture *= shade
    sheen = np.clip(slope + roof + 0.20 * rough_noise(size, 5, rng) - 0.12, 0.0, 1.0)
    picture += gloss * (0.35 + 0.65 * scene.sun) * 0.9 * sheen


def _mark(picture: Picture, disease: Disease, cover: Cover, rng: np.random.Generator) -> None:
    """Lay a disease over the blade, in place: first its halo, then its marks."""
    size = cover.blade.shape[0]
    marks = _spots(disease, cover.blade, rng)
    share = draw(disease.patch_cover, rng)
    if share > 0.0:
        marks = np.maximum(marks, _patches(disease, cover.blade, share, rng))
    opacity = draw(disease.opacity, rng)
    _mix(picture, disease.halo, 0.75 * opacity * np.clip(1.8 * blurred(marks, 0.011), 0, 1))
    uneven = 0.85 + 0.2 * rough_noise(size, min(size, 40), rng)
    _mix(picture, disease.colour, opacity * marks * uneven)


def _spots(disease: Disease, blade: Plane, rng: np.random.Generator) -> Plane:
    """Round marks at random places, a little smaller or larger each."""
    size = blade.shape[0]
    canvas: Bytes = np.zeros((size, size), dtype=np.uint8)
    count = round(draw(disease.spots, rng))
    places = rng.uniform(0.0, 16.0 * size, (count, 2)).astype(int)
    widest = float(rng.uniform(*disease.spot_radius))
    radii = widest * size * rng.uniform(0.5, 1.2, count)
    for (x, y), radius in zip(places.tolist(), radii.tolist(), strict=True):
        axes = (round(16 * radius * 1.15) + 6, round(16 * radius) + 6)
        cv2.circle(canvas, (x, y), axes[x % 2], 255, cv2.FILLED, cv2.LINE_AA, 4)
    return np.asarray(canvas, dtype=np.float32) * np.float32(1.0 / 255.0)


def _patches(disease: Disease, blade: Plane, share: float, rng: np.random.Generator) -> Plane:
    """Irregular areas that cover about `share` of the blade, some of them along its margin."""
    size = blade.shape[0]
    field = rough_noise(size, disease.patch_cells, rng)
    field += 0.3 * rough_noise(size, min(size, 4 * disease.patch_cells), rng)
    if disease.at_margin > 0.0:
        field += disease.at_margin * 3.0 * (1.0 - blurred(blade, 0.06))
    inside = field[::4, ::4][blade[::4, ::4] > 0.5]
    level = float(np.quantile(inside, 1.0 - share)) if inside.size else 1.0
    return np.asarray(
        np.clip((field - level) * disease.patch_sharpness, 0.0, 1.0), dtype=np.float32
    )
