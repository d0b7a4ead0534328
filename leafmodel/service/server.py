"""The two parts of a tf.data service, as servers in this process.

    python -m leafmodel.service.server DISPATCHER

is a worker that ends when its standard input does, that is, with whoever started it, however that
one ends.

TensorFlow's servers listen on every interface (`0.0.0.0` is written in its source) and ask nobody
for a password: whoever reaches the port can run graphs and read files as this user.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import tensorflow as tf

from leafmodel.errors import ServiceError
from leafmodel.service import address as addresses

PROTOCOL = "grpc"
LOCAL = "127.0.0.1"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def dispatcher(port: int = 0, work: str = "") -> Any:
    """A dispatcher that listens on `port`, or any free one for 0.

    Args:
        work: a folder for its journal, with which it goes on where it was stopped.

    Raises:
        ServiceError: the port is in use, or the folder cannot be used.
    """
    addresses.require_free(port)
    service = tf.data.experimental.service
    config = service.DispatcherConfig(
        port=port,
        protocol=PROTOCOL,
        work_dir=work or None,
        fault_tolerant_mode=bool(work),
    )
    try:
        return service.DispatchServer(config)
    except (tf.errors.OpError, RuntimeError) as error:
        raise ServiceError(
            f"The dispatcher could not begin: {error}. Give another --port, or another --work."
        ) from error


def worker(of: str, port: int = 0, host: str = LOCAL) -> Any:
    """A worker of the dispatcher at the address `of`.

    Args:
        host: the name under which the machines that train reach this one.

    Raises:
        ServiceError: the dispatcher does not answer, or the port is in use.
    """
    addresses.workers(of)
    addresses.require_free(port)
    tf.config.set_visible_devices([], "GPU")  # images are decoded on the CPU; leave the memory
    service = tf.data.experimental.service
    config = service.WorkerConfig(
        dispatcher_address=of,
        worker_address=f"{host}:%port%",
        port=port,
        protocol=PROTOCOL,
        dispatcher_timeout_ms=int(1000 * addresses.ANSWER_TIMEOUT_S),
    )
    try:
        return service.WorkerServer(config)
    except (tf.errors.OpError, RuntimeError) as error:
        raise ServiceError(f"The worker could not begin: {error}. Give another --port.") from error


def port_of(dispatch_server: Any) -> int:
    """The port that a dispatcher listens on."""
    return int(dispatch_server.target.rpartition(":")[2])


def serve(start: Callable[[], Any], announce: Callable[[Any], None]) -> NoReturn:
    """Start a server, announce it, and keep it until SIGINT, SIGTERM or SIGHUP asks for its end.

    The signals are blocked first, so that TensorFlow's threads block them too and `sigwait` alone
    takes them. The process then ends with status 0 at once: a journal is written as it goes, and
    TensorFlow takes seconds to take a server down.

    Raises:
        ServiceError: as `start` does.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    server = start()
    announce(server)
    signal.sigwait(_ENDING)
    _leave()


def main(of: str) -> int:
    """A worker on any port, until standard input ends."""
    try:
        server = worker(of)
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 2
    while server and sys.stdin.buffer.read(1):
        pass
    _leave()


def _leave() -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
