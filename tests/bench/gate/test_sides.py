"""Both sides of a check: what can be compared, and what is said of what cannot."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from bench.config import make_config
from bench.errors import ConfigError
from bench.gate import sides, tree
from bench.gate.asked import Asked
from bench.gate.blocks import Subject
from bench.gate.sides import Checkout, Ready
from bench.gate.store import CheckStore
from bench.gate.tree import Harness, Tree, TreeError
from bench.images import Images
from bench.progress import PlainProgress
from bench.requests import WorkerFiles
from bench.schema import SCHEMA_VERSION, DataSummary
from bench.variants import VARIANTS
from leafmodel.pipelines.spec import PipelineSpec

IN_MODEL, PLAIN = VARIANTS["in_model"].pipeline, VARIANTS["plain"].pipeline


def images() -> Images:
    files = WorkerFiles(SCHEMA_VERSION, ("a",), (), (), ())
    return Images(DataSummary("", "", "", ("a",), 150, 30, 0, {}, (), ()), files, files, ())


def ready(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    theirs: dict[str, PipelineSpec],
    ours: dict[str, PipelineSpec],
    variants: tuple[str, ...],
    unknown: dict[str, str] | None = None,
) -> Ready:
    """What becomes of a suite whose sides list these pipelines."""
    reference = Tree(folder / "reference", "python", {}, "v1")
    monkeypatch.setattr(tree, "prepare", lambda *_, **__: reference)
    monkeypatch.setattr(
        tree,
        "harness",
        lambda side: Harness(theirs, unknown or {}) if side is reference else Harness(ours, {}),
    )
    config = replace(make_config("gate"), variants=variants)
    where = Checkout(folder / "head", folder / "reference", "v1", folder)
    for path in (where.repository, where.reference):
        path.mkdir()
    with CheckStore.create(folder / "check") as store:
        asked = Asked("v1", folder, ())
        progress = PlainProgress(io.StringIO())
        return sides.ready_suite(where, asked, config, images(), store, progress)


def test_equal_variants_are_compared_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"in_model": IN_MODEL, "plain": PLAIN}
    found = ready(tmp_path, monkeypatch, both, both, ("in_model", "plain"))
    assert found.subjects == (Subject("in_model", "cnn"), Subject("plain", "cnn"))
    assert found.notes == ()
    assert found.validation_images == 30


def test_a_variant_that_one_side_lacks_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {"in_model": IN_MODEL, "plain": PLAIN}
    found = ready(tmp_path, monkeypatch, {"in_model": IN_MODEL}, ours, ("in_model", "plain"))
    assert found.subjects == (Subject("in_model", "cnn"),)
    assert found.notes == ("plain is not compared: at v1, there is no such variant",)


def test_a_variant_that_cannot_be_expressed_here_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {"in_model": IN_MODEL, "plain": PLAIN}
    why = {"plain": "it has axes that are unknown here: magic"}
    found = ready(tmp_path, monkeypatch, {"in_model": IN_MODEL}, ours, ("in_model", "plain"), why)
    assert "axes that are unknown here: magic" in found.notes[0]


def test_a_variant_that_became_another_pipeline_is_compared_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ready(tmp_path, monkeypatch, {"in_model": IN_MODEL}, {"in_model": PLAIN}, ("in_model",))
    assert found.notes == ("in_model stands for another pipeline than at v1",)


def test_a_point_on_the_axes_is_made_from_each_sides_own_variant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "in_model+prefetch=8"
    both = {"in_model": IN_MODEL}
    found = ready(tmp_path, monkeypatch, both, both, (name,))
    assert found.subjects == (Subject(name, "cnn"),)


def test_no_common_variant_is_a_tree_that_cannot_be_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TreeError, match="none of the suite's variants in common"):
        ready(tmp_path, monkeypatch, {"plain": PLAIN}, {"in_model": IN_MODEL}, ("in_model",))


def test_a_command_needs_its_folder_in_the_reference_too(tmp_path: Path) -> None:
    inside = tmp_path / "head" / "new"
    inside.mkdir(parents=True)
    (tmp_path / "reference").mkdir()
    where = Checkout(tmp_path / "head", tmp_path / "reference", "v1", tmp_path)
    asked = Asked("v1", inside, (), training="python train.py")
    progress = PlainProgress(io.StringIO())
    with (
        CheckStore.create(tmp_path / "check") as store,
        pytest.raises(ConfigError, match="no folder new at v1"),
    ):
        sides.ready_command(where, asked, asked.options(), store, progress)
