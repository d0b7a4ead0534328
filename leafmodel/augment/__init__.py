"""The claim's augmentation: its numbers, the five stock layers, their fused form, the CPU form."""

from leafmodel.augment.claim import CLAIM, Augmentation
from leafmodel.augment.fused import FusedAugmentation
from leafmodel.augment.stock import stock_augmentation

__all__ = ["CLAIM", "Augmentation", "FusedAugmentation", "stock_augmentation"]
