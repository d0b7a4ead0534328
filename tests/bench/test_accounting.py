"""What a process and its workers have used."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection

from bench import accounting

WORKED_S = 0.2
HELD_BYTES = 64 * 2**20
TICK_S = 0.02  # the system counts a process' CPU time in hundredths of a second


def _work(told: Connection) -> None:
    held = bytearray(b"x" * HELD_BYTES)
    while time.process_time() < WORKED_S:
        pass
    told.send(len(held))
    told.recv()


def test_workers_count_while_they_live_and_when_they_have_ended() -> None:
    mine, told = multiprocessing.get_context("spawn").Pipe()
    before_ns, before_bytes = accounting._own_ns(), accounting.peak_rss_bytes()
    worker = multiprocessing.get_context("spawn").Process(target=_work, args=(told,))
    worker.start()
    assert mine.recv() == HELD_BYTES
    alive_ns, held_bytes = accounting._own_ns(), accounting.peak_rss_bytes()
    mine.send("end")
    worker.join()
    assert alive_ns - before_ns >= (WORKED_S - TICK_S) * accounting.NS_PER_S
    assert accounting._own_ns() - before_ns >= (WORKED_S - TICK_S) * accounting.NS_PER_S
    assert held_bytes - before_bytes >= HELD_BYTES
