"""Asks KerasTuner, in a process of its own, for the next setting."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from bench.codec import decode, encode
from bench.errors import BenchError
from bench.process import follow
from bench.schema import SCHEMA_VERSION
from bench.store import storing
from bench.tuning.schema import Answer, Proposal, ProposalRequest
from bench.tuning.space import Setting

ORACLE = (sys.executable, "-P", "-m", "bench.tuning.oracle")
TIMEOUT_S = 300.0  # it takes 3 seconds, nearly all of them imports


class Proposer(Protocol):
    """What the study needs: something that says what to try next."""

    def next(self, answers: Sequence[Answer]) -> Setting | None:
        """The setting behind those that were answered; None if there is no other."""


class ProcessProposer:
    """KerasTuner, behind a process.

    Args:
        seed: of the settings.
        trials: how many settings the study tries.
        work, logs: folders for what goes to and fro, and for what is printed.
    """

    def __init__(
        self, seed: int, trials: int, work: Path, logs: Path, command: Sequence[str] = ORACLE
    ) -> None:
        self._seed = seed
        self._trials = trials
        self._work = work
        self._log = logs / "oracle.log"
        self._command = tuple(command)

    def next(self, answers: Sequence[Answer]) -> Setting | None:
        path, out = self._work / "oracle.request.json", self._work / "oracle.json"
        request = ProposalRequest(
            SCHEMA_VERSION, self._seed, self._trials, tuple(answers), str(out.resolve())
        )
        with storing(path):
            path.write_bytes(encode(request))
        out.unlink(missing_ok=True)
        command = [*self._command, str(path)]
        ended = follow(command, self._log, TIMEOUT_S, _silent, environment=_environment)
        if not ended.well or not out.exists():
            raise BenchError(self._complaint(ended.timed_out))
        return decode(out.read_bytes(), Proposal, "KerasTuner's proposal").setting

    def _complaint(self, timed_out: bool) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing was said")
        why = f"no answer within {TIMEOUT_S:g} s" if timed_out else last
        return f"KerasTuner could not propose a setting: {why}"


def proposer_name() -> str:
    """Who proposes, with its version."""
    try:
        return f"keras-tuner {version('keras-tuner')}, RandomSearchOracle"
    except PackageNotFoundError as error:
        raise BenchError(
            "KerasTuner is not installed: it chooses what to try. Install it with "
            "`pip install keras-tuner`."
        ) from error


def _environment(_began_ns: int) -> Mapping[str, str]:
    """With the lightest backend: nothing is trained there."""
    return os.environ | {"KERAS_BACKEND": "numpy", "PYTHONHASHSEED": "0"}


def _silent(_what: str, _done: int, _total: int) -> None:
    """A proposal is over before anybody asks how far it is."""
