"""The listed variants as parameters of a test: one whose loader is not installed is skipped."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from bench.variants import VARIANTS
from leafmodel.pipelines.extras import lacking


def variants(names: Collection[str] = (), *, without: Collection[str] = ()) -> list[Any]:
    """These variants, else all, less `without`."""
    chosen = names or [name for name in sorted(VARIANTS) if name not in without]
    return [_marked(name, lacking(VARIANTS[name].pipeline)) for name in chosen]


def _marked(name: str, why: str) -> Any:
    return pytest.param(name, marks=pytest.mark.skip(reason=f"{name} {why}") if why else ())
