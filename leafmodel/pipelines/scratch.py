"""What pipelines put beside the images: room for it, and folders that go with their process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from leafmodel.errors import PipelineError

_GIB = 2**30


def own_folder(work: Path, name: str) -> Path:
    """A new folder that nobody else finds anything in; it is removed when the process ends."""
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=work))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def require_room(folder: Path, needed_bytes: int, what: str) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        PipelineError: says how much is needed and how much is left.
    """
    left_bytes = shutil.disk_usage(folder).free
    if left_bytes < needed_bytes:
        raise PipelineError(
            f"{what} takes {needed_bytes / _GIB:.2f} GiB, and the disk of {folder} has "
            f"{left_bytes / _GIB:.2f} GiB left: {ROOM_REMEDY}."
        )


ROOM_REMEDY = (
    "free some space, put the run on another disk (--out), or train on fewer or smaller images"
)
