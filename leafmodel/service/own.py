"""The service that a process uses: one of its own, which ends with it, or one that runs already."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from leafmodel.errors import ServiceError
from leafmodel.service import address as addresses
from leafmodel.service import watch
from leafmodel.service.server import LOCAL, dispatcher, port_of

START_TIMEOUT_S = 120.0  # importing TensorFlow takes seconds, and a minute on a busy machine
_LOOK_AGAIN_S = 0.1
# The hosts that gRPC reaches directly: it reads the first of these that is set, in lower case.
_DIRECT = ("no_grpc_proxy", "no_proxy")
# -P: a folder named `leafmodel` where the user stands is not ours.
_WORKER = (sys.executable, "-P", "-m", "leafmodel.service.server")


@dataclass(frozen=True)
class OwnService:
    """A dispatcher in this process with worker processes; they end with this process.

    `processes` hear of its end by their standard input, whatever ended it.
    """

    address: str
    server: Any
    processes: Sequence[subprocess.Popen[bytes]]

    def stop(self) -> None:
        """End the workers at once: they keep nothing."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
            if process.stdin is not None:
                process.stdin.close()

    def look(self) -> None:
        """Whether every worker still runs.

        Raises:
            ServiceError: one has ended.
        """
        ended = [process for process in self.processes if process.poll() is not None]
        if ended:
            raise ServiceError(
                f"Expected {len(self.processes)} workers of this trial's own tf.data service, "
                f"found that process {ended[0].pid} ended with status {ended[0].returncode}; what "
                "it had begun is lost. What it said stands above in the log; run again, with "
                "fewer service_workers where memory is short."
            )


def _look_behind_no_proxy() -> None:
    """Let gRPC reach this machine directly; it would look behind whatever `http_proxy` names."""
    direct = next(filter(None, map(os.environ.get, _DIRECT)), None)
    os.environ[_DIRECT[0]] = ",".join(filter(None, (direct, LOCAL)))


def start(workers: int) -> OwnService:
    """A service of one's own, its workers registered.

    Raises:
        ServiceError: a worker did not begin.
    """
    _look_behind_no_proxy()
    server = dispatcher()
    address = f"{LOCAL}:{port_of(server)}"
    processes = [
        subprocess.Popen([*_WORKER, address], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for _ in range(workers)
    ]
    service = OwnService(address, server, processes)
    try:
        _await_workers(service)
    except BaseException:
        service.stop()
        raise
    return service


def _await_workers(service: OwnService) -> None:
    expected, deadline_s = len(service.processes), time.monotonic() + START_TIMEOUT_S
    while (found := len(addresses.workers(service.address))) < expected:
        service.look()
        if time.monotonic() > deadline_s:
            raise ServiceError(
                f"Expected {expected} workers of the tf.data service within {START_TIMEOUT_S:g} s, "
                f"found {found}: stop other programs, or choose fewer service_workers."
            )
        time.sleep(_LOOK_AGAIN_S)


def service_address(workers: int, given: str = "") -> str:
    """Where the service is that pipelines of this process use; watched from now on.

    Args:
        workers: how many it has.
        given: the address of one that runs already; empty for one of this process' own.

    Raises:
        ServiceError: it does not answer, has another number of workers, or could not begin.
    """
    return _watched_given(given, workers) if given else _watched_own(workers)


@cache
def _watched_own(workers: int) -> str:
    service = start(workers)
    over = watch.begin(watch.Watch(service.look, patience=1))

    def end() -> None:
        over.set()
        service.stop()

    atexit.register(end)
    return service.address


@cache
def _watched_given(address: str, workers: int) -> str:
    addresses.require_workers(address, workers)
    watch.begin(watch.Watch(watch.still_running(address)))
    return address
