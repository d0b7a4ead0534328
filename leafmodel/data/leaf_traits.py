"""What can differ between leaves: outline, veins, surface, and the diseases that mark them.

Plain data; a range is what one leaf draws one value from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Range = tuple[float, float]
Colour = tuple[float, float, float]
Plan = Literal["pinnate", "palmate", "strap"]


@dataclass(frozen=True)
class Shape:
    """The outline in the leaf's own plane: base at y = 0, tip at y = 1."""

    plan: Plan
    width_to_length: Range
    widest_at: Range = (0.40, 0.50)
    pointedness: Range = (1.0, 1.3)  # 1 is an ellipse, more is lens-shaped, less is boxy
    drawn_tip: Range = (0.0, 0.3)
    heart_base: Range = (0.0, 0.02)
    lobes: Range = (0.0, 0.0)
    lobe_depth: Range = (0.0, 0.0)
    teeth: Range = (0.0, 0.0)  # on one side
    tooth_depth: Range = (0.0, 0.0)
    tooth_roundness: Range = (0.0, 0.3)
    margin_wave: Range = (0.01, 0.03)
    bend: Range = (-0.12, 0.12)
    petiole_length: Range = (0.04, 0.16)


@dataclass(frozen=True)
class Veins:
    """How the veins branch and how much they show."""

    pairs: Range
    rise: Range  # how far towards the tip a side vein climbs on its way to the margin
    contrast: Range
    groove: Range  # how deep the veins are sunk into the blade
    network: Range  # how much of the fine net between the side veins shows


@dataclass(frozen=True)
class Surface:
    """Colour and relief of a healthy blade. Hue in degrees, the rest 0 to 1."""

    hue_degrees: Range = (90.0, 126.0)
    saturation: Range = (0.28, 0.62)
    brightness: Range = (0.30, 0.54)
    gloss: Range = (0.0, 0.3)
    relief: Range = (0.2, 0.6)
    mottle: Range = (0.05, 0.30)


@dataclass(frozen=True)
class Disease:
    """Marks on the blade: round spots, irregular patches, or both."""

    name: str
    colour: Colour
    halo: Colour
    spots: Range = (0.0, 0.0)
    spot_radius: Range = (0.005, 0.012)  # of the image's side
    patch_cover: Range = (0.0, 0.0)  # share of the blade
    patch_cells: int = 9  # more cells, smaller patches
    patch_sharpness: float = 3.0
    at_margin: float = 0.0
    opacity: Range = (0.6, 0.95)


_YELLOW: Colour = (0.66, 0.66, 0.22)
_BROWN: Colour = (0.32, 0.21, 0.13)
_TAN: Colour = (0.55, 0.43, 0.28)

SCAB = Disease("scab", (0.17, 0.17, 0.11), (0.40, 0.42, 0.20), (4, 26), (0.007, 0.020))
BACTERIAL_SPOT = Disease(
    "bacterial spot", (0.25, 0.16, 0.10), _YELLOW, (8, 60), (0.003, 0.010), (0.0, 0.05)
)
EARLY_BLIGHT = Disease(
    "early blight", _BROWN, _YELLOW, (3, 22), (0.008, 0.024), (0.02, 0.18), patch_cells=12
)
LATE_BLIGHT = Disease(
    "late blight", (0.33, 0.27, 0.22), (0.43, 0.47, 0.26), patch_cover=(0.05, 0.35), patch_cells=5
)
RUST = Disease("rust", (0.55, 0.28, 0.10), (0.60, 0.52, 0.22), (30, 160), (0.002, 0.006))
STREAK = Disease("streak", _TAN, _YELLOW, (0, 12), (0.005, 0.012), (0.03, 0.2), patch_cells=7)
SCORCH = Disease(
    "scorch",
    (0.33, 0.13, 0.14),
    (0.55, 0.38, 0.24),
    (10, 60),
    (0.004, 0.012),
    (0.0, 0.2),
    8,
    at_margin=0.6,
)
ROT = Disease("rot", (0.36, 0.20, 0.11), (0.52, 0.44, 0.20), (5, 40), (0.005, 0.014))
GREENING = Disease(
    "greening",
    (0.62, 0.62, 0.20),
    (0.52, 0.58, 0.20),
    patch_cover=(0.15, 0.6),
    patch_sharpness=1.0,
    opacity=(0.3, 0.7),
)
MILDEW = Disease(
    "mildew",
    (0.72, 0.74, 0.68),
    (0.55, 0.62, 0.48),
    (3, 30),
    (0.008, 0.022),
    (0.05, 0.35),
    8,
    1.5,
    opacity=(0.25, 0.6),
)
CURL = Disease(
    "yellow curl",
    (0.68, 0.66, 0.24),
    (0.58, 0.62, 0.24),
    patch_cover=(0.1, 0.4),
    patch_cells=10,
    patch_sharpness=1.5,
    at_margin=0.7,
    opacity=(0.3, 0.75),
)
