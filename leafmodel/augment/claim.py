"""The numbers of the claim's augmentation. Plain data, shared by every form of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Augmentation:
    """How strongly images are varied; flips go both ways, the fill outside is a reflection.

    Attributes:
        translation: up to this share of the image's side, each way.
        rotation: up to this share of a full turn, each way.
        zoom: up to this share larger or smaller.
        contrast: factor drawn from 1 - contrast to 1 + contrast, about each channel's mean.
    """

    translation: float = 0.5
    rotation: float = 0.3
    zoom: float = 0.3
    contrast: float = 0.3


CLAIM = Augmentation()
