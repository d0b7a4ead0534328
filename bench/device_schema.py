"""What a device that only takes time needs: a profile, and what follows from it for one trial.

A profile is a measured device, one derived on paper, or one made up; each number has its source and
a range, whose ends are equal where the number is known. All times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from leafmodel.pipelines.spec import AugmentForm

NS_PER_S = 1_000_000_000


class End(StrEnum):
    """Which end of a profile's ranges is used; the middle is their geometric mean."""

    FAST = "fast"
    MIDDLE = "middle"
    SLOW = "slow"


@dataclass(frozen=True)
class Range:
    """A time between `low` and `high`, and where that was learnt."""

    low: float
    high: float
    source: str

    def at(self, end: End) -> float:
        """The time at an end of the range: the fast one is the low one."""
        if end is End.MIDDLE:
            return math.sqrt(self.low * self.high)
        return self.low if end is End.FAST else self.high


FREE = Range(0.0, 0.0, "not given, so taken to cost nothing")


@dataclass(frozen=True)
class Cost:
    """The time of one step: `step_s` whatever its batch, and `image_s` for each of its images."""

    step_s: Range = FREE
    image_s: Range = FREE


@dataclass(frozen=True)
class StepCost:
    """What a training step costs without augmentation.

    `phase` and `precision` are empty, `image_size` 0, where it holds for any.
    """

    phase: str
    precision: str
    image_size: int
    cost: Cost


@dataclass(frozen=True)
class Transfer:
    """The time of bringing a batch to the device: `step_s`, and `byte_s` for each of its bytes."""

    step_s: Range = FREE
    byte_s: Range = FREE


@dataclass(frozen=True)
class DeviceProfile:
    """A device.

    Attributes:
        name: as it was asked for: `emulated:step=51ms`, or a profile's name or path.
        end: which end of the ranges counts.
        ahead: batches that may be handed over to it and not be done while the next one is made;
            0 is a device that is waited for in every step.
        augmentation: what the model's augmentation adds to a step, by its form.
    """

    name: str
    summary: str
    end: End
    ahead: int
    steps: tuple[StepCost, ...]
    transfer: Transfer
    augmentation: Mapping[AugmentForm, Cost] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The device as it is named beside every number: `emulated device p100_class:slow`."""
        return f"emulated device {self.name.removeprefix('emulated:')}"


@dataclass(frozen=True)
class DeviceTimes:
    """What the device takes in one trial: its phase, precision and augmentation resolved.

    A step of n images, b bytes in all, keeps it busy for `transfer_s` + b x `byte_s` + `step_s` +
    n x `image_s`.
    """

    name: str
    step_s: float
    image_s: float
    transfer_s: float
    byte_s: float
    ahead: int

    def compute_ns(self, images: int) -> int:
        """Of a step on a batch that is there already; at least 1."""
        return max(1, round(NS_PER_S * (self.step_s + images * self.image_s)))

    def busy_ns(self, images: int, size_bytes: int) -> int:
        """Of a step, its batch's transfer included; at least 1."""
        transfer_ns = round(NS_PER_S * (self.transfer_s + size_bytes * self.byte_s))
        return transfer_ns + self.compute_ns(images)


@dataclass(frozen=True)
class SweepSpec:
    """The emulated devices on which a run's pipelines are tried behind its measured trials.

    Attributes:
        steps: what a full batch's step takes on each, as `--device` takes it (`51ms`), a device
            each; none where the suite's sweep was declined.
        variants: tried beside the claim's two, and held against its baseline, too.
        blocks, epochs: of each device's run.
    """

    steps: tuple[str, ...]
    variants: tuple[str, ...] = ()
    blocks: int = 1
    epochs: int = 1
