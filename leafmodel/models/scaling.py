"""The blocks that EfficientNets and their Lites are made of. Plain arithmetic, no TensorFlow.

Source: Tan and Le 2019, arXiv:1905.11946, table 1 (B0's stages) and section 3.3 (width and depth);
rounding and the Lites' unscaled ends as in the authors' code,
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_lowercase

from leafmodel.models.catalogue import BackboneFacts, Family

STEM_FILTERS = 32
HEAD_FILTERS = 1280


@dataclass(frozen=True)
class Block:
    """One inverted residual block.

    Attributes:
        name: stage and letter, as Keras names its EfficientNets' layers: block1a, block2a, block2b.
        kernel: side of the depthwise convolution.
        stride: 2 halves rows and columns.
        expand: filters of the depthwise convolution for each that comes in.
    """

    name: str
    kernel: int
    stride: int
    expand: int
    filters_in: int
    filters_out: int

    @property
    def filters(self) -> int:
        """Of the depthwise convolution."""
        return self.filters_in * self.expand

    @property
    def has_shortcut(self) -> bool:
        """Whether the block's input is added to its output."""
        return self.stride == 1 and self.filters_in == self.filters_out


@dataclass(frozen=True)
class _Stage:
    repeats: int
    kernel: int
    stride: int
    expand: int
    filters: int


_STAGES = (
    _Stage(repeats=1, kernel=3, stride=1, expand=1, filters=16),
    _Stage(repeats=2, kernel=3, stride=2, expand=6, filters=24),
    _Stage(repeats=2, kernel=5, stride=2, expand=6, filters=40),
    _Stage(repeats=3, kernel=3, stride=2, expand=6, filters=80),
    _Stage(repeats=3, kernel=5, stride=1, expand=6, filters=112),
    _Stage(repeats=4, kernel=5, stride=2, expand=6, filters=192),
    _Stage(repeats=1, kernel=3, stride=1, expand=6, filters=320),
)
STAGES = len(_STAGES)


def stem_filters(facts: BackboneFacts) -> int:
    """Of the first convolution; the Lites leave it unscaled."""
    return STEM_FILTERS if _is_lite(facts) else _rounded(STEM_FILTERS, facts.width)


def blocks(facts: BackboneFacts) -> tuple[Block, ...]:
    """The blocks of a backbone, from the image to the features."""
    return tuple(_blocks(facts))


def _blocks(facts: BackboneFacts) -> Iterator[Block]:
    widths = [stem_filters(facts), *(_rounded(stage.filters, facts.width) for stage in _STAGES)]
    for number, (stage, ends) in enumerate(zip(_STAGES, pairwise(widths), strict=True), start=1):
        filters_in, filters_out = ends
        is_end = number in (1, STAGES)
        depth = 1.0 if _is_lite(facts) and is_end else facts.depth
        for repeat in range(math.ceil(depth * stage.repeats)):
            yield Block(
                f"block{number}{ascii_lowercase[repeat]}",
                stage.kernel,
                stage.stride if repeat == 0 else 1,
                stage.expand,
                filters_in if repeat == 0 else filters_out,
                filters_out,
            )


def _is_lite(facts: BackboneFacts) -> bool:
    return facts.family is Family.LITE


def _rounded(filters: int, width: float) -> int:
    """The nearest multiple of 8, but never a tenth below what was asked for."""
    wanted = filters * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * wanted else nearest + 8
