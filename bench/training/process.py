"""Works on a model in a process of its own: a crash, a hang, a lack of memory is one sentence."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.codec import encode
from bench.errors import EXIT_USAGE
from bench.postmortem import failure, worker_environment
from bench.process import GRACE_S, OnProgress, follow
from bench.schema import Failure, FailureKind
from bench.store import storing
from bench.training.requests import Request

# -P: a folder named `bench` where the user stands is not ours.
WORKER = (sys.executable, "-P", "-m", "bench.training.worker")
# Longer than any one step, validation or filling of a cache takes; a training has no limit in all.
SILENCE_S = 2 * 3600.0


class ModelProcess:
    """Carries out requests, each in a fresh process in a session of its own.

    Args:
        logs: folder for what the processes print.
        command: how one is started; the path of the request is added.
        silence_s: a process that tells of no progress for so long is killed.
        grace_s: time between asking a process to end and killing it.
    """

    def __init__(
        self,
        logs: Path,
        *,
        command: Sequence[str] = WORKER,
        silence_s: float = SILENCE_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._logs = logs
        self._command = tuple(command)
        self._silence_s = silence_s
        self._grace_s = grace_s

    def run(self, request: Request, path: Path, on_progress: OnProgress) -> Failure | None:
        """Carry out a request, which is written to `path`; None if it ended well.

        The name of `path` says what is asked: `*.train.json`, `*.evaluate.json`, `*.predict.json`.

        Raises:
            StoreError: the request or the log cannot be written.
        """
        log = self._logs / f"{path.name.removesuffix('.json')}.log"
        mistake = path.with_name(path.name + ".mistake")
        with storing(path):
            path.write_bytes(encode(request))
            mistake.unlink(missing_ok=True)
        ended = follow(
            [*self._command, str(path)],
            log,
            self._silence_s,
            on_progress,
            environment=worker_environment,
            grace_s=self._grace_s,
            renewed=True,
        )
        if ended.well:
            return None
        why = failure(ended, log, f"killed after {self._silence_s:g} s without any progress")
        if ended.status == EXIT_USAGE and mistake.is_file():
            return replace(why, message=mistake.read_text(encoding="utf-8"))
        if why.kind is FailureKind.MEMORY and ended.status > 0:
            return replace(why, message="it asked for more memory than there is")
        return why
