from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import ConfigError, WorkerFailedError
from bench.gate import packages
from bench.gate.packages import Needs, install, other_needs, unread_locks

HASHED = "numpy==2.0 \\\n    --hash=sha256:0a\n"

# Makes an "environment" that holds itself, and notes what it was asked; `broken` in the
# requirements makes it fail as pip does.
STUB = f"""#!{sys.executable}
import json, os, pathlib, shutil, sys
words = sys.argv[1:]
with open(os.environ["STUB_LOG"], "a") as log:
    print(json.dumps([words, os.getcwd(), os.environ.get("PYTHONPATH")]), file=log)
if "venv" in words:
    (pathlib.Path(words[-1]) / "bin").mkdir(parents=True)
    shutil.copy(__file__, pathlib.Path(words[-1]) / "bin" / "python")
elif "broken" in pathlib.Path(words[-1]).read_text():
    print("Collecting broken", *range(9), "ERROR: No matching distribution for broken", sep="\\n")
    sys.exit(1)
"""


@pytest.fixture
def head(tmp_path: Path) -> Path:
    return made(tmp_path / "head")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "folder")


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "python"
    path.write_text(STUB)
    path.chmod(0o755)
    monkeypatch.setenv("STUB_LOG", str(tmp_path / "asked.jsonl"))
    return str(path)


def made(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def project(*dependencies: str) -> str:
    return f"[project]\nname = 'x'\ndependencies = {list(dependencies)}\n"


def asked(tmp_path: Path) -> list[tuple[list[str], str, str | None]]:
    return [tuple(json.loads(x)) for x in (tmp_path / "asked.jsonl").read_text().splitlines()]


# --- what differs ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["requirements.lock", "requirements.txt"])
def test_equal_requirements_need_nothing(folder: Path, head: Path, name: str) -> None:
    made(folder, **{name: "# of May\nnumpy==2.0\n\n"})
    made(head, **{name: "numpy==2.0\n# of June\n"})
    assert other_needs(folder, head) is None


@pytest.mark.parametrize("name", ["requirements.lock", "requirements.txt"])
def test_other_requirements_are_the_trees_own(folder: Path, head: Path, name: str) -> None:
    made(folder, **{name: "numpy==1.9\n"})
    made(head, **{name: "numpy==2.0\n"})
    assert other_needs(folder, head) == Needs(name, ("numpy==1.9",))


def test_lock_decides_before_what_is_less_exact(folder: Path, head: Path) -> None:
    for tree, text in ((folder, "numpy"), (head, "scipy")):
        made(tree, **{"requirements.lock": "numpy==2.0", "requirements.txt": text})
        made(tree, **{"pyproject.toml": project(text)})
    assert other_needs(folder, head) is None
    made(head, **{"requirements.lock": "numpy==2.1"})
    found = other_needs(folder, head)
    assert found is not None
    assert found.source == "requirements.lock"


def test_project_decides_where_only_one_side_has_a_lock(folder: Path, head: Path) -> None:
    made(head, **{"requirements.lock": "numpy==2.0", "pyproject.toml": project("numpy>=2")})
    made(folder, **{"pyproject.toml": project("numpy>=2")})
    assert other_needs(folder, head) is None
    made(folder, **{"pyproject.toml": project("numpy>=1", "scipy")})
    assert other_needs(folder, head) == Needs("pyproject.toml", ("numpy>=1", "scipy"))


def test_what_only_the_tree_says_is_needed(folder: Path, head: Path) -> None:
    made(folder, **{"requirements.txt": "numpy"})
    assert other_needs(folder, head) == Needs("requirements.txt", ("numpy",))


def test_trees_that_say_nothing_need_nothing(folder: Path, head: Path) -> None:
    made(folder, **{"pyproject.toml": "[tool.x]\n"})
    made(head, **{"requirements.txt": "numpy"})
    assert other_needs(folder, head) is None


def test_included_files_decide_too(folder: Path, head: Path) -> None:
    text = "-r base.txt\n--constraint=limits.txt\n-r absent.txt\nscipy\n"
    for tree in (folder, head):
        made(tree, **{"requirements.txt": text, "limits.txt": "numpy<3\n-r base.txt"})
    made(folder, **{"base.txt": "-r requirements.txt\nnumpy==1.9"})
    made(head, **{"base.txt": "-r requirements.txt\nnumpy==2.0"})
    found = other_needs(folder, head)
    assert found is not None
    assert found.pins == (
        "-r requirements.txt",
        "numpy==1.9",
        "numpy<3",
        "-r base.txt",
        "-r absent.txt",
        "scipy",
    )


def test_broken_project_file_is_named(folder: Path, head: Path) -> None:
    made(folder, **{"pyproject.toml": "[project"})
    with pytest.raises(ConfigError, match=r"folder/pyproject.toml is not a TOML file"):
        other_needs(folder, head)


def test_locks_of_other_tools_that_differ_are_named(folder: Path, head: Path) -> None:
    made(folder, **{"uv.lock": "a", "poetry.lock": "a", "pdm.lock": "a"})
    made(head, **{"uv.lock": "b", "poetry.lock": "a"})
    assert unread_locks(folder, head) == ("uv.lock", "pdm.lock")


@settings(max_examples=30)
@given(
    pins=st.lists(st.from_regex(r"[a-z]{1,8}==[0-9]\.[0-9]", fullmatch=True), max_size=5),
    spaces=st.lists(st.sampled_from(["", "   ", "# a comment", "\t# another"]), max_size=5),
)
def test_comments_and_blank_lines_never_decide(
    tmp_path_factory: pytest.TempPathFactory, pins: list[str], spaces: list[str]
) -> None:
    top = tmp_path_factory.mktemp("trees")
    folder, head = made(top / "folder"), made(top / "head")
    made(folder, **{"requirements.txt": "\n".join([*spaces, *pins, *spaces])})
    made(head, **{"requirements.txt": "\n".join(pins)})
    assert other_needs(folder, head) is None
    made(head, **{"requirements.txt": "\n".join([*pins, "one-more==1.0"])})
    assert other_needs(folder, head) == Needs("requirements.txt", tuple(pins))


# --- installing ------------------------------------------------------------------------------


def test_lock_is_installed_with_its_hashes_in_a_new_environment(
    folder: Path, tmp_path: Path, stub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    made(folder, **{"requirements.lock": HASHED})
    needs = other_needs(folder, made(tmp_path / "head"))
    assert needs is not None
    venv = made(tmp_path / "scratch") / "environment"
    python = install(needs, folder, venv, stub)
    assert python == str(venv / "bin" / "python")
    (first, *_), (second, where, python_path) = asked(tmp_path)
    assert first == ["-P", "-m", "venv", "--clear", str(venv)]
    assert second[:4] == ["-P", "-m", "pip", "install"]
    assert second[-3:] == ["--require-hashes", "-r", str(folder / "requirements.lock")]
    assert (where, python_path) == (str(folder), None)


def test_requirements_without_hashes_are_installed_as_they_are(folder: Path) -> None:
    needs = Needs("requirements.txt", ("numpy",))
    assert needs.asked_of_pip(folder) == ("-r", str(folder / "requirements.txt"))
    assert Needs("pyproject.toml", ("numpy>=2",)).asked_of_pip(folder) == ("numpy>=2",)


def test_nothing_needed_is_an_empty_environment(folder: Path, tmp_path: Path, stub: str) -> None:
    install(Needs("pyproject.toml", ()), folder, tmp_path / "environment", stub)
    assert [words[2] for words, *_ in asked(tmp_path)] == ["venv"]


def test_failed_install_ends_in_what_pip_said_last(folder: Path, tmp_path: Path, stub: str) -> None:
    made(folder, **{"requirements.txt": "broken"})
    said = r"^pip install ended with 1 and: 6; 7; 8; ERROR: No matching .* for broken$"
    with pytest.raises(WorkerFailedError, match=said):
        install(Needs("requirements.txt", ("broken",)), folder, tmp_path / "environment", stub)


def test_install_that_takes_too_long_is_ended(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "INSTALL_TIMEOUT_S", 0.1)
    slow = made(tmp_path, slow="#!/bin/sh\nexec sleep 60\n") / "slow"
    slow.chmod(0o755)
    with pytest.raises(WorkerFailedError, match="it took longer than 0 min"):
        install(Needs("requirements.txt", ("x",)), folder, tmp_path / "environment", str(slow))


def test_missing_interpreter_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "no-python")
    with pytest.raises(WorkerFailedError, match="no-python cannot be started: No such file"):
        install(Needs("requirements.txt", ("x",)), folder, tmp_path / "environment", missing)
