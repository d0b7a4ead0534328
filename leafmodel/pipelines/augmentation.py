"""The layers that augment, by the form and the place that a spec names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from leafmodel.augment import FusedAugmentation, stock_augmentation
from leafmodel.pipelines.spec import Augment, AugmentForm, PipelineSpec

Layers = tuple[Any, ...]

_FORMS: Mapping[AugmentForm, Callable[[int], Layers]] = MappingProxyType(
    {
        AugmentForm.STOCK: stock_augmentation,
        AugmentForm.FUSED: lambda seed: (FusedAugmentation(seed=seed),),
    }
)


def augmentation_at(place: Augment, spec: PipelineSpec, seed: int) -> Layers:
    """The Keras layers that augment there; none where the spec augments elsewhere or nowhere."""
    return _FORMS[spec.augment_form](seed) if spec.augment is place else ()
