"""Where a tf.data service is, and whether it answers there. Free of TensorFlow.

TensorFlow's own client tries an address that does not answer again and again for an hour, so
whoever means to use a service asks it first, with a timeout, which workers it has.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from leafmodel.errors import ServiceError

ANSWER_TIMEOUT_S = 5.0
START_IT = (
    "start it with: leafbench service dispatcher --port PORT, and on each machine that is to work "
    "for it: leafbench service worker --dispatcher HOST:PORT"
)
_GET_WORKERS = "/tensorflow.data.DispatcherService/GetWorkers"
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Address:
    """A host and a port on it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse(text: str) -> Address:
    """`HOST:PORT`; an IPv6 host stands in brackets.

    Raises:
        ServiceError: it is something else.
    """
    found = re.fullmatch(r"([\w.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", text, re.ASCII)
    if not found or not 1 <= int(found[2]) <= _HIGHEST_PORT:
        raise ServiceError(
            f"A tf.data service's address is HOST:PORT, such as 127.0.0.1:5050, with a port from 1 "
            f"to {_HIGHEST_PORT}; found {text!r}."
        )
    return Address(found[1], int(found[2]))


def workers(address: str, timeout_s: float = ANSWER_TIMEOUT_S) -> tuple[str, ...]:
    """The addresses of the workers that ever registered with the dispatcher there.

    Raises:
        ServiceError: the address is none, or no dispatcher answers there in time.
    """
    import grpc

    target = str(parse(address))
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = channel.unary_unary(_GET_WORKERS)(b"", timeout=timeout_s)
        except grpc.RpcError as error:
            raise ServiceError(
                f"Expected a tf.data service at {target}, found that {_silence(error, timeout_s)}: "
                f"{START_IT}."
            ) from error
    infos = [_first_fields(info) for info in _first_fields(answer)]
    return tuple(info[0].decode() for info in infos if info)


def _first_fields(message: bytes) -> list[bytes]:
    """What a serialised message has in its field number 1.

    Of the answer that is one message a worker, and of that its address
    (tensorflow/core/data/service/dispatcher.proto), which TensorFlow's wheel has no class for.
    """
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.unknown_fields import UnknownFieldSet

    fields = UnknownFieldSet(Empty.FromString(message))
    return [field.data for field in fields if field.field_number == 1]


def _silence(error: object, timeout_s: float) -> str:
    """What came instead of an answer."""
    code = getattr(error, "code", lambda: None)()
    name = getattr(code, "name", "")
    if name == "DEADLINE_EXCEEDED":
        return f"nothing answered within {timeout_s:g} s"
    if name == "UNAVAILABLE":
        return "nothing answers there"
    return f"something else answers there ({name or error})"


def require_workers(address: str, expected: int) -> None:
    """Refuse a service that does not have the workers which a variant names.

    Raises:
        ServiceError: it does not answer, a worker of it does not, or it has more or fewer.
    """
    found = workers(address)
    require_running(address, found)
    if len(found) != expected:
        raise ServiceError(
            f"Expected a tf.data service with service_workers={expected} at {address}, found "
            f"{len(found)} of them: start more (leafbench service worker --dispatcher {address}), "
            f"or measure the variant service+service_workers={max(1, len(found))}."
        )


def require_running(address: str, registered: Sequence[str]) -> None:
    """Refuse a service with a worker that is gone: whoever reads from it would wait for ever.

    Raises:
        ServiceError: names the worker.
    """
    for worker in registered:
        place = parse(worker)
        try:
            socket.create_connection((place.host.strip("[]"), place.port), ANSWER_TIMEOUT_S).close()
        except OSError as error:
            raise ServiceError(
                f"Expected a worker of the tf.data service {address} at {worker}, found that "
                f"nothing answers there ({error.strerror or error}); what it had begun is lost, "
                "and TensorFlow waits until it is back. Start it again under the same address "
                f"(leafbench service worker --dispatcher {address} --host {place.host} "
                f"--port {place.port}), or the dispatcher and all workers anew; then run again."
            ) from error


def require_free(port: int) -> None:
    """Refuse a port that somebody listens on; TensorFlow would share it without a word.

    Raises:
        ServiceError: it is in use, or needs rights that this process has not.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise ServiceError(
                f"Port {port} cannot be listened on ({error.strerror}): give another one with "
                "--port, or leave it out to take any that is free."
            ) from error
