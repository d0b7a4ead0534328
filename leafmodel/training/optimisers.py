"""What turns gradients into steps: Keras' Adam, or Ranger, which Keras does not have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from leafmodel.errors import ModelError
from leafmodel.training.improvements import Improvement
from leafmodel.training.phases import Phase
from leafmodel.training.schedules import learning_rate_of

BETA_1 = 0.9  # Adam's own (Kingma and Ba 2015, arXiv:1412.6980), kept by Liu et al.
BETA_2 = 0.999
EPSILON = 1e-8


def optimiser_of(phase: Phase, steps_per_epoch: int) -> Any:
    """The phase's `keras.optimizers.Optimizer`: Adam, or Ranger, at the phase's learning rate.

    Args:
        steps_per_epoch: batches; cyclical learning rates are measured in epochs.
    """
    learning_rate = learning_rate_of(phase, steps_per_epoch)
    if phase.has(Improvement.RANGER):
        return Ranger(learning_rate)
    return keras.optimizers.Adam(learning_rate)


@keras.saving.register_keras_serializable(package="leafmodel")
class Ranger(keras.optimizers.Optimizer):
    """Rectified Adam in rounds, after each of which the weights go part of the way back.

    A step is rectified Adam's (Liu et al. 2020, arXiv:1908.03265, algorithm 2): as long as too few
    gradients were seen for the variance of Adam's adaptive rate to be finite (rho <= 4, the first
    four steps), momentum alone; then Adam, scaled by r. The paper's own code waits for rho >= 5,
    one step longer; the algorithm as printed is followed here. It has no epsilon: here it stands
    where Adam's does, beside the root of the corrected second moment.

    After `sync_period` steps the weights become slow + slow_step * (weights - slow), where slow is
    what they were when the round began (Zhang et al. 2019, arXiv:1907.08610, algorithm 1). Weight
    decay and constraints belong to the steps, and the moments go on from round to round.

    Args:
        learning_rate: a float, or a Keras schedule.
        sync_period: steps in a round; the paper's k.
        slow_step: share of a round's way that is kept, above 0 up to 1; the paper's alpha.
        base: arguments of every Keras optimiser: `weight_decay`, `clipnorm`, ...

    Raises:
        ModelError: a round of no steps, or a slow step out of its range.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        sync_period: int = 6,
        slow_step: float = 0.5,
        **base: Any,
    ) -> None:
        if sync_period < 1 or not 0 < slow_step <= 1:
            raise ModelError(
                "Ranger needs sync_period of at least 1 and slow_step above 0 and at most 1, found "
                f"{sync_period!r} and {slow_step!r}."
            )
        super().__init__(learning_rate, **base)
        self._sync_period = sync_period
        self._slow_step = slow_step

    def build(self, variables: Sequence[Any]) -> None:
        """Make the state: both moments and the slow weights of each variable."""
        if self.built:
            return
        super().build(variables)
        self._momentum, self._velocity, self._slow = self.add_optimizer_variables(
            variables, ["momentum", "velocity", "slow"]
        )

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Do one step; lookahead goes around all of it, also weight decay and constraints."""
        if not self.built and trainable_variables is not None:
            self.build(list(trainable_variables))
        self._begin_round()
        super().apply(grads, trainable_variables)
        self._end_round()

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one variable as rectified Adam does."""
        gradient = ops.cast(gradient, variable.dtype)
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentum[index], self._velocity[index]
        self.assign_add(momentum, (gradient - momentum) * (1 - BETA_1))
        self.assign_add(velocity, (ops.square(gradient) - velocity) * (1 - BETA_2))

        def cast(scalar: Any) -> Any:
            return ops.cast(scalar, variable.dtype)

        step = ops.cast(self.iterations + 1, "float32")
        mean = momentum / cast(_seen(BETA_1, step))
        deviation = ops.sqrt(velocity / cast(_seen(BETA_2, step)))
        known, rectifier = _rectifier(step)
        change = ops.where(known, cast(rectifier) * mean / (deviation + EPSILON), mean)
        self.assign_sub(variable, cast(learning_rate) * change)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        own = {"sync_period": self._sync_period, "slow_step": self._slow_step}
        return {**super().get_config(), **own}

    def _begin_round(self) -> None:
        """Note the weights; here and not in `build`, after which others may still be loaded."""
        begins = self._between_rounds()
        for variable, slow in zip(self._trainable_variables, self._slow, strict=True):
            self.assign(slow, _noted(begins, variable, slow))

    def _end_round(self) -> None:
        ends = self._between_rounds()
        for variable, slow in zip(self._trainable_variables, self._slow, strict=True):
            self.assign(variable, _pulled(ends, variable, slow, self._slow_step))

    def _between_rounds(self) -> Any:
        """Whether a whole number of rounds is done.

        True more than once in a row while gradients are accumulated, which changes nothing: the
        weights stand still then.
        """
        return ops.equal(ops.mod(self.iterations, self._sync_period), 0)


# Conditions, and not `ops.where`, so that the steps within a round copy nothing.
def _noted(begins: Any, variable: Any, slow: Any) -> Any:
    weights, before = ops.convert_to_tensor(variable), ops.convert_to_tensor(slow)
    return ops.cond(begins, lambda: weights, lambda: before)


def _pulled(ends: Any, variable: Any, slow: Any, slow_step: float) -> Any:
    weights, before = ops.convert_to_tensor(variable), ops.convert_to_tensor(slow)
    return ops.cond(ends, lambda: before + slow_step * (weights - before), lambda: weights)


def _seen(beta: float, step: Any) -> Any:
    """1 - beta**step, without the digits that float32 would lose in the difference."""
    return -ops.expm1(step * math.log(beta))


def _rectifier(step: Any) -> tuple[Any, Any]:
    """Whether the variance of the adaptive rate is finite at a step, and the paper's r."""
    longest = 2 / (1 - BETA_2) - 1  # rho at infinity
    seen = _seen(BETA_2, step)
    rho = longest - 2 * step * (1 - seen) / seen
    ratio = (rho - 4) * (rho - 2) / rho * (longest / ((longest - 4) * (longest - 2)))
    return rho > 4, ops.sqrt(ops.maximum(ratio, 0))
