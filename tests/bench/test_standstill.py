"""The whole process stops and goes on: the helper's work on a clock of ours, and once for real."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import pytest

from bench import standstill
from bench.errors import WorkerFailedError
from bench.standstill import Standstill, hold


def test_the_helper_stops_waits_and_wakes_then_answers() -> None:
    done: list[object] = []
    answers = io.BytesIO()
    hold(
        77,
        io.BytesIO(b"5.5\n6.0\n"),
        answers,
        kill=lambda process, number: done.append((process, number)),
        now_s=lambda: 5.0,
        sleep=done.append,
    )
    stop, wake = (77, signal.SIGSTOP), (77, signal.SIGCONT)
    assert done == [stop, 0.5, wake, stop, 1.0, wake]
    assert answers.getvalue() == b"\n\n"


def test_a_time_that_is_over_already_is_no_wait() -> None:
    slept: list[float] = []
    hold(
        77,
        io.BytesIO(b"4.0\n"),
        io.BytesIO(),
        kill=lambda _process, _number: None,
        now_s=lambda: 5.0,
        sleep=slept.append,
    )
    assert slept == [0.0]


STANDS_STILL = "from bench.standstill import Standstill; Standstill()({}); print('went on')"


def test_a_process_that_stands_still_is_stopped_by_the_kernel() -> None:
    # For a minute, which nobody waits: a short stop can be over before it is looked for.
    with subprocess.Popen(
        [sys.executable, "-c", STANDS_STILL.format(60)], start_new_session=True
    ) as process:
        try:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGSTOP


def test_a_process_that_stood_still_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STANDS_STILL.format(0.001)],
        capture_output=True,
        check=True,
        start_new_session=True,
    )
    assert done.stdout == b"went on\n"


def test_a_helper_that_is_gone_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = (sys.executable, "-c", "import sys; sys.stdin.readline()")
    monkeypatch.setattr(standstill, "HELPER", gone)
    with pytest.raises(WorkerFailedError, match="plants slowdowns is gone"):
        Standstill()(0.001)
