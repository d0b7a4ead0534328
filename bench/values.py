"""A value that a user gave becomes a typed one, or an error: where it stands, what it must be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bench.backends import Backend
from bench.errors import ConfigError
from bench.schema import ProfileMode
from bench.variants import VARIANTS, variant
from leafmodel.errors import ModelError, ServiceError
from leafmodel.service.address import parse as parse_address
from leafmodel.training.phases import PHASES, phase


@dataclass(frozen=True)
class Given:
    """A value and where the user gave it (`--blocks`, or a key of a file): for messages."""

    value: Any
    where: str


def parse_target(text: object) -> float:
    """A claim's target: `7x`, `7`, `7.0` or a number.

    Raises:
        ValueError: not a finite number above 0.
    """
    cleaned = str(text).strip().lower().removesuffix("x")
    if isinstance(text, bool) or not re.fullmatch(r"\d+(\.\d*)?|\.\d+", cleaned):
        raise ValueError(f"expected a factor such as 7x or 2.5, found {text!r}")
    target = float(cleaned)
    if target <= 0:
        raise ValueError(f"expected a factor above 0, found {text!r}")
    return target


def suggestion(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing if no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def refused(given: Given, expected: str) -> ConfigError:
    """The error that says where a value was given and what it must be."""
    return ConfigError(f"{given.where} must be {expected}, found {given.value!r}.")


def count(least: int, most: int | None = None) -> Callable[[Given], int]:
    """A parser of whole numbers within bounds."""
    bounds = f"of {least} or more" if most is None else f"from {least} to {most}"

    def parse(given: Given) -> int:
        value = given.value
        if isinstance(value, bool) or not isinstance(value, int):
            raise refused(given, f"a whole number {bounds}")
        if value < least or (most is not None and value > most):
            raise refused(given, f"a whole number {bounds}")
        return value

    return parse


def flag(given: Given) -> bool:
    """True or false."""
    if not isinstance(given.value, bool):
        raise refused(given, "true or false")
    return given.value


def text(given: Given) -> str:
    """A text that is not empty."""
    if not isinstance(given.value, str) or not given.value.strip():
        raise refused(given, "a text that is not empty")
    return given.value


def seconds(given: Given) -> float:
    """A number of seconds."""
    value = given.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise refused(given, "a number of seconds above 0")
    return float(value)


def profile(given: Given) -> ProfileMode:
    """Which variants are profiled."""
    try:
        return ProfileMode(given.value)
    except ValueError as error:
        raise refused(given, f"one of {', '.join(ProfileMode)}") from error


def service(given: Given) -> str:
    """The address of a tf.data service, or a ConfigError."""
    try:
        return str(parse_address(text(given)))
    except ServiceError as error:
        raise ConfigError(f"{given.where}: {error}") from error


def backend(given: Given) -> Backend:
    """What Keras trains on."""
    try:
        return Backend(given.value)
    except ValueError as error:
        raise refused(given, f"one of {', '.join(Backend)}") from error


def target(given: Given) -> float:
    """A claim's target."""
    try:
        return parse_target(given.value)
    except ValueError as error:
        raise ConfigError(f"{given.where}: {error}.") from error


def names(given: Given) -> tuple[str, ...]:
    """A list of names, or one text with commas; each name once."""
    raw = given.value.split(",") if isinstance(given.value, str) else given.value
    if not isinstance(raw, list | tuple) or not all(isinstance(name, str) for name in raw):
        raise refused(given, "a list of names")
    found = tuple(name.strip() for name in raw if name.strip())
    if not found:
        raise refused(given, "a list of at least one name")
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise ConfigError(f"{given.where} lists {', '.join(twice)} twice: name each once.")
    return found


def variants(given: Given) -> tuple[str, ...]:
    """Names of variants that can be."""
    found = names(given)
    for name in found:
        try:
            variant(name)
        except ConfigError as error:
            hint = suggestion(name.split("+")[0], VARIANTS) if "Unknown" in str(error) else ""
            raise ConfigError(f"{given.where}: {error}{hint}") from error
    return found


def phases(given: Given) -> tuple[str, ...]:
    """Names of phases that can be."""
    found = names(given)
    for name in found:
        try:
            phase(name)
        except ModelError as error:
            hint = suggestion(name.split("+")[0], PHASES) if "phase" in str(error) else ""
            raise ConfigError(f"{given.where}: {error}{hint}") from error
    return found


def accuracy(given: Given) -> float:
    """A share (0.9) or a percentage (90%)."""
    text = str(given.value).strip()
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as error:
        raise refused(given, "an accuracy such as 0.9 or 90%") from error
    if isinstance(given.value, bool) or not 0 < value <= 1:
        raise refused(given, "an accuracy above 0 and at most 1 (0.9 or 90%)")
    return value
