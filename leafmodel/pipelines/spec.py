"""What an input pipeline is: a point on named axes, as plain data.

A spec that cannot exist (a resident data set with a map, a cache behind a random augmentation) is
refused when it is made, with the axis to change. Whether a built pipeline *is* what its spec says
is another question: `leafmodel.pipelines.proof` answers it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from leafmodel.pipelines import rules
from leafmodel.pipelines.axis_values import (
    ALL_CORES,
    AUTOTUNE,
    NAMED_COUNTS,
    Augment,
    AugmentForm,
    Axes,
    Cache,
    Decode,
    Delivers,
    Loader,
    Resize,
    Workers,
    axis_text,
)

__all__ = [
    "ALL_CORES",
    "AUTOTUNE",
    "NAMED_COUNTS",
    "Augment",
    "AugmentForm",
    "Cache",
    "Decode",
    "Delivers",
    "Loader",
    "PipelineSpec",
    "Resize",
    "Workers",
    "axis_text",
]


@dataclass(frozen=True)
class PipelineSpec(Axes):
    """One input pipeline: values on the axes that go together.

    Raises:
        PipelineError: the combination cannot exist; the message names the axis to change.
    """

    def __post_init__(self) -> None:
        rules.check(self)

    def evolve(self, **axes: Any) -> PipelineSpec:
        """The same pipeline with some axes changed; checked like any other."""
        return replace(self, **axes)

    def without_augmentation(self) -> PipelineSpec:
        """The same pipeline, augmenting nowhere."""
        return self.evolve(
            augment=Augment.NONE,
            augment_form=AugmentForm.STOCK,
            feature_passes=min(1, self.feature_passes),
        )

    @property
    def needs_frozen_backbone(self) -> bool:
        """Whether it only works while an image's features never change."""
        return self.loader is Loader.FEATURES

    @property
    def is_on_device(self) -> bool:
        """Whether the device holds what the steps use, so that no pipeline runs."""
        return self.loader in (Loader.RESIDENT, Loader.FEATURES)
