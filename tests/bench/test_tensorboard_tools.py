"""TensorBoard's process and port, as they are."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psutil
import pytest

from bench import tensorboard_tools as tools
from bench.errors import ConfigError


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {number} cannot be used"):
            tools.free_port(number)
    assert tools.free_port(number) == number
    assert not tools._answers(number)
    assert tools.free_port(None) > 0


def test_a_process_ends_with_all_that_it_started() -> None:
    program = (
        "import subprocess, sys, time\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(inner.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with closing(tools.Process([sys.executable, "-c", program])) as child:
        inner = int(until(child.said))
        assert child.status() is None
    assert child.status() == -signal.SIGTERM
    until(lambda: not running(inner))


def test_a_process_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "GRACE_S", 0.1)
    program = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(60)\n"
    )
    with closing(tools.Process([sys.executable, "-c", program])) as child:
        until(child.said)
    assert child.status() == -signal.SIGKILL


def test_only_the_end_of_a_long_output_is_kept() -> None:
    child = tools.Process([sys.executable, "-c", "print(*range(100), sep='\\n')"])
    until(lambda: child.status() is not None)
    assert child.said().splitlines() == [str(n) for n in range(88, 100)]
    child.close()


def until(ready: Callable[[], Any]) -> Any:
    """The first answer that is true."""
    deadline = time.monotonic() + 20
    while not (found := ready()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.01)
    return found


def running(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
