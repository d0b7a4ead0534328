"""A reader of pickles that can build descriptions of tensors, and nothing else.

Python's own unpickler calls what a file names, and trusts the sizes that it gives. This one works
on the opcodes that `pickletools` finds. It knows the few that a state of tensors needs, and of the
names in the file only those of `_NAMED`, which stay names: nothing that came from the file is ever
called or imported. It builds strings, integers, tuples, lists, dicts with names as keys, and
descriptions of tensors that were checked against their storage.

Source: https://docs.python.org/3/library/pickletools.html
"""

from __future__ import annotations

import io
import math
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_MOST_DIMENSIONS = 8
_MOST_STEPS = 500_000  # a state of 386 tensors takes 14,000; each may leave 100 bytes in memory
_MARK = object()


class Refusal(Exception):  # noqa: N818 - an answer to `torch_state`, which makes the error of it
    """What was found in a file and refused, as the end of a sentence."""


def require(condition: bool, found: str) -> None:
    """Refuse what was `found` unless the condition holds.

    Raises:
        Refusal: it does not.
    """
    if not condition:
        raise Refusal(found)


@dataclass(frozen=True)
class _Named:
    """A Python object that a file names.

    Attributes:
        dtype: of the numbers, where it is a kind of storage.
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
class Storage:
    """Numbers in a row, somewhere else in the file."""

    key: str
    dtype: str
    numbers: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; offset and strides count numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def unpickled(stream: io.BytesIO, storages: dict[str, Storage]) -> Any:
    """The next pickle of the stream; the storages that it speaks of are added to `storages`.

    Raises:
        Refusal: it is broken, or says anything that a state of tensors does not need.
    """
    machine = _Machine(storages)
    try:
        for step, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            require(step < _MOST_STEPS, f"more than {_MOST_STEPS:,} instructions")
            require(opcode.name in _STEPS, f"the instruction {opcode.name}")
            _STEPS[opcode.name](machine, argument)
    except ValueError as error:  # what pickletools makes of bytes that are no opcodes
        raise Refusal(f"a broken or foreign file ({error})") from error
    return machine.result()


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, storages: dict[str, Storage]) -> None:
        self._storages = storages
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        value = self.pop()
        require(not self._stack, "a pickle that leaves something behind")
        return value

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def top(self) -> Any:
        require(bool(self._stack) and self._stack[-1] is not _MARK, "a broken pickle")
        return self._stack[-1]

    def pop(self) -> Any:
        value = self.top()
        self._stack.pop()
        return value

    def last(self, count: int) -> tuple[Any, ...]:
        return tuple(self.pop() for _ in range(count))[::-1]

    def since_mark(self) -> tuple[Any, ...]:
        values = []
        while self._stack and self._stack[-1] is not _MARK:
            values.append(self._stack.pop())
        require(bool(self._stack), "a broken pickle")
        self._stack.pop()
        return tuple(values[::-1])

    def remember(self, place: int) -> None:
        self._memo[place] = self.top()

    def recall(self, place: int) -> None:
        require(place in self._memo, "a reference to nothing")
        self.push(self._memo[place])

    def name(self, name: str) -> None:
        require(name in _NAMED, f"the name {name[:80]!r}, which no state of tensors needs")
        self.push(_NAMED[name])

    def extend(self, values: tuple[Any, ...]) -> None:
        target = self.top()
        require(isinstance(target, list), "an addition to what is no list")
        target.extend(values)

    def update(self, items: tuple[Any, ...]) -> None:
        target, keys, values = self.top(), items[::2], items[1::2]
        are_names = all(isinstance(key, str) for key in keys) and len(keys) == len(values)
        require(isinstance(target, dict) and are_names, "something filed under what is no name")
        for key, value in zip(keys, values, strict=True):
            require(key not in target, f"the name {key[:80]!r} twice")
            target[key] = value

    def call(self) -> None:
        """An empty dict or a tensor; nothing is called."""
        named, arguments = self.last(2)
        if named is _ORDERED_DICT and arguments == ():
            self.push({})
        else:
            require(named is _REBUILD, "a call that no state of tensors needs")
            self.push(_tensor(arguments))

    def set_attributes(self) -> None:
        """PyTorch hangs its modules' versions on a state: they are dropped, all else is refused."""
        attributes = self.pop()
        are_versions = isinstance(attributes, dict) and set(attributes) == {"_metadata"}
        require(isinstance(self.top(), dict) and are_versions, "attributes set on an object")

    def refer(self) -> None:
        storage = _storage(self.pop())
        known = self._storages.setdefault(storage.key, storage)
        require(known == storage, f"two descriptions of storage {storage.key[:80]!r}")
        self.push(storage)


_Step = Callable[[_Machine, Any], None]


def _do(step: Callable[[_Machine], None]) -> _Step:
    """A step that takes no argument."""
    return lambda machine, _: step(machine)


_push: _Step = _Machine.push
_STEPS: Mapping[str, _Step] = MappingProxyType(
    {
        "PROTO": lambda *_: None,
        "STOP": lambda *_: None,
        "BININT": _push,
        "BININT1": _push,
        "BININT2": _push,
        "LONG1": _push,
        "BINUNICODE": _push,
        "NONE": _push,  # pickletools gives it None
        "NEWTRUE": _do(lambda machine: machine.push(True)),
        "NEWFALSE": _do(lambda machine: machine.push(False)),
        "EMPTY_DICT": _do(lambda machine: machine.push({})),
        "EMPTY_LIST": _do(lambda machine: machine.push([])),
        "EMPTY_TUPLE": _do(lambda machine: machine.push(())),
        "MARK": _do(lambda machine: machine.push(_MARK)),
        "TUPLE": _do(lambda machine: machine.push(machine.since_mark())),
        "TUPLE1": _do(lambda machine: machine.push(machine.last(1))),
        "TUPLE2": _do(lambda machine: machine.push(machine.last(2))),
        "TUPLE3": _do(lambda machine: machine.push(machine.last(3))),
        "APPEND": _do(lambda machine: machine.extend(machine.last(1))),
        "APPENDS": _do(lambda machine: machine.extend(machine.since_mark())),
        "SETITEM": _do(lambda machine: machine.update(machine.last(2))),
        "SETITEMS": _do(lambda machine: machine.update(machine.since_mark())),
        "BINPUT": _Machine.remember,
        "LONG_BINPUT": _Machine.remember,
        "BINGET": _Machine.recall,
        "LONG_BINGET": _Machine.recall,
        "GLOBAL": _Machine.name,
        "BINPERSID": _do(_Machine.refer),
        "REDUCE": _do(_Machine.call),
        "BUILD": _do(_Machine.set_attributes),
    }
)


def _storage(reference: Any) -> Storage:
    """From ("storage", kind, key, device, numbers, None); the device does not matter here."""
    require(isinstance(reference, tuple) and len(reference) == 6, "an unknown reference")
    tag, kind, key, device, numbers, view = reference
    is_known = (
        (isinstance(tag, str) and tag == "storage")
        and (isinstance(kind, _Named) and bool(kind.dtype))
        and (isinstance(key, str) and isinstance(device, str))
        and (_is_count(numbers) and view is None)
    )
    require(is_known, "an unknown kind of storage")
    return Storage(key, kind.dtype, numbers)


def _tensor(arguments: Any) -> Tensor:
    """From (storage, offset, shape, strides, needs gradient, hooks), if inside its storage."""
    require(isinstance(arguments, tuple) and len(arguments) == 6, "a tensor of unknown parts")
    storage, offset, shape, strides, _, hooks = arguments
    is_described = (
        isinstance(storage, Storage)
        and _is_count(offset)
        and (_are_counts(shape) and _are_counts(strides))
        and len(shape) == len(strides) <= _MOST_DIMENSIONS
        and (isinstance(hooks, dict) and not hooks)
    )
    require(is_described, "a tensor of unknown parts")
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    is_inside = all(shape) and last < storage.numbers and math.prod(shape) <= storage.numbers
    require(is_inside, f"a tensor of {shape} in a storage of {storage.numbers} numbers")
    # PyTorch may write any stride where there is one row only.
    strides = tuple(0 if side == 1 else s for side, s in zip(shape, strides, strict=True))
    return Tensor(storage, offset, shape, strides)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63  # True is an int too


def _are_counts(values: Any) -> bool:
    return isinstance(values, tuple) and all(_is_count(value) for value in values)
