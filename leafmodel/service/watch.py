"""An end with a sentence for whoever uses a service that dies; TensorFlow would try for an hour."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from leafmodel.errors import ServiceError
from leafmodel.service import address as addresses

PERIOD_S = 5.0
PATIENCE = 3  # times in a row that it may fail to answer: a machine may be busy
EXIT_STATUS = 2


class Watch:
    """Looks at a service, and says when it is lost.

    Args:
        look: raises ServiceError when something is wrong with the service.
        patience: how often in a row, before it is lost.
    """

    def __init__(self, look: Callable[[], None], patience: int = PATIENCE) -> None:
        self._look = look
        self._patience = patience
        self._failures = 0

    def lost(self) -> str:
        """Look once; the sentence to end with, empty while there is none."""
        try:
            self._look()
        except ServiceError as error:
            self._failures += 1
            return str(error) if self._failures >= self._patience else ""
        self._failures = 0
        return ""


def begin(watch: Watch) -> threading.Event:
    """Look every `PERIOD_S` in a thread of its own; the process ends when the service is lost.

    Returns:
        To be set before the service is ended on purpose.
    """
    over = threading.Event()

    def keep_looking() -> None:
        while not over.wait(PERIOD_S):
            sentence = watch.lost()
            if sentence and not over.is_set():
                _end(sentence)

    threading.Thread(target=keep_looking, name="service watch", daemon=True).start()
    return over


def still_running(address: str) -> Callable[[], None]:
    """A look at a service in use: its dispatcher answers, and every worker does.

    The look raises ServiceError.
    """
    return lambda: addresses.require_running(address, addresses.workers(address))


def _end(sentence: str) -> None:
    """End at once: the threads that wait for the service hear nothing."""
    print(f"\n{sentence}", file=sys.stderr, flush=True)
    os._exit(EXIT_STATUS)
