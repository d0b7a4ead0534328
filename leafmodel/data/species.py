"""The fourteen species of the original course, and what a leaf of each may look like.

Plain data. Every value is a range that one leaf draws from, and the ranges of different species
overlap on purpose: no single trait gives the class away. Nothing here speaks of background, light
or pose, so those cannot depend on the species.
"""

from __future__ import annotations

from dataclasses import dataclass

from leafmodel.data.leaf_traits import (
    BACTERIAL_SPOT,
    CURL,
    EARLY_BLIGHT,
    GREENING,
    LATE_BLIGHT,
    MILDEW,
    ROT,
    RUST,
    SCAB,
    SCORCH,
    STREAK,
    Disease,
    Shape,
    Surface,
    Veins,
)


@dataclass(frozen=True)
class Species:
    """One class: its name, its number of images in the course data, and its traits."""

    name: str
    course_images: int
    shape: Shape
    veins: Veins
    surface: Surface
    diseases: tuple[tuple[Disease, float], ...] = ()  # with their probability; the rest is healthy


SPECIES: tuple[Species, ...] = (
    Species(
        "Apple",
        988,
        Shape(
            "pinnate",
            (0.50, 0.74),
            (0.38, 0.48),
            (0.95, 1.2),
            (0.1, 0.5),
            teeth=(22, 34),
            tooth_depth=(0.008, 0.015),
            petiole_length=(0.04, 0.16),
        ),
        Veins((5, 8), (0.16, 0.28), (0.15, 0.45), (0.3, 0.7), (0.15, 0.4)),
        Surface(saturation=(0.22, 0.52), gloss=(0.0, 0.3), relief=(0.2, 0.6)),
        ((SCAB, 0.25), (RUST, 0.08), (ROT, 0.2)),
    ),
    Species(
        "Blueberry",
        467,
        Shape(
            "pinnate",
            (0.46, 0.66),
            (0.42, 0.54),
            (1.05, 1.4),
            (0.0, 0.25),
            margin_wave=(0.005, 0.03),
            petiole_length=(0.02, 0.08),
        ),
        Veins((5, 7), (0.18, 0.30), (0.2, 0.5), (0.3, 0.7), (0.2, 0.5)),
        Surface(gloss=(0.3, 0.9), saturation=(0.35, 0.65), relief=(0.15, 0.5)),
        ((BACTERIAL_SPOT, 0.08),),
    ),
    Species(
        "Cherry",
        583,
        Shape(
            "pinnate",
            (0.42, 0.60),
            (0.46, 0.56),
            (1.05, 1.35),
            (0.4, 0.8),
            teeth=(26, 38),
            tooth_depth=(0.006, 0.012),
            petiole_length=(0.05, 0.18),
        ),
        Veins((7, 10), (0.12, 0.22), (0.2, 0.5), (0.3, 0.7), (0.1, 0.35)),
        Surface(gloss=(0.1, 0.6), relief=(0.2, 0.5)),
        ((MILDEW, 0.4),),
    ),
    Species(
        "Corn",
        1206,
        Shape(
            "strap",
            (0.24, 0.44),
            (0.4, 0.6),
            (0.12, 0.3),
            (0.0, 0.0),
            margin_wave=(0.02, 0.06),
            bend=(-0.6, 0.6),
            petiole_length=(0.0, 0.0),
        ),
        Veins((9, 14), (0.0, 0.0), (0.15, 0.4), (0.15, 0.4), (0.0, 0.1)),
        Surface((82.0, 128.0), (0.22, 0.5), (0.36, 0.60), (0.0, 0.4), (0.1, 0.4)),
        ((RUST, 0.3), (STREAK, 0.4)),
    ),
    Species(
        "Grape",
        1458,
        Shape(
            "palmate",
            (0.95, 1.15),
            lobes=(3, 5),
            lobe_depth=(0.18, 0.42),
            heart_base=(0.86, 0.97),
            teeth=(14, 22),
            tooth_depth=(0.02, 0.045),
            petiole_length=(0.0, 0.12),
        ),
        Veins((3, 5), (0.12, 0.22), (0.25, 0.6), (0.3, 0.7), (0.2, 0.5)),
        Surface((80.0, 122.0), gloss=(0.0, 0.3), relief=(0.3, 0.8)),
        ((ROT, 0.3), (SCORCH, 0.2), (LATE_BLIGHT, 0.2)),
    ),
    Species(
        "Orange",
        1748,
        Shape(
            "pinnate",
            (0.50, 0.76),
            (0.42, 0.54),
            (0.95, 1.25),
            (0.0, 0.25),
            teeth=(10, 18),
            tooth_depth=(0.0, 0.006),
            tooth_roundness=(0.7, 1.0),
            petiole_length=(0.03, 0.14),
        ),
        Veins((7, 11), (0.08, 0.18), (0.15, 0.5), (0.15, 0.4), (0.0, 0.2)),
        Surface((72.0, 118.0), (0.40, 0.75), gloss=(0.1, 0.7), relief=(0.1, 0.35)),
        ((GREENING, 0.7),),
    ),
    Species(
        "Peach",
        977,
        Shape(
            "pinnate",
            (0.20, 0.34),
            (0.42, 0.54),
            (1.1, 1.6),
            (0.2, 0.6),
            teeth=(28, 44),
            tooth_depth=(0.003, 0.008),
            bend=(-0.3, 0.3),
            petiole_length=(0.03, 0.10),
        ),
        Veins((9, 13), (0.08, 0.16), (0.2, 0.5), (0.3, 0.6), (0.1, 0.4)),
        Surface((80.0, 122.0), gloss=(0.0, 0.4), relief=(0.15, 0.5)),
        ((BACTERIAL_SPOT, 0.6),),
    ),
    Species(
        "Pepper",
        765,
        Shape(
            "pinnate",
            (0.50, 0.76),
            (0.30, 0.42),
            (1.15, 1.6),
            (0.4, 0.8),
            margin_wave=(0.02, 0.05),
            petiole_length=(0.04, 0.16),
        ),
        Veins((4, 6), (0.18, 0.32), (0.15, 0.45), (0.4, 0.9), (0.05, 0.3)),
        Surface(gloss=(0.1, 0.6), relief=(0.3, 0.8)),
        ((BACTERIAL_SPOT, 0.4),),
    ),
    Species(
        "Potato",
        716,
        Shape(
            "pinnate",
            (0.58, 0.84),
            (0.38, 0.48),
            (0.9, 1.2),
            (0.0, 0.4),
            (0.0, 0.05),
            margin_wave=(0.015, 0.04),
            petiole_length=(0.0, 0.12),
        ),
        Veins((5, 7), (0.16, 0.28), (0.15, 0.4), (0.6, 1.1), (0.4, 0.9)),
        Surface(gloss=(0.0, 0.2), relief=(0.5, 1.0)),
        ((EARLY_BLIGHT, 0.42), (LATE_BLIGHT, 0.42)),
    ),
    Species(
        "Raspberry",
        264,
        Shape(
            "pinnate",
            (0.62, 0.88),
            (0.30, 0.40),
            (1.05, 1.3),
            (0.3, 0.7),
            (0.0, 0.08),
            teeth=(16, 24),
            tooth_depth=(0.018, 0.032),
            petiole_length=(0.0, 0.10),
        ),
        Veins((6, 9), (0.20, 0.32), (0.1, 0.35), (0.6, 1.1), (0.2, 0.6)),
        Surface(gloss=(0.0, 0.3), relief=(0.4, 0.9)),
        ((RUST, 0.06),),
    ),
    Species(
        "Soybean",
        1616,
        Shape(
            "pinnate",
            (0.54, 0.82),
            (0.34, 0.46),
            (0.95, 1.25),
            (0.0, 0.3),
            (0.0, 0.04),
            margin_wave=(0.005, 0.025),
            petiole_length=(0.0, 0.14),
        ),
        Veins((6, 9), (0.18, 0.28), (0.2, 0.5), (0.3, 0.8), (0.2, 0.6)),
        Surface((84.0, 120.0), gloss=(0.0, 0.2), relief=(0.2, 0.7)),
        ((RUST, 0.08), (CURL, 0.08)),
    ),
    Species(
        "Squash",
        574,
        Shape(
            "palmate",
            (0.95, 1.2),
            lobes=(3, 5),
            lobe_depth=(0.04, 0.2),
            heart_base=(0.88, 0.99),
            teeth=(16, 26),
            tooth_depth=(0.006, 0.02),
            petiole_length=(0.0, 0.12),
        ),
        Veins((3, 5), (0.12, 0.24), (0.25, 0.6), (0.4, 0.9), (0.3, 0.7)),
        Surface(gloss=(0.0, 0.15), relief=(0.4, 0.9)),
        ((MILDEW, 0.75),),
    ),
    Species(
        "Strawberry",
        673,
        Shape(
            "pinnate",
            (0.74, 1.0),
            (0.50, 0.62),
            (0.8, 1.05),
            (0.0, 0.0),
            teeth=(9, 13),
            tooth_depth=(0.025, 0.045),
            tooth_roundness=(0.3, 0.9),
            petiole_length=(0.0, 0.10),
        ),
        Veins((6, 9), (0.20, 0.34), (0.1, 0.4), (0.5, 1.0), (0.2, 0.6)),
        Surface(gloss=(0.0, 0.5), relief=(0.3, 0.8)),
        ((SCORCH, 0.6),),
    ),
    Species(
        "Tomato",
        5693,
        Shape(
            "pinnate",
            (0.50, 0.78),
            (0.28, 0.40),
            (1.0, 1.4),
            (0.2, 0.6),
            lobes=(2, 5),
            lobe_depth=(0.08, 0.45),
            margin_wave=(0.01, 0.04),
            petiole_length=(0.0, 0.16),
        ),
        Veins((4, 6), (0.16, 0.30), (0.15, 0.4), (0.5, 1.1), (0.3, 0.8)),
        Surface((78.0, 124.0), gloss=(0.0, 0.2), relief=(0.5, 1.1)),
        (
            (BACTERIAL_SPOT, 0.2),
            (EARLY_BLIGHT, 0.15),
            (LATE_BLIGHT, 0.15),
            (CURL, 0.25),
            (MILDEW, 0.08),
        ),
    ),
)

COURSE_IMAGES = sum(species.course_images for species in SPECIES)
