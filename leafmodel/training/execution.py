"""How a model's steps are executed, whatever feeds them. Plain data, importable without TensorFlow.

None of this is an input pipeline: it changes what the device has to do, and with it the ceiling
that a pipeline is held against.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType

from leafmodel.errors import ModelError

MOST_STEPS = 10_000


class Precision(StrEnum):
    """Keras' policy for the network: what it computes in. Weights are float32 in both."""

    FLOAT32 = "float32"
    MIXED_BFLOAT16 = "mixed_bfloat16"


@dataclass(frozen=True)
class Execution:
    """How steps are executed; the default is how every variant is unless it says otherwise.

    Attributes:
        steps_per_execution: steps that run between two returns to Python.
        precision: of the network, augmentation apart.
        jit_compile: whether XLA compiles the step.

    Raises:
        ModelError: a count of steps out of its range.
    """

    steps_per_execution: int = 1
    precision: Precision = Precision.FLOAT32
    jit_compile: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.steps_per_execution <= MOST_STEPS:
            raise ModelError(
                f"steps_per_execution must be from 1 to {MOST_STEPS}, found "
                f"{self.steps_per_execution}."
            )

    @property
    def changes(self) -> tuple[str, ...]:
        """What is not as usual, as a person writes it: `steps_per_execution=4`."""
        return tuple(
            f"{field.name}={_text(getattr(self, field.name))}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        )


AS_USUAL = Execution()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def axes() -> dict[str, str]:
    """What can be changed, each with the values that it takes."""
    return {
        "steps_per_execution": "a count",
        "precision": ", ".join(Precision),
        "jit_compile": "true, false",
    }


def parse(changes: Mapping[str, str]) -> Execution:
    """The execution with these axes changed; the reverse of `Execution.changes`.

    Raises:
        ModelError: no such value; the message lists what there is.
    """
    found = {axis: _PARSERS[axis](axis, text) for axis, text in changes.items()}
    return Execution(**found)  # type: ignore[arg-type]


def _count(axis: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise ModelError(f"{axis} must be a count, found {text!r}.")
    return int(text)


def _chosen(axis: str, text: str) -> object:
    if text not in _CHOICES[axis]:
        raise ModelError(f"{axis} must be one of {', '.join(_CHOICES[axis])}; found {text!r}.")
    return _CHOICES[axis][text]


_CHOICES: Mapping[str, Mapping[str, object]] = {
    "precision": {str(item): item for item in Precision},
    "jit_compile": {"true": True, "false": False},
}
_PARSERS: Mapping[str, Callable[[str, str], object]] = MappingProxyType(
    {"steps_per_execution": _count, "precision": _chosen, "jit_compile": _chosen}
)
