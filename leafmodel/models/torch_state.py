"""Read a PyTorch state file in the format from before version 1.6, without PyTorch.

Such a file is a row of pickles (a magic number, the format's version, the writer's machine, the
named tensors, the keys of their storages), then each storage: its length as 8 bytes, its numbers.
The numbers are given as views of the file's bytes, so no file can ask for more memory than its own.

Source of the layout: `_legacy_save` in
https://github.com/pytorch/pytorch/blob/main/torch/serialization.py
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from leafmodel.errors import WeightsError
from leafmodel.models.torch_pickle import Refusal, Storage, Tensor, require, unpickled

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_ZIP = b"PK\x03\x04"


def tensors(content: bytes, where: str) -> dict[str, np.ndarray[Any, Any]]:
    """The named tensors of a state file, as read-only views of its bytes.

    Args:
        content: the whole file.
        where: what to call the file in a message.

    Raises:
        WeightsError: the file is empty, cut short, followed by something, of another format, or
            names or does anything that a state of tensors does not.
    """
    try:
        return _tensors(content)
    except Refusal as refusal:
        raise WeightsError(
            f"{where}: expected a PyTorch state file in the format from before PyTorch 1.6, found "
            f"{refusal}. Nothing of it was used: get the file again from where it came."
        ) from refusal


def _tensors(content: bytes) -> dict[str, np.ndarray[Any, Any]]:
    _require_old_format(content)
    stream = io.BytesIO(content)
    storages: dict[str, Storage] = {}
    _require_header(stream)
    state = unpickled(stream, storages)
    keys = unpickled(stream, {})
    are_tensors = isinstance(state, dict) and all(isinstance(x, Tensor) for x in state.values())
    require(are_tensors, "something else than tensors by name")
    starts = _starts(stream, len(content), keys, storages)
    return {name: _array(tensor, content, starts) for name, tensor in state.items()}


def _require_old_format(content: bytes) -> None:
    require(bool(content), "an empty file")
    require(
        not content.startswith(_ZIP),
        "the zip format of later versions (where torch.save writes the old one if it is given "
        "_use_new_zipfile_serialization=False)",
    )


def _require_header(stream: io.BytesIO) -> None:
    magic, version, writer = (unpickled(stream, {}) for _ in range(3))
    require(type(magic) is int and magic == MAGIC, "another number than PyTorch's at its start")
    require(type(version) is int and version == PROTOCOL, f"another version than {PROTOCOL}")
    is_little = isinstance(writer, dict) and writer.get("little_endian") is True
    require(is_little, "numbers that are not little-endian")


def _starts(
    stream: io.BytesIO, size_bytes: int, keys: Any, storages: Mapping[str, Storage]
) -> dict[str, int]:
    """Where in the file each storage's numbers begin; the file must end where the last one does."""
    are_keys = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    require(are_keys and sorted(keys) == sorted(storages), "storages that its tensors do not name")
    starts: dict[str, int] = {}
    for key in keys:
        numbers = storages[key].numbers
        length = int.from_bytes(stream.read(8), "little", signed=True)
        require(length == numbers, f"a storage of {length} numbers where {numbers} should be")
        starts[key] = stream.tell()
        end = starts[key] + length * np.dtype(storages[key].dtype).itemsize
        require(end <= size_bytes, "a file that was cut short")
        stream.seek(end)
    require(stream.tell() == size_bytes, "more behind its last tensor")
    return starts


def _array(tensor: Tensor, content: bytes, starts: Mapping[str, int]) -> np.ndarray[Any, Any]:
    dtype = np.dtype(tensor.storage.dtype)
    return np.ndarray(
        tensor.shape,
        dtype,
        buffer=content,
        offset=starts[tensor.storage.key] + tensor.offset * dtype.itemsize,
        strides=[stride * dtype.itemsize for stride in tensor.strides],
    )
