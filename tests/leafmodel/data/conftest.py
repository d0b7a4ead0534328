"""Folders of tiny images, made anew for each test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SaveImage = Callable[..., Path]
MakeFolder = Callable[[Mapping[str, int]], Path]


@pytest.fixture
def save_image() -> SaveImage:
    """Write random pixels to a path; the suffix chooses the format unless `format` is given."""

    def save(path: Path, seed: int = 0, size: tuple[int, int] = (9, 8), **options: object) -> Path:
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = str(options.pop("mode", "RGB"))
        Image.fromarray(pixels).convert(mode).save(path, **options)  # type: ignore[arg-type]
        return path

    return save


@pytest.fixture
def make_folder(tmp_path: Path, save_image: SaveImage) -> MakeFolder:
    """Make `{class folder: number of images}` under a root; every image has other pixels."""

    def make(classes: Mapping[str, int]) -> Path:
        root = tmp_path / "images"
        root.mkdir(exist_ok=True)
        seed = 0
        for name, images in classes.items():
            (root / name).mkdir(parents=True)
            for number in range(images):
                seed += 1
                save_image(root / name / f"leaf {number:03}.jpg", seed)
        return root

    return make


@pytest.fixture
def deny_open(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make one file unreadable: chmod does not stop the superuser, so the open itself fails."""

    def deny(denied: Path) -> None:
        real = Path.open

        def guarded(self: Path, *args: object, **kwargs: object) -> object:
            if self == denied:
                raise PermissionError(13, "Permission denied", str(self))
            return real(self, *args, **kwargs)  # type: ignore[call-overload]

        monkeypatch.setattr(Path, "open", guarded)

    return deny
