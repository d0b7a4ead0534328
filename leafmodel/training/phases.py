"""What can be trained. Plain data, importable without TensorFlow.

A phase that is not listed can be written as a listed one with improvements and settings:
`finetune+mish`, `cnn+dropout=0.5+learning_rate=0.0003`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from leafmodel.errors import ModelError
from leafmodel.training.improvements import SHAPING, Improvement, require_compatible


@dataclass(frozen=True)
class Phase:
    """One model with its training.

    Attributes:
        name: as it was written; a phase with settings of its own has them in its name.
        filters: convolution filters, one a block; none where a backbone makes the features.
        dense_units: units of the dense layer before the softmax; 0 is no such layer.
        dropout: share of the units before the softmax dropped while training.
        learning_rate: of Adam (Kingma and Ba 2015, arXiv:1412.6980) or Ranger.
        unfreeze: blocks of the backbone, counted from its end, that train; 0 is a frozen backbone.
        after: the phase whose trained model this one continues; "" begins anew.
        improvements: in the order of `Improvement`.
        patience: epochs without a better validation loss before early stopping ends a training
            (never used while timing: every variant trains the same number of epochs).

    Raises:
        ModelError: a setting out of its range, or improvements that contradict each other.
    """

    name: str
    summary: str
    filters: tuple[int, ...] = ()
    dense_units: int = 512
    dropout: float = 0.3
    learning_rate: float = 1e-3
    unfreeze: int = 0
    after: str = ""
    improvements: tuple[Improvement, ...] = ()
    patience: int = 10

    def __post_init__(self) -> None:
        for setting, rule in _RULES.items():
            rule(setting, getattr(self, setting))
        if self.unfreeze and not self.has_backbone:
            raise ModelError(
                f"{self.name}: unfreeze={self.unfreeze} needs a backbone, and this phase trains a "
                "network from zero: leave unfreeze out, or choose finetune."
            )
        require_compatible(self.improvements)

    @property
    def has_backbone(self) -> bool:
        """Whether a pretrained network makes the features."""
        return not self.filters

    @property
    def is_frozen(self) -> bool:
        """Whether the backbone's output for an image never changes while this phase trains."""
        return self.has_backbone and self.unfreeze == 0

    def has(self, improvement: Improvement) -> bool:
        """Whether this phase uses an improvement."""
        return improvement in self.improvements

    def image_size(self, otherwise: int) -> int:
        """Side of its input in pixels: its own if an improvement sets one."""
        return 380 if self.has(Improvement.INPUT_380) else otherwise


def _within(low: float, high: float, *, open_: bool = False) -> Callable[[str, Any], None]:
    allowed = f"above {low:g} and below {high:g}" if open_ else f"from {low:g} to {high:g}"

    def check(setting: str, value: Any) -> None:
        inside = low < value < high if open_ else low <= value <= high
        if not inside:  # nor is nan
            raise ModelError(f"{setting} must be {allowed}, found {value!r}.")

    return check


_RULES: Mapping[str, Callable[[str, Any], None]] = {
    "dense_units": _within(0, 65_536),
    "dropout": _within(0, 0.95),
    "learning_rate": _within(0, 10, open_=True),
    "unfreeze": _within(0, 7),
    "patience": _within(1, 10_000),
}

_TRANSFER = Phase(
    name="transfer",
    summary="a new head on a frozen, pretrained backbone",
    learning_rate=1e-2,
)
_FINETUNE = Phase(
    name="finetune",
    summary="transfer continued with the backbone's last block unfrozen",
    learning_rate=1e-4,
    unfreeze=1,
    after="transfer",
)

PHASES: Mapping[str, Phase] = MappingProxyType(
    {
        "cnn": Phase(
            name="cnn",
            summary="the claim's simple CNN: five convolution blocks, dense 512, trained from zero",
            filters=(16, 32, 64, 128, 256),
        ),
        "transfer": _TRANSFER,
        "finetune": _FINETUNE,
        "improved": replace(
            _FINETUNE,
            name="improved",
            summary="finetune with label smoothing, Mish, Ranger and a falling learning rate",
            improvements=(
                Improvement.LABEL_SMOOTHING,
                Improvement.MISH,
                Improvement.RANGER,
                Improvement.REDUCE_LR,
            ),
        ),
    }
)
_SETTINGS: Mapping[str, Callable[[str], Any]] = {
    "dense_units": int,
    "dropout": float,
    "learning_rate": float,
    "unfreeze": int,
    "patience": int,
}


def phase(text: str) -> Phase:
    """The phase called `text`: a listed name, or `name+improvement+setting=value`.

    Raises:
        ModelError: unknown name, improvement or setting, or a phase that cannot be.
    """
    name, *changes = (part.strip() for part in text.split("+"))
    if name not in PHASES:
        raise ModelError(
            f"Unknown phase {name!r}. Known: {', '.join(PHASES)}; others are written "
            "name+improvement+setting=value, as in finetune+mish+unfreeze=2."
        )
    found = PHASES[name]
    for change in changes:
        found = _changed(found, change)
    return replace(found, name="+".join([name, *changes]), summary=_summary(found, changes))


def settings() -> tuple[str, ...]:
    """What can be written as `setting=value`."""
    return tuple(_SETTINGS)


def start_of(continuing: Phase) -> Phase | None:
    """The phase whose trained model `continuing` goes on from; None if it begins anew.

    It shares the improvements that shape the network and no others, so that phases with the same
    network start from equal weights.
    """
    if not continuing.after:
        return None
    before = PHASES[continuing.after]
    shared = tuple(item for item in continuing.improvements if item in SHAPING)
    shaped = replace(
        before, improvements=shared, dense_units=continuing.dense_units, dropout=continuing.dropout
    )
    return replace(shaped, name=_written(before, shaped))


def _changed(found: Phase, change: str) -> Phase:
    setting, separator, value = change.partition("=")
    if separator:
        return replace(found, **{setting: _value(setting, value)})
    if change not in list(Improvement):
        raise ModelError(
            f"Unknown improvement {change!r}. Known: {', '.join(Improvement)}; settings are "
            f"written setting=value: {', '.join(_SETTINGS)}."
        )
    chosen = {*found.improvements, Improvement(change)}
    return replace(found, improvements=tuple(item for item in Improvement if item in chosen))


def _value(setting: str, text: str) -> Any:
    if setting not in _SETTINGS:
        raise ModelError(f"Unknown setting {setting!r}. Known: {', '.join(_SETTINGS)}.")
    kind = _SETTINGS[setting]
    try:
        return kind(text)
    except ValueError as error:
        wanted = "a whole number" if kind is int else "a number"
        raise ModelError(f"{setting} must be {wanted}, found {text!r}.") from error


def _summary(found: Phase, changes: list[str]) -> str:
    return f"{found.summary}; with {', '.join(changes)}" if changes else found.summary


def _written(before: Phase, shaped: Phase) -> str:
    """The name under which `phase` gives `shaped` again."""
    parts = [before.name, *shaped.improvements]
    parts += [
        f"{field.name}={getattr(shaped, field.name)}"
        for field in fields(Phase)
        if field.name in _SETTINGS and getattr(shaped, field.name) != getattr(before, field.name)
    ]
    return "+".join(parts)
