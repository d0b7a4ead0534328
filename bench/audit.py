"""What the images of a run give away besides leaves: controls to hold accuracies against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.images import Images
from bench.schema import SCHEMA_VERSION
from leafmodel.data.folder import ImageFile
from leafmodel.data.leaks import LeakAudit, audit


@dataclass(frozen=True)
class AuditRecord:
    """The controls of a run's images, as stored.

    `held_out` says which images were held against the training images: `test` or `validation`.
    """

    schema_version: int
    held_out: str
    leaks: LeakAudit


def look(images: Images, on_progress: Callable[[int, int], None]) -> AuditRecord:
    """Hold the test images (or, without any, the validation images) against the training images.

    Raises:
        DataError: an image cannot be read.
    """
    files = images.files
    name = "test" if files.test else "validation"
    train, held_out = (
        [ImageFile(Path(path), label) for path, label in part]
        for part in (files.train, getattr(files, name))
    )
    found = audit(train, held_out, files.class_names, progress=on_progress)
    return AuditRecord(SCHEMA_VERSION, name, found)
