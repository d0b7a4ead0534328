"""The processes, ports and packages that TensorBoard needs, behind a seam for tests."""

from __future__ import annotations

import http.client
import importlib.util
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import IO, Protocol

from bench.errors import ConfigError

HOST = "127.0.0.1"
GRACE_S = 5.0
_TAIL_LINES = 12


class Child(Protocol):
    """A running TensorBoard."""

    def status(self) -> int | None:
        """How it ended; None while it runs."""

    def said(self) -> str:
        """The end of what it printed."""

    def close(self) -> None:
        """End it and all that it started."""


@dataclass(frozen=True)
class Tools:
    """What serving works with; tests bring their own.

    Attributes:
        has_tensorboard, has_profile_page: whether they are installed.
        port: a free one; or the wanted one, if it is.
        start: run a command as a child.
        answers: whether something at the port answers requests.
        wait: let some seconds pass.
    """

    has_tensorboard: Callable[[], bool]
    has_profile_page: Callable[[], bool]
    port: Callable[[int | None], int]
    start: Callable[[Sequence[str]], Child]
    answers: Callable[[int], bool]
    wait: Callable[[float], None]


def real_tools() -> Tools:
    """Processes, ports and packages as they are."""
    return Tools(
        has_tensorboard=lambda: importlib.util.find_spec("tensorboard") is not None,
        has_profile_page=_has_profile_page,
        port=free_port,
        start=Process,
        answers=_answers,
        wait=time.sleep,
    )


def _has_profile_page() -> bool:
    return any(found.name == "profile" for found in entry_points(group="tensorboard_plugins"))


def free_port(wanted: int | None) -> int:
    """A free port; the wanted one, if there is one.

    Raises:
        ConfigError: the wanted one is taken, or not allowed.
    """
    with socket.socket() as probe:
        # A port that was just given back counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted or 0))
        except OSError as error:
            raise ConfigError(
                f"Port {wanted} cannot be used ({error.strerror}): give another --port, or none "
                "for any that is free."
            ) from error
        number: int = probe.getsockname()[1]
        return number


def _answers(port: int) -> bool:
    with closing(http.client.HTTPConnection(HOST, port, timeout=GRACE_S)) as connection:
        try:
            connection.request("GET", "/data/environment")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


class Process:
    """A child in a session of its own: Ctrl-C reaches it through `close` only, and then all of it.

    What it prints is kept in a file without a name.
    """

    def __init__(self, command_: Sequence[str]) -> None:
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `close`)
        self._child = subprocess.Popen(
            command_,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
            start_new_session=True,
        )

    def status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._child.poll()

    def said(self) -> str:
        """The end of what it printed."""
        descriptor = self._output.fileno()  # the child writes where it stands: no seeking
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        lines = data.decode(errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def close(self) -> None:
        """End it and all that it started."""
        self._signal(signal.SIGTERM)
        try:
            self._child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._child.wait()
        self._output.close()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)
