"""The hyperparameters of the study, their levels, and what a point among them trains. Plain data.

Levels rather than ranges: they read well in a name, a table and a figure, and each is tried several
times. Learning rate, batch size and units are spaced by factors, because they act by factors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from leafmodel.training.phases import PHASES, Phase, phase

PHASE = "cnn"
DEFAULT_BATCH = 64  # the claim's


@dataclass(frozen=True)
class Hyperparameter:
    """One axis of the space.

    Attributes:
        name: as `Setting` and KerasTuner know it.
        label: as people read it.
        levels: the values that are tried, ascending.
        log: whether it acts by factors.
    """

    name: str
    label: str
    levels: tuple[float, ...]
    log: bool

    def natural(self, value: float) -> float:
        """The value on the scale on which it acts."""
        return math.log2(value) if self.log else value

    def level_at(self, natural: float) -> float:
        """The level that is nearest on that scale."""
        return min(self.levels, key=lambda level: abs(self.natural(level) - natural))


SPACE: tuple[Hyperparameter, ...] = (
    Hyperparameter("dropout", "dropout", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), log=False),
    Hyperparameter(
        "learning_rate", "learning rate", (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2), log=True
    ),
    Hyperparameter("batch_size", "batch size", (8, 16, 32, 64, 128), log=True),
    Hyperparameter("dense_units", "dense units", (64, 128, 256, 512, 1024), log=True),
)
AXES: Mapping[str, Hyperparameter] = MappingProxyType({axis.name: axis for axis in SPACE})


@dataclass(frozen=True)
class Setting:
    """A point of the space: what one training is given."""

    dropout: float
    learning_rate: float
    batch_size: int
    dense_units: int

    @property
    def phase(self) -> str:
        """The phase that trains it: `cnn` with what differs from the listed one."""
        listed = PHASES[PHASE]
        changes = [
            f"{name}={getattr(self, name):g}"
            for name in ("dropout", "learning_rate", "dense_units")
            if getattr(self, name) != getattr(listed, name)
        ]
        return "+".join([PHASE, *changes])

    @property
    def text(self) -> str:
        """All four values in words."""
        return ", ".join(f"{axis.label} {getattr(self, axis.name):g}" for axis in SPACE)


def setting_of(phase_text: str, batch_size: int) -> Setting:
    """The point that a trial's phase and batch size stand for."""
    return _setting(phase(phase_text), batch_size)


def setting_from(values: Mapping[str, Any]) -> Setting:
    """The point that KerasTuner's values stand for."""
    return Setting(
        dropout=float(values["dropout"]),
        learning_rate=float(values["learning_rate"]),
        batch_size=int(values["batch_size"]),
        dense_units=int(values["dense_units"]),
    )


def _setting(found: Phase, batch_size: int) -> Setting:
    return Setting(found.dropout, found.learning_rate, batch_size, found.dense_units)


DEFAULT = _setting(PHASES[PHASE], DEFAULT_BATCH)
