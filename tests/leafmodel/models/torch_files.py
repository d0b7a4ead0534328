"""PyTorch state files in the old format, opcode by opcode, so that tests can write impossible ones.

What each byte means: https://docs.python.org/3/library/pickletools.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
VERSION = b"\x80\x02M\xe9\x03."
NONE, TRUE, FALSE = b"N", b"\x88", b"\x89"
REDUCE, BUILD = b"R", b"b"
KINDS = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<f2": "HalfStorage", "<i8": "LongStorage"}


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + len(encoded).to_bytes(4, "little") + encoded


def number(value: int) -> bytes:
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def many(*parts: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(parts) + b"t"


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def mapping(items: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


EMPTY_ORDERED = named("collections", "OrderedDict") + b")" + REDUCE


def storage(key: str, numbers: int, kind: str = "FloatStorage") -> bytes:
    parts = (text("storage"), named("torch", kind), text(key), text("cpu"), number(numbers), NONE)
    return many(*parts) + b"Q"


def tensor(stored: bytes, shape: Iterable[int], strides: Iterable[int], offset: int = 0) -> bytes:
    parts = (
        stored,
        number(offset),
        many(*map(number, shape)),
        many(*map(number, strides)),
        FALSE,
        EMPTY_ORDERED,
    )
    return named("torch._utils", "_rebuild_tensor_v2") + many(*parts) + REDUCE


def header(magic: bytes = MAGIC, version: bytes = VERSION, little_endian: bytes = TRUE) -> bytes:
    writer = {"protocol_version": number(1001), "little_endian": little_endian}
    return magic + version + b"\x80\x02" + mapping(writer) + b"."


def file(state: bytes, stored: Mapping[str, Array] | None = None, start: bytes = header()) -> bytes:
    """The whole file: header, state, and the storages as one-dimensional arrays by key."""
    stored = stored or {}
    keys = b"\x80\x02](" + b"".join(map(text, stored)) + b"e."
    numbers = (len(a).to_bytes(8, "little") + a.tobytes() for a in stored.values())
    return start + b"\x80\x02" + state + b"." + keys + b"".join(numbers)


def state_file(arrays: Mapping[str, Array]) -> bytes:
    """What PyTorch would write of these arrays, each in a storage of its own."""
    tensors, stored = {}, {}
    for key, (name, array) in enumerate(arrays.items()):
        strides = [stride // array.itemsize for stride in array.strides]
        kind = KINDS[array.dtype.str]
        tensors[name] = tensor(storage(str(key), array.size, kind), array.shape, strides)
        stored[str(key)] = array.ravel(order="K")
    return file(mapping(tensors), stored)
