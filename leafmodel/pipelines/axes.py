"""The axes of a pipeline as a person writes them: what there is on each, and texts into values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum

from leafmodel.errors import PipelineError
from leafmodel.pipelines.spec import (
    NAMED_COUNTS,
    Augment,
    AugmentForm,
    Cache,
    Decode,
    Delivers,
    Loader,
    PipelineSpec,
    Resize,
    Workers,
)

_COUNTS: Mapping[str, Mapping[str, int]] = {
    **NAMED_COUNTS,
    "feature_passes": {},
    "service_workers": {},
}

_CHOICES: Mapping[str, type[StrEnum]] = {
    "loader": Loader,
    "cache": Cache,
    "augment": Augment,
    "augment_form": AugmentForm,
    "resize": Resize,
    "decode": Decode,
    "delivers": Delivers,
    "workers": Workers,
}


def axes() -> dict[str, str]:
    """Each axis with the values that it takes, as a person writes them."""
    texts = {axis: ", ".join(choices) for axis, choices in _CHOICES.items()}
    texts |= {axis: ", ".join(("a count", *named)) for axis, named in _COUNTS.items()}
    texts["autotune"] = "true, false"
    return {field.name: texts[field.name] for field in fields(PipelineSpec)}


def parse_axis(axis: str, text: str) -> object:
    """The reverse of `axis_text`.

    Raises:
        PipelineError: no such axis, or no such value on it; the message lists what there is.
    """
    if axis in _CHOICES:
        return _parse_choice(axis, text, _CHOICES[axis])
    if axis == "autotune":
        return _parse_choice(axis, text, {"true": True, "false": False})
    if axis in _COUNTS:
        return _parse_count(axis, text)
    raise PipelineError(f"There is no axis {axis!r}; expected one of: {', '.join(axes())}.")


def _parse_choice(axis: str, text: str, choices: type[StrEnum] | Mapping[str, object]) -> object:
    table = choices if isinstance(choices, Mapping) else {str(item): item for item in choices}
    if text not in table:
        raise PipelineError(f"{axis} must be one of {', '.join(table)}; found {text!r}.")
    return table[text]


def _parse_count(axis: str, text: str) -> int:
    named = _COUNTS[axis]
    if text in named:
        return named[text]
    if text.isdecimal():
        return int(text)
    choices = f" or one of {', '.join(named)}" if named else ""
    raise PipelineError(f"{axis} must be a count{choices}; found {text!r}.")
