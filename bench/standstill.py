"""Holds the whole process for a time, all its threads: what is planted is then lost, and exactly.

A thread that only sleeps leaves its core to the others, and a pipeline that works ahead meanwhile
gives back up to half of the plant (on two cores, 10 % slept in the pipeline made an epoch 5 %
longer). So a helper (`python -m bench.standstill`) stops this process and has it go on when the
time is over (SIGSTOP and SIGCONT: POSIX.1-2017, <signal.h>).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO

from bench.errors import WorkerFailedError

HELPER = (sys.executable, "-P", "-m", "bench.standstill")


class Standstill:
    """Called with seconds, stops this process for so long.

    The first call starts the helper, which ends with this process.
    """

    def __init__(self) -> None:
        self._helper: subprocess.Popen[bytes] | None = None

    def __call__(self, seconds: float) -> None:
        """Stand still.

        Raises:
            WorkerFailedError: the helper is gone.
        """
        until_s = time.monotonic() + seconds
        if self._helper is None:
            self._helper = subprocess.Popen(HELPER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        requests, answers = self._helper.stdin, self._helper.stdout
        assert requests is not None
        assert answers is not None
        requests.write(f"{until_s!r}\n".encode())
        requests.flush()
        if not answers.readline():
            raise WorkerFailedError(
                "The process that plants slowdowns is gone, so that none can be planted: measure "
                "again, or without --self-test."
            )


def hold(
    process: int,
    requests: IO[bytes],
    answers: IO[bytes],
    *,
    kill: Callable[[int, int], None] = os.kill,
    now_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """The helper's work: stop `process` until the time in each line is come, then answer."""
    for line in requests:
        kill(process, signal.SIGSTOP)
        sleep(max(0.0, float(line) - now_s()))
        kill(process, signal.SIGCONT)
        answers.write(b"\n")
        answers.flush()


if __name__ == "__main__":
    hold(os.getppid(), sys.stdin.buffer, sys.stdout.buffer)
