"""The numbers of the claim's augmentation. Plain data, shared by every form of it."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Augmentation:
    """How strongly images are varied; flips go both ways, the fill outside is a reflection.

    Attributes:
        translation: up to this share of the image's side, each way.
        rotation: up to this share of a full turn, each way.
        zoom: up to this share larger or smaller.
        contrast: factor drawn from 1 - contrast to 1 + contrast, about each channel's mean.

    Raises:
        ValueError: a share below 0 or above 1, or a zoom of 1, which would shrink to a point.
    """

    translation: float = 0.5
    rotation: float = 0.3
    zoom: float = 0.3
    contrast: float = 0.3

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            share = getattr(self, name)
            if not 0 <= share <= 1 or (name == "zoom" and share == 1):
                most = "up to, but not including, 1" if name == "zoom" else "to 1"
                raise ValueError(f"{name} must be a share from 0 {most}; received {share}.")


CLAIM = Augmentation()
