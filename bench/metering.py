"""How a training is metered on the backend of its process: which model, which meter, which clock.

The names of the clocks stand in each trial's record (`step_clock`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from bench.backends import Backend
from bench.completion import Arrivals, CompletionMeter, EagerMeter, HandOverMeter, watched
from bench.timing import EpochMeter, StepStamps, metered


@dataclass(frozen=True)
class Metering:
    """What meters one training.

    Attributes:
        step_clock: how steps are timed, for the record.
        model_class: from a model's class to one that its meter can see into.
        meter: makes the meter, from what `EpochMeter` takes.
        traces: 1, and one more for every trace after the first epoch; 1 where nothing is traced.
    """

    step_clock: str
    model_class: Callable[[type[Any]], type[Any]]
    meter: Callable[..., EpochMeter]
    traces: Callable[[], int] = lambda: 1


def metering(steps: int) -> Metering:
    """Of a training with so many steps an epoch."""
    return _METERINGS[Backend(keras.backend.backend())](steps)


def _tensorflow(steps: int) -> Metering:
    stamps = StepStamps(steps)
    return Metering(
        "begin_to_begin",
        lambda base: metered(stamps, base),
        lambda **given: EpochMeter(stamps=stamps, **given),
        lambda: stamps.traces,
    )


def _jax(_steps: int) -> Metering:
    arrivals = Arrivals()
    return Metering(
        "completion_to_completion",
        lambda base: watched(arrivals, base),
        lambda **given: CompletionMeter(arrivals, **given),
        lambda: arrivals.traces,
    )


def _torch(_steps: int) -> Metering:
    import torch

    if torch.cuda.is_available():
        return Metering("begin_to_begin, the host ahead", _as_it_is, HandOverMeter)
    return Metering("end_to_end", _as_it_is, EagerMeter)


def _as_it_is(base: type[Any]) -> type[Any]:
    return base


_METERINGS: dict[Backend, Callable[[int], Metering]] = {
    Backend.TENSORFLOW: _tensorflow,
    Backend.JAX: _jax,
    Backend.TORCH: _torch,
}
