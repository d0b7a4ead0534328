from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from leafmodel.data.folder import scan
from leafmodel.pipelines.pipeline import PipelineInput

Given = Callable[..., PipelineInput]


@pytest.fixture
def given(make_folder: Callable[..., Path], tmp_path: Path) -> Given:
    """Ten small images of three classes as a pipeline's input."""

    def make(*, image_size: int = 16, file_size: int = 16, batch_size: int = 4) -> PipelineInput:
        folder = scan(make_folder({"ash": 4, "elm": 3, "oak": 3}, size=file_size))
        return PipelineInput(
            files=folder.training,
            class_names=folder.class_names,
            batch_size=batch_size,
            image_size=image_size,
            seed=5,
            work=tmp_path / "work",
        )

    return make
