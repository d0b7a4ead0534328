from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.gate import tree as trees
from bench.gate.tree import Tree, TreeError, harness, prepare
from bench.schema import SCHEMA_VERSION
from bench.variants import VARIANTS
from leafmodel.pipelines.spec import Augment, PipelineSpec

ROOT = Path(__file__).parents[3]
LISTED = [{"name": "plain", "summary": "", "pipeline": {"map_parallelism": 1, "prefetch": 3}}]


def made(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def with_harness(folder: Path, listed: Any = LISTED, **files: str) -> Tree:
    """A tree with a little leafbench of its own; `files` replace or add to it."""
    small = {
        "bench/__init__.py": "",
        "bench/__main__.py": f"import sys\nassert sys.argv[1:] == ['list', 'variants', '--json']\n"
        f"print({json.dumps(listed)!r})",
        "bench/schema.py": f"SCHEMA_VERSION = {SCHEMA_VERSION}",
        "bench/turns.py": "",
        "leafmodel/__init__.py": "",
    }
    return Tree.of_this_interpreter(made(folder, **{**small, **files}), "v1")


def silent(_text: str) -> None: ...


# --- what a tree's leafbench can do ----------------------------------------------------------


def test_harness_of_this_repository_has_our_variants() -> None:
    found = harness(Tree.of_this_interpreter(ROOT))
    assert found.variants == {name: variant.pipeline for name, variant in VARIANTS.items()}
    assert found.unknown == {}


def test_variants_are_those_of_the_tree_not_ours(tmp_path: Path) -> None:
    assert harness(with_harness(tmp_path)).variants == {"plain": PipelineSpec(prefetch=3)}


def test_variants_that_cannot_be_expressed_here_are_set_apart(tmp_path: Path) -> None:
    listed = [
        *LISTED,
        {"name": "hdf5", "pipeline": {"loader": "hdf5"}},
        {"name": "sharded", "pipeline": {"shards": 2, "epochs": 1}},
        {"name": "impossible", "pipeline": {"loader": "resident", "prefetch": 2}},
    ]
    found = harness(with_harness(tmp_path, listed))
    assert list(found.variants) == ["plain"]
    assert "'hdf5'" in found.unknown["hdf5"]
    assert found.unknown["sharded"] == "it has axes that are unknown here: epochs, shards"
    assert "set prefetch=0" in found.unknown["impossible"]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"bench/schema.py": "SCHEMA_VERSION = 1"},  # no package: Python would look further
        {"bench/__init__.py": "", "leafmodel/__init__.py": ""},  # somebody else's folders
        {"bench.py": "raise SystemExit('measures when imported')", "leafmodel/__init__.py": ""},
        {"leafmodel/__init__.py": ""},
    ],
)
def test_tree_without_leafbench_is_refused_although_one_is_installed(
    tmp_path: Path, files: dict[str, str]
) -> None:
    tree = Tree.of_this_interpreter(made(tmp_path, **files), "v1")
    with pytest.raises(TreeError, match=r"There is no leafbench in v1: .*bench and leafmodel in"):
        harness(tree)


def test_half_a_leafbench_is_not_filled_up_with_the_installed_one(tmp_path: Path) -> None:
    tree = with_harness(tmp_path)
    (tmp_path / "leafmodel" / "__init__.py").unlink()
    (tmp_path / "leafmodel").rmdir()
    with pytest.raises(TreeError, match="There is no leafbench in v1"):
        harness(tree)


@pytest.mark.parametrize(("offset", "age", "mend"), [(-1, "older", "later"), (1, "newer", "earl")])
def test_other_record_schema_is_refused_with_both_numbers(
    tmp_path: Path, offset: int, age: str, mend: str
) -> None:
    version = SCHEMA_VERSION + offset
    tree = with_harness(tmp_path, **{"bench/schema.py": f"SCHEMA_VERSION = {version}"})
    said = f"v1 is {age}: its records have schema {version}, ours {SCHEMA_VERSION}, .* an? {mend}"
    with pytest.raises(TreeError, match=said):
        harness(tree)


def test_tree_from_before_the_gate_is_refused(tmp_path: Path) -> None:
    tree = with_harness(tmp_path)
    (tmp_path / "bench" / "turns.py").unlink()
    with pytest.raises(TreeError, match=r"v1 is from before the gate .* choose a later revision"):
        harness(tree)


@pytest.mark.parametrize("module", ["bench/__init__.py", "bench/schema.py", "bench/turns.py"])
def test_import_that_crashes_is_its_last_line(tmp_path: Path, module: str) -> None:
    tree = with_harness(tmp_path, **{module: "import a_package_that_is_not_there"})
    said = r"v1 cannot say .*: ModuleNotFoundError: No module named 'a_package_that_is_not_there'$"
    with pytest.raises(TreeError, match=said):
        harness(tree)


def test_list_that_crashes_is_its_last_line(tmp_path: Path) -> None:
    tree = with_harness(tmp_path, **{"bench/__main__.py": "print('x'\n"})
    with pytest.raises(TreeError, match=r"v1 cannot say .*: SyntaxError: '\(' was never closed$"):
        harness(tree)


@pytest.mark.parametrize("listed", [{}, ["plain"], [{"name": "plain"}], [{"pipeline": {}}]])
def test_list_of_another_form_is_refused(tmp_path: Path, listed: Any) -> None:
    with pytest.raises(TreeError, match="leafbench of v1 says of itself cannot be read"):
        harness(with_harness(tmp_path, listed))


def test_tree_that_does_not_answer_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "ASKING_TIMEOUT_S", 0.1)
    tree = with_harness(tmp_path, **{"bench/__init__.py": "while True: pass"})
    with pytest.raises(TreeError, match="v1 did not answer within 0 s"):
        harness(tree)


def test_interpreter_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    tree = Tree(tmp_path, str(tmp_path / "python"), {})
    with pytest.raises(TreeError, match="python cannot be started: No such file"):
        harness(tree)


# --- making a tree ready ---------------------------------------------------------------------


def test_tree_with_the_same_packages_runs_on_this_interpreter(tmp_path: Path) -> None:
    folder, head = made(tmp_path / "a", **{"requirements.lock": "x==1"}), tmp_path / "b"
    made(head, **{"requirements.lock": "x==1"})
    told: list[str] = []
    tree = prepare(folder, head, tmp_path / "scratch", told.append)
    assert (tree.folder, tree.python, tree.notes) == (folder, sys.executable, ())
    assert told == []
    assert not (tmp_path / "scratch").exists()


def test_lock_that_pip_does_not_read_is_noted(tmp_path: Path) -> None:
    folder, head = made(tmp_path / "a", **{"uv.lock": "1"}), made(tmp_path / "b", **{"uv.lock": ""})
    (note,) = prepare(folder, head, tmp_path, silent).notes
    assert note.startswith("uv.lock of the two sides differ, but both ran on the same packages")


def test_tree_with_other_packages_gets_an_environment_of_its_own(tmp_path: Path) -> None:
    folder, head = made(tmp_path / "a", **{"requirements.lock": "x==1"}), tmp_path / "b"
    made(head, **{"requirements.lock": "x==2"})
    told: list[str] = []
    tree = prepare(folder, head, tmp_path, told.append, name="v1", interpreter=stub(tmp_path))
    assert tree.python == str(tmp_path / "environment" / "bin" / "python")
    assert tree.environment["PATH"].startswith(f"{tmp_path}/environment/bin{os.pathsep}")
    assert tree.environment["PYTHONPATH"].split(os.pathsep)[0] == str(folder)
    assert tree.environment["VIRTUAL_ENV"] == str(tmp_path / "environment")
    assert tree.notes == (
        "The requirements.lock of v1 differs: it ran in an environment of its own.",
    )
    assert told == [
        "requirements.lock of v1 differs: installing it apart, which may take minutes",
    ]


def stub(folder: Path) -> str:
    """Makes an environment that holds itself, and installs nothing."""
    text = '#!/bin/sh\n[ "$3" != venv ] || { mkdir -p "$5/bin"; cp "$0" "$5/bin/python"; }\n'
    path = made(folder, stub=text) / "stub"
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("broken", ["requirements.lock", "pyproject.toml"])
def test_tree_that_does_not_install_is_refused(tmp_path: Path, broken: str) -> None:
    folder = made(tmp_path / "a", **{broken: "x==1"})
    made(tmp_path / "b")
    with pytest.raises(TreeError, match="packages of v1 cannot be installed: "):
        prepare(folder, tmp_path / "b", tmp_path, silent, name="v1", interpreter="/bin/false")


# --- how a tree runs -------------------------------------------------------------------------


def test_code_of_the_tree_is_imported_before_what_is_installed(tmp_path: Path) -> None:
    tree = with_harness(tmp_path, **{"src/needle/__init__.py": ""})
    code = "import bench, needle; print(bench.__file__, needle.__file__, sep='\\n')"
    done = subprocess.run(
        (tree.python, "-P", "-c", code),
        env=os.environ | dict(tree.environment),
        capture_output=True,
        text=True,
        check=True,
    )
    found = [Path(line).relative_to(tmp_path) for line in done.stdout.splitlines()]
    assert found == [Path("bench/__init__.py"), Path("src/needle/__init__.py")]


def test_paths_of_the_user_into_the_head_lead_into_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, head = made(tmp_path / "a", x=""), made(tmp_path / "b", **{"lib/x": ""})
    monkeypatch.chdir(head)
    entries = [str(head / "lib"), "tools", "", str(head), "/elsewhere"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entries))
    tree = prepare(folder, head, tmp_path, silent)
    assert tree.environment["PYTHONPATH"].split(os.pathsep) == [
        str(folder),
        str(folder / "lib"),
        str(folder / "tools"),
        "/elsewhere",
    ]


def test_python_in_a_command_is_the_trees_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    tree = Tree.of_this_interpreter(tmp_path)
    assert tree.environment["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}/usr/bin"
    monkeypatch.delenv("PATH")
    assert Tree.of_this_interpreter(tmp_path).environment["PATH"] == str(
        Path(sys.executable).parent
    )


def test_pipelines_keep_their_meaning_on_the_way(tmp_path: Path) -> None:
    listed = [{"name": "mine", "pipeline": {"augment": "model", "map_parallelism": 0}}]
    expected = PipelineSpec(augment=Augment.MODEL, map_parallelism=0)
    assert harness(with_harness(tmp_path, listed)).variants == {"mine": expected}
