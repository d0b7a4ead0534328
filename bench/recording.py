"""A training that is not ours, recorded by a callback: what `bench.recorder` gives to `fit`.

Only what a callback can see is recorded: steps from begin to begin, epochs with their boundaries,
accuracy, memory. How long a step waits for its batch stays unknown (`wait_ns` is None), and so does
what `fit` does before the first epoch.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from bench.accounting import Account, peak_rss_bytes, versions
from bench.codec import encode
from bench.errors import EXIT_USAGE, BenchError, ConfigError, StoreError
from bench.schema import SCHEMA_VERSION, TrialKind, TrialRecord, TrialSpec, TrialStatus
from bench.slowdown import Clock, Slowdown
from bench.store import storing, write_whole
from bench.timing import Clocks, EpochMeter
from bench.turns import Place, await_turn, is_conducted
from leafmodel.pipelines.spec import PipelineSpec

_NO_STAGE = "the pipeline of a recorded training is not ours to add a stage to"


class Recording(EpochMeter):
    """Writes the record of one `fit` when it ends.

    A training that is conducted (see `bench.turns`) waits for its turn before each epoch, and is
    made slower where it is told to: when the epoch ends (`boundary`), or when Keras says that a
    step has ended (`model`). The latter is on the host: where steps run on behind its back, as on a
    GPU, it is hidden as far as the device has work in store.

    Args:
        variant, phase, folder: name the record's file.
        images: that an epoch trains on.
        accuracy: a metric's name in the logs; None: `accuracy`, if there is one.
        clock: that slowdowns go by; None: the process' own.
        clocks: that the meter reads; None: the host's.
    """

    def __init__(
        self,
        variant: str,
        phase: str,
        folder: Path,
        images: int,
        accuracy: str | None = None,
        clock: Clock | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        super().__init__(
            images,
            on_epoch=self._epoch_done,
            clocks=clocks or Clocks(),
            accuracy=accuracy or "accuracy",
        )
        self._variant = variant
        self._phase = phase
        self._out = folder / f"{variant}-{phase}.json"
        self._must_have = accuracy
        self._account = Account()
        self._slowdown = Slowdown({Place.PIPELINE: _NO_STAGE}, clock)

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Make sure that the record can be written; wait for the first turn.

        Raises:
            StoreError: there is such a record already, or the folder cannot be made.
        """
        with storing(self._out):
            self._out.parent.mkdir(parents=True, exist_ok=True)
        if self.epochs or self._out.exists():
            raise StoreError(
                f"{self._out} is recorded already: give each fit a Recorder of its own, with "
                "another phase, and each run an empty folder."
            )
        self._account.started()
        self._epoch_done(0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """As the meter does."""
        self._slowdown.epoch_begins()
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """As the meter does."""
        self._slowdown.step_begins()
        super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """What is planted in a step is lost here, and is part of it."""
        self._slowdown.within_step()
        self._slowdown.step_ends()
        super().on_train_batch_end(batch, logs)

    def on_test_begin(self, logs: Any = None) -> None:
        """`fit` validates; what is planted at the boundary comes before it."""
        self._slowdown.epoch_ends()
        super().on_test_begin(logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """What is planted at the boundary is lost here, unless it was before a validation.

        Raises:
            ConfigError: the metric that counts as accuracy is not among the logs.
        """
        self._slowdown.epoch_ends()
        if self._must_have and self._must_have not in logs:
            raise ConfigError(
                f"Expected the metric {self._must_have!r} as accuracy, found only "
                f"{', '.join(map(repr, logs))}: name one of these in Recorder(accuracy=...)."
            )
        super().on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Write the record.

        Raises:
            ConfigError: no epoch was trained.
            StoreError: it cannot be written.
        """
        if not self.epochs:
            raise ConfigError(f"No epoch was trained, so that {self._out} has nothing to record.")
        with storing(self._out):
            write_whole(self._out, encode(self._account.close(self._record())))

    def _epoch_done(self, done: int) -> None:
        """Tell how many epochs are done, on a line of its own; wait for the next one's turn."""
        if not is_conducted():
            return
        total = self._total()
        print(f"\n@epoch {done} {total}", flush=True)  # behind a progress bar, perhaps
        if done < total and not self.model.stop_training:
            try:
                self._slowdown.take(await_turn(sys.stdin.buffer))
            except BenchError as error:
                print(error, file=sys.stderr)
                raise SystemExit(EXIT_USAGE) from error

    def _total(self) -> int:
        """Epochs that `fit` was asked for."""
        first = self.epochs[0].epoch if self.epochs else 0
        return int(self.params["epochs"]) - first

    def _record(self) -> TrialRecord:
        """What only the whole process knows is filled in by the account."""
        return TrialRecord(
            schema_version=SCHEMA_VERSION,
            spec=self._spec(),
            status=TrialStatus.OK,
            failure=None,
            started_at="",
            wall_ns=1,
            epochs=tuple(self.epochs),
            peak_rss_bytes=peak_rss_bytes(),
            versions=versions(),
        )

    def _spec(self) -> TrialSpec:
        """What is known of a foreign training; see `TrialKind`."""
        first = self.epochs[0]
        return TrialSpec(
            name=self._out.stem,
            kind=TrialKind.FOREIGN,
            variant=self._variant,
            pipeline=PipelineSpec(),
            phase=self._phase,
            block=0,
            position=0,
            replica=0,
            epochs=self._total(),
            batch_size=math.ceil(first.images / len(first.step_ns)),
            image_size=1,
            seed=0,
            timeout_s=1.0,
        )
