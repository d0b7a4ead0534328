"""A training's state on disk after every epoch, whole or not at all.

    epoch-0004/   the epoch with the lowest validation loss so far
    epoch-0007/   the last one
        network.weights.h5   the network's weights, as Keras writes them
        optimiser.npz        the optimiser's variables: steps, learning rate, moments
        history.jsonl        all epochs up to this one
        state.json           what is trained (`identity`), and whether it has ended

A checkpoint is written into a folder with another name, synced, and renamed; so whenever a process
is killed, the last complete epoch is there. Keras' `BackupAndRestore` overwrites its only file of
weights in place (a kill meanwhile leaves none that can be read), writes the epoch's number apart
from it, knows nothing of early stopping and of the best weights, and saves the whole training
model, into which some pipelines put all images; `ModelCheckpoint` keeps the first two flaws.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from leafmodel.errors import ModelError
from leafmodel.training.history import EpochResult, best_epoch, from_json_lines, to_json_lines

WEIGHTS = "network.weights.h5"  # Keras insists on the ending
OPTIMISER = "optimiser.npz"
HISTORY = "history.jsonl"
STATE = "state.json"
_NAME = re.compile(r"epoch-(\d{4,})")
_PARTIAL = "partial"


@dataclass(frozen=True)
class State:
    """What a checkpoint says of its training."""

    identity: Mapping[str, str]
    stopped: bool


@dataclass(frozen=True)
class Checkpoint:
    """A training as it was after an epoch, counted from 1; `history` is that of all its epochs."""

    folder: Path
    epoch: int
    history: tuple[EpochResult, ...]
    stopped: bool

    def restore(self, network: Any, optimiser: Any) -> None:
        """Put weights and optimiser to what they were.

        Raises:
            ModelError: the files do not fit.
        """
        self.restore_weights(network)
        stored = _read_arrays(self.folder / OPTIMISER)
        if [list(array.shape) for array in stored.values()] != [
            list(variable.shape) for variable in optimiser.variables
        ]:
            raise ModelError(
                f"{self.folder / OPTIMISER} belongs to another optimiser or network: "
                f"{_remedy(self.folder)}"
            )
        optimiser.load_own_variables(stored)

    def restore_weights(self, network: Any) -> None:
        """Put the network's weights to what they were.

        Raises:
            ModelError: the file is broken, or of another network.
        """
        path = self.folder / WEIGHTS
        try:
            network.load_weights(path)
        except (OSError, ValueError, KeyError) as error:
            first = str(error).strip().split("\n")[0]
            raise ModelError(f"{path} cannot be read ({first}): {_remedy(self.folder)}") from error


class Checkpoints:
    """The checkpoints of one training.

    Args:
        folder: made with the first checkpoint.
        identity: what makes the training what it is (phase, images, seed, versions), as words.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        self._folder = folder
        self._identity = dict(identity)

    def save(
        self, network: Any, optimiser: Any, history: Sequence[EpochResult], *, stopped: bool
    ) -> None:
        """Keep the state after the last epoch of `history`; drop those that nobody needs.

        Raises:
            ModelError: the disk is full, or the folder cannot be written.
        """
        number = history[-1].epoch
        partial, whole = self._folder / _PARTIAL, self._path(number)
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            network.save_weights(partial / WEIGHTS)
            np.savez(partial / OPTIMISER, **_variables(optimiser))
            (partial / HISTORY).write_bytes(to_json_lines(history))
            (partial / STATE).write_bytes(msgspec.json.encode(State(self._identity, stopped)))
            _sync((*partial.iterdir(), partial))
            partial.rename(whole)
            _sync([self._folder])
        except OSError as error:
            raise ModelError(
                f"The checkpoint of epoch {number} cannot be written to {self._folder} "
                f"({error.strerror or error}); the one before it is safe. Free some space, then "
                "go on from there."
            ) from error
        self._drop_all_but({number, best_epoch(history)})

    def latest(self) -> Checkpoint | None:
        """The state after the last complete epoch; None if there is none.

        Raises:
            ModelError: it is of another training (the message lists what differs), or broken.
        """
        numbers = self._numbers()
        if not numbers:
            return None
        folder = self._path(max(numbers))
        state, history = _read_state(folder)
        self._require_same(state.identity)
        return Checkpoint(folder, max(numbers), history, state.stopped)

    def best(self) -> Checkpoint:
        """The state after the epoch with the lowest validation loss.

        Raises:
            ModelError: there is none, for every loss was infinite or no number.
        """
        last = self.latest()
        number = best_epoch(last.history) if last else None
        if last is None or number is None:
            raise ModelError(
                "The training diverged: no epoch has a validation loss that is a number. Lower "
                "the learning rate (phase+learning_rate=0.0001), and train again."
            )
        return Checkpoint(self._path(number), number, last.history, last.stopped)

    def remove(self) -> None:
        """Drop all of them: the training has ended and its model is saved."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _require_same(self, stored: Mapping[str, str]) -> None:
        differing = [
            f"  {key}: {stored.get(key, 'none')} -> {self._identity.get(key, 'none')}"
            for key in dict.fromkeys((*stored, *self._identity))
            if stored.get(key) != self._identity.get(key)
        ]
        if differing:
            listed = "\n".join(differing)
            raise ModelError(
                f"The training in {self._folder} cannot go on as another one. What differs (there "
                f"-> here):\n{listed}\nUndo that, or train into another folder."
            )

    def _drop_all_but(self, kept: set[int | None]) -> None:
        for number in self._numbers() - kept:
            shutil.rmtree(self._path(number), ignore_errors=True)

    def _numbers(self) -> set[int]:
        if not self._folder.is_dir():
            return set()
        found = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return {int(match[1]) for match in found if match}

    def _path(self, number: int) -> Path:
        return self._folder / f"epoch-{number:04d}"


def read_history(folder: Path) -> tuple[EpochResult, ...]:
    """The epochs that the checkpoints in `folder` know of; none if nothing can be read."""
    found = [path for path in folder.glob("epoch-*") if _NAME.fullmatch(path.name)]
    if not found:
        return ()
    latest = max(found, key=lambda path: int(path.name.removeprefix("epoch-")))
    try:
        return _read_state(latest)[1]
    except ModelError:
        return ()


def _read_state(folder: Path) -> tuple[State, tuple[EpochResult, ...]]:
    try:
        state = msgspec.json.decode((folder / STATE).read_bytes(), type=State)
        return state, from_json_lines((folder / HISTORY).read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelError(f"{folder} cannot be read ({error}): {_remedy(folder)}") from error


def _variables(optimiser: Any) -> dict[str, Any]:
    """The optimiser's variables as Keras numbers them."""
    stored: dict[str, Any] = {}
    optimiser.save_own_variables(stored)
    return stored


def _read_arrays(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in sorted(arrays.files, key=int)}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} cannot be read ({error}): {_remedy(path.parent)}") from error


def _remedy(folder: Path) -> str:
    return f"remove {folder}, and the training goes on from what is left, or anew."


def _sync(paths: Iterable[Path]) -> None:
    """Have the disk hold what was written."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
