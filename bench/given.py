"""The images that a worker is given, as the input of a pipeline."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

from bench.codec import decode
from bench.requests import ProofRequest, WorkerFiles
from bench.schema import StartSpec, TrialSpec


def read_files(path: str) -> WorkerFiles:
    """The images of a run.

    Raises:
        RecordError: the file is not whole, or not ours.
    """
    return decode(Path(path).read_bytes(), WorkerFiles, path)


def training_input(
    files: WorkerFiles, asked: TrialSpec | StartSpec | ProofRequest, work: str
) -> Any:
    """The training images as a pipeline's input."""
    from leafmodel.pipelines.pipeline import PipelineInput

    return PipelineInput(
        files=image_files(files.train),
        class_names=files.class_names,
        batch_size=asked.batch_size,
        image_size=asked.image_size,
        seed=asked.seed,
        work=Path(work),
        service="" if isinstance(asked, StartSpec) else asked.service,
    )


def image_files(pairs: tuple[tuple[str, int], ...]) -> tuple[Any, ...]:
    """Path and label of each image, as the pipelines take them."""
    from leafmodel.data.folder import ImageFile

    return tuple(ImageFile(Path(path), label) for path, label in pairs)


def repeated(given: Any, steps: int) -> Any:
    """The same images over and over, until an epoch has so many steps."""
    files = given.files
    while ceil(len(files) / given.batch_size) < steps:
        files = (*files, *given.files)
    return replace(given, files=files)
