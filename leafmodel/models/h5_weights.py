"""Weights of the Keras EfficientNets in an HDF5 file: do they fit, before a network is built?

Keras writes two layouts, `.weights.h5` and, before version 3, `.h5`. What they share is enough to
tell one EfficientNet from another: the shapes of all arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from leafmodel.errors import WeightsError
from leafmodel.models.catalogue import BackboneFacts
from leafmodel.models.scaling import Block, blocks, stem_filters

_SQUEEZE = 4  # squeeze-excitation narrows to a quarter of a block's input
_NORM = 4  # arrays of a batch normalisation
_NOT_WEIGHTS = ("optimizer", "optimizer_weights")

Shape = tuple[int, ...]


def require_fit(path: Path, facts: BackboneFacts) -> None:
    """Refuse a file that does not hold the arrays of this network, or holds a classifier.

    Raises:
        WeightsError: it is no HDF5 file, is cut short, or belongs to another network.
    """
    if not path.name.endswith((".h5", ".hdf5")):
        raise WeightsError(
            f"{path}: expected a file of Keras weights called *.weights.h5 or *.h5 for "
            f"{facts.name}, found the name {path.name}. Give such a file."
        )
    expected: Counter[Shape] = Counter(_expected(facts))
    found = Counter(_shapes(path, facts))
    missing, extra = expected - found, found - expected
    if missing or any(len(shape) == 4 for shape in extra):
        raise WeightsError(
            f"{path} does not hold weights of {facts.name}: expected {_counted(expected)}, found "
            f"{_counted(found)}{_example(missing)}. Give the weights of {facts.name}, or the "
            "backbone that they belong to."
        )
    classes = [shape[1] for shape in extra if len(shape) == 2]
    if classes:
        raise WeightsError(
            f"{path} holds a classifier of {classes[0]} classes on top of {facts.name}: expected "
            "weights without one. Give the file that is called notop."
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


def _expected(facts: BackboneFacts) -> Iterator[Shape]:
    body, stem = blocks(facts), stem_filters(facts)
    yield from _normalised(3, 3, 3, stem)
    for block in body:
        yield from _block(block)
    yield from _normalised(1, 1, body[-1].filters_out, facts.features)


def _block(block: Block) -> Iterator[Shape]:
    inside, squeezed = block.filters, max(1, block.filters_in // _SQUEEZE)
    if block.expand > 1:
        yield from _normalised(1, 1, block.filters_in, inside)
    yield (block.kernel, block.kernel, inside, 1)
    yield from [(inside,)] * _NORM
    yield from ((1, 1, inside, squeezed), (squeezed,), (1, 1, squeezed, inside), (inside,))
    yield from _normalised(1, 1, inside, block.filters_out)


def _normalised(*kernel: int) -> Iterator[Shape]:
    """A convolution without bias, and its batch normalisation."""
    yield kernel
    yield from [kernel[-1:]] * _NORM


def _counted(shapes: Counter[Shape]) -> str:
    kernels = sum(count for shape, count in shapes.items() if len(shape) == 4)
    return f"{kernels} convolution kernels in {shapes.total()} arrays"


def _example(missing: Counter[Shape]) -> str:
    return f", none of shape {max(missing, key=len)}" if missing else ""
