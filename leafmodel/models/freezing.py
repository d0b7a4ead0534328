"""Which layers of a backbone train."""

from __future__ import annotations

import re
from typing import Any

import keras

from leafmodel.errors import ModelError

_BLOCK = re.compile(r"block(\d+)[a-z]+_")
_TOP = "top_"


def unfreeze(model: Any, blocks: int) -> None:
    """Let the last `blocks` blocks of a backbone and its top convolution train, and nothing else.

    With 0 the whole backbone is frozen. Batch normalisation stays frozen wherever it is, so that it
    keeps the statistics that it was pretrained with: small batches of few classes would spoil them
    (https://keras.io/guides/transfer_learning/). Blocks are told by their layers' names, which an
    EfficientNet and a Lite share.

    Raises:
        ModelError: the model has no such blocks, or fewer of them.
    """
    numbers = sorted({number for layer in model.layers if (number := _block_of(layer))})
    if not 0 <= blocks <= len(numbers):
        raise ModelError(
            f"Cannot unfreeze {blocks} blocks of {model.name}: expected 0 to {len(numbers)}, the "
            "number of blocks that it has. Give another unfreeze."
        )
    chosen = set(numbers[len(numbers) - blocks :])
    model.trainable = bool(blocks)
    for layer in model.layers:
        layer.trainable = bool(blocks) and _trains(layer, chosen)


def _trains(layer: Any, chosen: set[int]) -> bool:
    if isinstance(layer, keras.layers.BatchNormalization):
        return False
    return _block_of(layer) in chosen or layer.name.startswith(_TOP)


def _block_of(layer: Any) -> int | None:
    found = _BLOCK.match(layer.name)
    return int(found.group(1)) if found else None
