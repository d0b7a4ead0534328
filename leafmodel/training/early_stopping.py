"""When a training ends by itself, which of its epochs was the best, and how that survives a stop.

Never used while timing: every variant trains the same number of epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from leafmodel.training.history import EpochResult
from leafmodel.training.phases import Phase


def early_stopping(phase: Phase) -> Any:
    """The callback that ends a training after `phase.patience` epochs without a lower `val_loss`.

    Whatever adds `val_loss` to the epoch's logs has to stand before it. It restores no weights:
    those of the best epoch lie in its checkpoint, where a killed process cannot lose them.
    """
    return keras.callbacks.EarlyStopping(monitor="val_loss", mode="min", patience=phase.patience)


class Replay(keras.callbacks.Callback):
    """Shows callbacks the epochs that an earlier process trained, so that they go on from there.

    A callback that decides from epoch to epoch (early stopping, a plateau) holds its counters in
    memory, and forgets them when `fit` begins. This one has to stand behind them.

    Args:
        history: the epochs, in their order.
        deciding: the callbacks that see them.
        restore: called afterwards. A plateau that sees old epochs lowers the learning rate once
            more; this puts the optimiser's state, learning rate included, to what was saved.
    """

    def __init__(
        self,
        history: Sequence[EpochResult],
        deciding: Sequence[Any],
        restore: Callable[[], None],
    ) -> None:
        super().__init__()
        self._history = history
        self._deciding = deciding
        self._restore = restore

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Replay, then restore."""
        for result in self._history:
            for callback in self._deciding:
                callback.on_epoch_end(result.epoch - 1, result.logs())
        self._restore()
