"""The Keras backends that a run can train on: what they are made of, and whether it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

from bench.errors import ConfigError


class Backend(StrEnum):
    """What Keras computes with. tf.data makes the batches for all of them."""

    TENSORFLOW = "tensorflow"
    JAX = "jax"
    TORCH = "torch"

    @property
    def label(self) -> str:
        """As its makers write it."""
        return _TITLES[self]


_TITLES = {Backend.TENSORFLOW: "TensorFlow", Backend.JAX: "JAX", Backend.TORCH: "PyTorch"}

# Beside TensorFlow, which every run needs for its pipelines.
PACKAGES: Mapping[Backend, tuple[str, ...]] = MappingProxyType(
    {Backend.TENSORFLOW: (), Backend.JAX: ("jax", "jaxlib"), Backend.TORCH: ("torch",)}
)


def _is_installed(package: str) -> bool:
    """By its metadata: a folder of that name where the user stands is no package."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def require_installed(backend: Backend, is_installed: Callable[[str], bool] | None = None) -> None:
    """Refuse a backend whose packages are not here.

    Raises:
        ConfigError: says what is missing, and the command that installs it.
    """
    found = is_installed or _is_installed
    missing = [package for package in PACKAGES[backend] if not found(package)]
    if missing:
        raise ConfigError(
            f"--backend {backend} needs {' and '.join(missing)}, not installed here: "
            f"pip install 'leafbench[{backend}]', or leave --backend out to train on TensorFlow."
        )
