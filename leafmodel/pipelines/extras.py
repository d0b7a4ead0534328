"""Loaders that need a package of their own, which may not be installed. Free of TensorFlow."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from types import MappingProxyType

from leafmodel.errors import PipelineError
from leafmodel.pipelines.spec import Loader, PipelineSpec

# The package is imported by this name, installed by it, and an extra of leafbench is called so.
EXTRAS: Mapping[Loader, str] = MappingProxyType(
    {Loader.GRAIN: "grain", Loader.GRAIN_DIRECTORY: "grain", Loader.TORCH: "torch"}
)


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def lacking(spec: PipelineSpec, is_installed: Callable[[str], bool] = _is_installed) -> str:
    """What is not installed that a pipeline needs, and the command that installs it; else empty."""
    package = EXTRAS.get(spec.loader)
    if package is None or is_installed(package):
        return ""
    return f"needs {package}, which is not installed here: pip install 'leafbench[{package}]'"


def require_installed(spec: PipelineSpec) -> None:
    """Refuse a pipeline whose loader is not here.

    Raises:
        PipelineError: says what is missing, and the command that installs it.
    """
    why = lacking(spec)
    if why:
        raise PipelineError(f"loader={spec.loader} {why}.")
