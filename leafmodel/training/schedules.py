"""How the learning rate moves: not at all, in cycles, or down when the validation stands still."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from leafmodel.training.improvements import Improvement
from leafmodel.training.phases import Phase

HALF_CYCLE_EPOCHS = 2  # Smith suggests 2 to 10; the least, so that a short training sees a cycle
BASE_SHARE = 0.1  # of the top, where a cycle begins and ends


def learning_rate_of(phase: Phase, steps_per_epoch: int) -> Any:
    """A constant, or a `Cyclical` that begins at a tenth of the phase's rate and climbs up to it.

    Args:
        steps_per_epoch: batches; half a cycle takes two epochs.
    """
    if phase.has(Improvement.TRIANGULAR) or phase.has(Improvement.TRIANGULAR2):
        return Cyclical(
            base=BASE_SHARE * phase.learning_rate,
            top=phase.learning_rate,
            half_cycle_steps=HALF_CYCLE_EPOCHS * steps_per_epoch,
            halving=phase.has(Improvement.TRIANGULAR2),
        )
    return float(phase.learning_rate)


def plateau(phase: Phase) -> tuple[Any, ...]:
    """The callbacks that lower the learning rate: one with reduce_lr, else none.

    A fifth after 3 epochs without a lower `val_loss`, down to 1e-7; whatever adds `val_loss` to
    the epoch's logs has to stand before it among the callbacks.
    """
    if not phase.has(Improvement.REDUCE_LR):
        return ()
    return (
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=3, min_lr=1e-7),
    )


@keras.saving.register_keras_serializable(package="leafmodel")
class Cyclical(keras.optimizers.schedules.LearningRateSchedule):
    """Triangles between two learning rates (Smith 2017, arXiv:1506.01186, section 3.1).

    Args:
        base: where each triangle begins and ends.
        top: the peak of the first one.
        half_cycle_steps: steps from base to peak, and from peak to base; Smith's `stepsize`.
        halving: each triangle is half as high as the one before (`triangular2`).
    """

    def __init__(
        self, base: float, top: float, half_cycle_steps: int, halving: bool = False
    ) -> None:
        self._base = base
        self._top = top
        self._half_cycle_steps = half_cycle_steps
        self._halving = halving

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step, counted from 0; a float32 scalar."""
        cycle_steps = 2 * self._half_cycle_steps
        # Whole numbers until here: float32 would lose steps in long trainings.
        into_cycle = ops.cast(ops.mod(step, cycle_steps), "float32")
        height = 1 - ops.abs(into_cycle / self._half_cycle_steps - 1)
        if self._halving:
            cycle = ops.cast(ops.floor_divide(step, cycle_steps), "float32")
            height = height * ops.power(0.5, cycle)
        return self._base + (self._top - self._base) * height

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            "base": self._base,
            "top": self._top,
            "half_cycle_steps": self._half_cycle_steps,
            "halving": self._halving,
        }
