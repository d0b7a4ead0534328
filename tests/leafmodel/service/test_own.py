"""A service of a process' own: nothing of it outlives the process, or fails in silence."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from leafmodel.errors import ServiceError
from leafmodel.service import own, server
from tests.processes import has_ended

ROOT = Path(__file__).parents[3]
PROGRAM = """
import os, signal, psutil
from leafmodel.service import own, watch
watch.PERIOD_S = 0.05
own.service_address(1)
[worker] = psutil.Process().children()
print(worker.pid, flush=True)
os.kill({victim}, signal.SIGKILL)
signal.pause()
"""


def run(victim: str) -> subprocess.CompletedProcess[str]:
    """A process with a service of its own, in which `victim` is killed; it would wait for ever.

    Whatever proxy it is told to use, and nothing listens there, it finds its own service.
    """
    direct = {key: value for key, value in os.environ.items() if "no_proxy" not in key}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(victim=victim)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**direct, "http_proxy": "http://127.0.0.1:9"},
        timeout=240,
    )


def test_a_process_whose_worker_dies_ends_with_a_sentence() -> None:
    ended = run("worker.pid")
    assert ended.returncode == 2
    assert "Expected 1 workers of this trial's own tf.data service" in ended.stderr
    assert ended.stderr.rstrip().splitlines()[-1].endswith("where memory is short.")


def test_a_process_that_is_killed_takes_its_workers_along() -> None:
    worker = int(run("os.getpid()").stdout)
    assert has_ended(worker, timeout_s=60)


def test_a_worker_that_cannot_begin_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "_WORKER", (sys.executable, "-c", "raise SystemExit(7)"))
    with pytest.raises(ServiceError, match="ended with status 7"):
        own.start(1)


def test_a_port_in_use_is_no_dispatchers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=f"Port {port} cannot be listened on"):
            server.dispatcher(port)


def test_a_worker_without_a_dispatcher_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ServiceError, match=rf"service at 127\.0\.0\.1:{port}, found that nothing"):
        server.worker(f"127.0.0.1:{port}")
