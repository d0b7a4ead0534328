"""What can be trained. Plain data, importable without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Phase:
    """One model with its training.

    Attributes:
        filters: convolution filters, one a block.
        dense_units: units of the dense layer behind the blocks.
        dropout: share of that layer's units dropped while training.
        learning_rate: of Adam (Kingma and Ba 2015, arXiv:1412.6980).
        patience: epochs without a better validation loss before early stopping ends a training
            (never used while timing: every variant trains the same number of epochs).
    """

    name: str
    summary: str
    filters: tuple[int, ...]
    dense_units: int
    dropout: float
    learning_rate: float
    patience: int


PHASES: Mapping[str, Phase] = MappingProxyType(
    {
        "cnn": Phase(
            name="cnn",
            summary="the claim's simple CNN: five convolution blocks, dense 512, trained from zero",
            filters=(16, 32, 64, 128, 256),
            dense_units=512,
            dropout=0.3,
            learning_rate=1e-3,
            patience=10,
        )
    }
)
