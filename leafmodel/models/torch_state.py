"""Read a PyTorch state file in the format from before version 1.6, without PyTorch.

Such a file is a row of pickles (a magic number, the format's version, the writer's machine, the
named tensors, the keys of their storages), then each storage: its length as 8 bytes, its numbers.

Python's own unpickler calls what a file names, and trusts the sizes that it gives. So the pickles
are read by a machine of our own, on the opcodes that `pickletools` finds. It knows the few opcodes
that such files use, and of the names in them only those of `_NAMED`; it never calls anything that
came from the file. What it builds are strings, integers, tuples, lists, dicts and descriptions of
tensors; the numbers are views of the file's bytes, so no file can ask for more memory than its own.

Source: https://docs.python.org/3/library/pickletools.html and, for the layout,
https://github.com/pytorch/pytorch/blob/main/torch/serialization.py (`_legacy_save`).
"""

from __future__ import annotations

import io
import math
import pickletools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from leafmodel.errors import WeightsError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_ZIP = b"PK\x03\x04"
_MOST_DIMENSIONS = 8


@dataclass(frozen=True)
class _Named:
    """A Python object that a file names: only a name, never the object.

    Attributes:
        dtype: of the numbers, where a kind of storage is named.
    """

    name: str
    dtype: str = ""


_ORDERED_DICT = _Named("collections OrderedDict")
_REBUILD = _Named("torch._utils _rebuild_tensor_v2")
_NAMED: Mapping[str, _Named] = MappingProxyType(
    {
        named.name: named
        for named in (
            _ORDERED_DICT,
            _REBUILD,
            _Named("torch FloatStorage", "<f4"),
            _Named("torch DoubleStorage", "<f8"),
            _Named("torch HalfStorage", "<f2"),
            _Named("torch LongStorage", "<i8"),
        )
    }
)


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    numbers: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


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
    except _Refusal as refusal:
        raise WeightsError(
            f"{where}: expected a PyTorch state file in the format from before PyTorch 1.6, found "
            f"{refusal}. Nothing of it was used: get the file again from where it came."
        ) from refusal


class _Refusal(Exception):  # noqa: N818 - never leaves this module
    """What was found in the file, as the end of a sentence."""


def _tensors(content: bytes) -> dict[str, np.ndarray[Any, Any]]:
    if not content:
        raise _Refusal("an empty file")
    if content.startswith(_ZIP):
        raise _Refusal(
            "the zip format of later versions (there, torch.save with "
            "_use_new_zipfile_serialization=False writes the old one)"
        )
    stream = io.BytesIO(content)
    _require(_unpickled(stream) == MAGIC, "no PyTorch magic number at its start")
    version = _unpickled(stream)
    _require(version == PROTOCOL, f"version {version!r} of the format instead of {PROTOCOL}")
    writer = _unpickled(stream)
    is_little = isinstance(writer, dict) and writer.get("little_endian") is True
    _require(is_little, "numbers that are not little-endian")
    storages: dict[str, _Storage] = {}
    state = _unpickled(stream, storages)
    starts = _starts(stream, content, _unpickled(stream), storages)
    _require(isinstance(state, dict), "something else than tensors by name")
    return {name: _array(name, tensor, content, starts) for name, tensor in state.items()}


def _require(condition: bool, found: str) -> None:
    if not condition:
        raise _Refusal(found)


def _starts(
    stream: io.BytesIO, content: bytes, keys: Any, storages: Mapping[str, _Storage]
) -> dict[str, int]:
    """Where in the file each storage's numbers begin; the file must end where the last one does."""
    is_keys = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    _require(is_keys and sorted(keys) == sorted(storages), "storages that no tensor, or two, named")
    starts: dict[str, int] = {}
    for key in keys:
        storage = storages[key]
        length = int.from_bytes(stream.read(8), "little", signed=True)
        _require(length == storage.numbers, f"a storage of {length} instead of {storage.numbers}")
        starts[key] = stream.tell()
        stream.seek(length * np.dtype(storage.dtype).itemsize, io.SEEK_CUR)
        _require(stream.tell() <= len(content), "the file cut short")
    _require(stream.tell() == len(content), "more after its last tensor")
    return starts


def _array(
    name: str, tensor: Any, content: bytes, starts: Mapping[str, int]
) -> np.ndarray[Any, Any]:
    _require(isinstance(tensor, _Tensor), f"no tensor under {name!r}")
    storage = tensor.storage
    dtype = np.dtype(storage.dtype)
    return np.ndarray(
        tensor.shape,
        dtype,
        buffer=content,
        offset=starts[storage.key] + tensor.offset * dtype.itemsize,
        strides=[stride * dtype.itemsize for stride in tensor.strides],
    )


def _unpickled(stream: io.BytesIO, storages: dict[str, _Storage] | None = None) -> Any:
    """The next pickle of the stream; the storages that it speaks of are added to `storages`."""
    machine = _Machine({} if storages is None else storages)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.do(opcode.name, argument)
    except ValueError as error:  # what pickletools makes of bytes that are no opcodes
        raise _Refusal(f"a broken or foreign file ({error})") from error
    return machine.result()


_MARK = object()
_LITERALS = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"})
_CONSTANTS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "NONE": lambda: None,
        "NEWTRUE": lambda: True,
        "NEWFALSE": lambda: False,
        "EMPTY_DICT": dict,
        "EMPTY_LIST": list,
        "EMPTY_TUPLE": tuple,
        "MARK": lambda: _MARK,
    }
)
_TUPLES = MappingProxyType({"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3})


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, storages: dict[str, _Storage]) -> None:
        self._storages = storages
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        """What the pickle held."""
        value = self._pop()
        _require(not self._stack, "a pickle that leaves something behind")
        return value

    def do(self, opcode: str, argument: Any) -> None:
        """One step."""
        if opcode in _LITERALS:
            self._stack.append(argument)
        elif opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode]())
        elif opcode in _TUPLES:
            self._stack.append(self._last(_TUPLES[opcode]))
        elif opcode == "GLOBAL":
            _require(argument in _NAMED, f"the name {argument!r}, which no state of tensors needs")
            self._stack.append(_NAMED[argument])
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._top()
        elif opcode in ("BINGET", "LONG_BINGET"):
            _require(argument in self._memo, "a reference to nothing")
            self._stack.append(self._memo[argument])
        elif opcode in _STEPS:
            _STEPS[opcode](self)
        else:
            _require(opcode in ("PROTO", "STOP"), f"the instruction {opcode}")

    def _top(self) -> Any:
        _require(bool(self._stack) and self._stack[-1] is not _MARK, "a broken pickle")
        return self._stack[-1]

    def _pop(self) -> Any:
        value = self._top()
        self._stack.pop()
        return value

    def _last(self, count: int) -> tuple[Any, ...]:
        return tuple(reversed([self._pop() for _ in range(count)]))

    def _since_mark(self) -> list[Any]:
        values: list[Any] = []
        while self._stack and self._stack[-1] is not _MARK:
            values.append(self._stack.pop())
        _require(bool(self._stack), "a broken pickle")
        self._stack.pop()
        return values[::-1]

    def _tuple(self) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        _require(isinstance(target, list), "an addition to what is no list")
        target.extend(values)

    def _update(self, keys_and_values: list[Any]) -> None:
        target = self._top()
        keys, values = keys_and_values[::2], keys_and_values[1::2]
        are_pairs = len(keys) == len(values) and all(isinstance(key, str) for key in keys)
        _require(isinstance(target, dict) and are_pairs, "something filed under what is no name")
        _require(not target.keys() & set(keys) and len(set(keys)) == len(keys), "a name used twice")
        target.update(zip(keys, values, strict=True))

    def _reduce(self) -> None:
        named, arguments = self._last(2)
        if named is _ORDERED_DICT and arguments == ():
            self._stack.append({})
        else:
            _require(named is _REBUILD, "a call that no state of tensors needs")
            self._stack.append(_tensor(arguments))

    def _build(self) -> None:
        """Tolerates what PyTorch hangs on a state, its modules' versions, and drops it."""
        state = self._pop()
        is_versions = isinstance(state, dict) and set(state) <= {"_metadata"}
        _require(isinstance(self._top(), dict) and is_versions, "attributes set on an object")

    def _persistent(self) -> None:
        storage = _storage(self._pop())
        known = self._storages.setdefault(storage.key, storage)
        _require(known == storage, f"two descriptions of storage {storage.key!r}")
        self._stack.append(storage)


_STEPS: Mapping[str, Callable[[_Machine], None]] = MappingProxyType(
    {
        "TUPLE": _Machine._tuple,
        "APPEND": lambda machine: machine._extend([machine._pop()]),
        "APPENDS": lambda machine: machine._extend(machine._since_mark()),
        "SETITEM": lambda machine: machine._update(list(machine._last(2))),
        "SETITEMS": lambda machine: machine._update(machine._since_mark()),
        "REDUCE": _Machine._reduce,
        "BUILD": _Machine._build,
        "BINPERSID": _Machine._persistent,
    }
)


def _storage(reference: Any) -> _Storage:
    """From ("storage", kind, key, device, numbers, None); the device does not matter here."""
    _require(isinstance(reference, tuple) and len(reference) == 6, "an unknown reference")
    tag, kind, key, device, numbers, view = reference
    is_known = (
        tag == "storage"
        and (isinstance(kind, _Named) and bool(kind.dtype))
        and (isinstance(key, str) and isinstance(device, str))
        and (_is_count(numbers) and view is None)
    )
    _require(is_known, "an unknown kind of storage")
    return _Storage(key, kind.dtype, numbers)


def _tensor(arguments: Any) -> _Tensor:
    """From (storage, offset, shape, strides, needs gradient, hooks), checked against its storage."""
    _require(isinstance(arguments, tuple) and len(arguments) == 6, "a tensor of unknown parts")
    storage, offset, shape, strides, _, hooks = arguments
    is_described = (
        isinstance(storage, _Storage)
        and _is_count(offset)
        and all(_are_counts(part) for part in (shape, strides))
        and len(shape) == len(strides) <= _MOST_DIMENSIONS
        and not hooks
    )
    _require(is_described, "a tensor of unknown parts")
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    is_inside = all(shape) and last < storage.numbers and math.prod(shape) <= storage.numbers
    _require(is_inside, f"a tensor of {shape} in a storage of {storage.numbers} numbers")
    # Where there is one row, PyTorch may write any stride to the next.
    strides = tuple(0 if side == 1 else s for side, s in zip(shape, strides, strict=True))
    return _Tensor(storage, offset, shape, strides)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63  # bool is an int too


def _are_counts(values: Any) -> bool:
    return isinstance(values, tuple) and all(_is_count(value) for value in values)
