"""Weights of the Keras EfficientNets in an HDF5 file: do they fit, before a network is built?

Keras writes two layouts, `.weights.h5` and, before version 3, `.h5`. What they share is enough to
tell one EfficientNet from another: the shapes of all convolution kernels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]

from leafmodel.errors import WeightsError
from leafmodel.models.catalogue import BackboneFacts
from leafmodel.models.scaling import Block, blocks, stem_filters

_SQUEEZE = 4  # squeeze-excitation narrows to a quarter of a block's input
_NOT_WEIGHTS = ("optimizer", "optimizer_weights")

Shape = tuple[int, ...]


def require_fit(path: Path, facts: BackboneFacts) -> None:
    """Refuse a file that does not hold this network's convolutions and no classifier.

    Raises:
        WeightsError: it is no HDF5 file, is cut short, or belongs to another network.
    """
    if not path.name.endswith((".h5", ".hdf5")):
        raise WeightsError(
            f"{path}: expected a file of Keras weights called *.weights.h5 or *.h5 for "
            f"{facts.name}, found the name {path.name}. Give such a file."
        )
    found = _shapes(path, facts)
    expected: Counter[Shape] = Counter(_kernels(facts))
    kernels: Counter[Shape] = Counter(shape for shape in found if len(shape) == 4)
    if kernels != expected:
        raise WeightsError(
            f"{path} does not hold weights of {facts.name}: expected {expected.total()} kernels of "
            f"convolutions, found {kernels.total()}, {_difference(expected, kernels)}. Give the "
            f"weights of {facts.name}, or the backbone that they belong to."
        )
    matrices = [shape for shape in found if len(shape) == 2]
    if matrices:
        raise WeightsError(
            f"{path} holds a classifier of {matrices[0][1]} classes on top of {facts.name}: "
            "expected weights without one. Give the file that is called notop."
        )


def _shapes(path: Path, facts: BackboneFacts) -> list[Shape]:
    """Of all arrays in the file but an optimiser's."""
    shapes: list[Shape] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith(_NOT_WEIGHTS):
            shapes.append(item.shape)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: expected Keras weights of {facts.name} in an HDF5 file, and found one that "
            f"is cut short or of another kind ({error}). Get the file again from where it came."
        ) from error
    return shapes


def _kernels(facts: BackboneFacts) -> Iterator[Shape]:
    body = blocks(facts)
    yield (3, 3, 3, stem_filters(facts))
    for block in body:
        yield from _block_kernels(block)
    yield (1, 1, body[-1].filters_out, facts.features)


def _block_kernels(block: Block) -> Iterator[Shape]:
    inside, squeezed = block.filters, max(1, block.filters_in // _SQUEEZE)
    if block.expand > 1:
        yield (1, 1, block.filters_in, inside)
    yield (block.kernel, block.kernel, inside, 1)
    yield (1, 1, inside, squeezed)
    yield (1, 1, squeezed, inside)
    yield (1, 1, inside, block.filters_out)


def _difference(expected: Counter[Shape], found: Counter[Shape]) -> str:
    missing, extra = expected - found, found - expected
    kind, shapes = ("none of shape", missing) if missing else ("one too many of shape", extra)
    return f"{kind} {min(shapes)}"
