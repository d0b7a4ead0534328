"""One process at a time works on a folder: the kernel's lock on it goes with its holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bench.errors import StoreError


def hold(folder: Path) -> int:
    """Hold the folder for this process; the descriptor that keeps it held.

    Raises:
        StoreError: another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StoreError(
            f"Another leafbench works on {folder}: wait for it to end, or stop it first."
        ) from error
    return descriptor
