"""What tests ask of processes that are not their children."""

from __future__ import annotations

import os
import selectors


def has_ended(pid: int, timeout_s: float) -> bool:
    """Whether a process ends within that time; the kernel tells when.

    One that nobody waits for (an orphan where process 1 reaps none) has ended too.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        ended = bool(selector.select(timeout=timeout_s))
    os.close(descriptor)
    return ended
