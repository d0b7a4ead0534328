"""What recorded blocks between equal code are like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.gate.blocks import BlockRecord
from bench.gate.metrics import Metric
from bench.gate.pairs import evaluate


@dataclass(frozen=True)
class Memory:
    """How much a block's value is like that of the block before it.

    Attributes:
        lag_1: the autocorrelation at lag 1.
        pairs: of blocks, that it rests on.
    """

    lag_1: float
    pairs: int

    @property
    def chance(self) -> float:
        """What chance alone does not exceed in 95 % of recordings (Bartlett 1946)."""
        return 1.96 / math.sqrt(self.pairs) if self.pairs else math.inf


def memory(checks: Sequence[Sequence[BlockRecord]], metric: Metric) -> Memory:
    """The memory of a metric's block values within checks.

    Of equal code the values' mean is known: nothing. Taking it from a handful of blocks instead
    would make them look as if each made up for the one before.
    """
    values = [[evaluate(block).changes.get(metric) for block in blocks] for blocks in checks]
    pairs = [
        (before, after)
        for own in values
        for before, after in pairwise(own)
        if before is not None and after is not None
    ]
    spread = sum(before * before + after * after for before, after in pairs) / 2
    lag_1 = sum(before * after for before, after in pairs) / spread if spread else 0.0
    return Memory(lag_1, len(pairs))
