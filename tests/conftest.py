"""What every test may use. Tests make their own images; none needs a network or a data set."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow's own client sends even 127.0.0.1 through a proxy, unless it is told not to.
os.environ["no_proxy"] = ",".join(filter(None, (os.environ.get("no_proxy"), "127.0.0.1")))
# No property is about speed, and a machine that is busy for a moment falsifies none. The same
# examples everywhere: what fails in CI fails here.
hypothesis.settings.register_profile("leafbench", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("leafbench")

MakeFolder = Callable[..., Path]
BENCHMARKS = Path(__file__).parent / "benchmarks"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Microbenchmarks run when they are named (`pytest tests/benchmarks`), never with the tests."""
    if collection_path != BENCHMARKS:
        return None
    start = config.invocation_params.dir
    named = [(start / argument.split("::")[0]).resolve() for argument in config.args]
    return None if any(path.is_relative_to(BENCHMARKS) for path in named) else True


@pytest.fixture(autouse=True)
def _no_git_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git in a test works on the test's own repository, also where a git hook runs the tests."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """`make_folder({"oak": 4, "elm": 3}, size=16)`: a folder of small JPEGs, one colour a class."""

    def make(counts: dict[str, int], *, size: int = 16, name: str = "images") -> Path:
        random = np.random.default_rng(0)
        for label, (class_name, count) in enumerate(counts.items()):
            folder = tmp_path / name / class_name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = random.integers(0, 80, (size, size, 3), dtype=np.uint8)
                pixels[..., label % 3] += 100 + number
                Image.fromarray(pixels).save(folder / f"{number:03d}.jpg", quality=95)
        return tmp_path / name

    return make
