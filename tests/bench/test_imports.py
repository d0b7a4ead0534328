"""The directions in which imports may go, and what the command line must not pay for."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"tensorflow", "keras", "pandas", "matplotlib", "scipy", "numpy", "PIL", "cv2", "rich"}
TRAINING_MODULES = {
    "bench/worker.py",
    "bench/backend_process.py",
    "bench/metering.py",
    "bench/training/worker.py",
    "bench/given.py",
    "bench/planting.py",
    "bench/proving.py",
    "bench/recorder.py",
    "bench/timing.py",
    "bench/profiling.py",
    "bench/service_commands.py",
}
WITHOUT_TENSORFLOW = (
    "leafmodel.data.",
    "leafmodel.errors",
    "leafmodel.evaluate",
    "leafmodel.model_card",
    "leafmodel.models.catalogue",
    "leafmodel.paired",
    "leafmodel.pipelines.axes",
    "leafmodel.pipelines.axis_values",
    "leafmodel.pipelines.extras",
    "leafmodel.pipelines.facts",
    "leafmodel.pipelines.python_rules",
    "leafmodel.pipelines.spec",
    "leafmodel.service.address",
    "leafmodel.training.checkpoints",
    "leafmodel.training.execution",
    "leafmodel.training.history",
    "leafmodel.training.improvements",
    "leafmodel.training.phases",
)


def imported_by(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return found


def top(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def modules_after(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_command_line_imports_nothing_that_is_slow() -> None:
    loaded = modules_after("import bench.cli")
    assert loaded & (HEAVY | {"msgspec"}) == set()


def test_session_imports_no_tensorflow() -> None:
    loaded = modules_after("import bench.launch, bench.session, bench.doctor, bench.console")
    assert loaded & {"tensorflow", "keras", "pandas", "matplotlib"} == set()


@pytest.mark.parametrize("path", sources("leafmodel"), ids=lambda p: p.stem)
def test_leafmodel_never_imports_bench(path: Path) -> None:
    assert "bench" not in top(imported_by(path))


@pytest.mark.parametrize("path", sources("bench"), ids=lambda p: p.stem)
def test_only_the_training_modules_import_what_needs_tensorflow(path: Path) -> None:
    if path.relative_to(ROOT).as_posix() in TRAINING_MODULES:
        return
    names = imported_by(path)
    assert top(names) & {"tensorflow", "keras"} == set()
    leafmodel = {name for name in names if name.startswith("leafmodel.")}
    allowed = {n for n in leafmodel if f"{n}.".startswith(WITHOUT_TENSORFLOW)}
    assert leafmodel - allowed == set()


def test_no_two_modules_know_each_other() -> None:
    paths = [*sources("bench"), *sources("leafmodel")]
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths)
    modules = dict(zip((name.removesuffix(".__init__") for name in names), paths, strict=True))
    # To import a module, Python imports the packages that hold it: nothing its author chose.
    knows = {
        name: {other for other in imported_by(path) if not f"{name}.".startswith(f"{other}.")}
        & modules.keys()
        for name, path in modules.items()
    }
    TopologicalSorter(knows).prepare()  # raises CycleError, with the circle


@pytest.mark.parametrize("path", sources("bench"), ids=lambda p: p.stem)
def test_nobody_imports_the_worker(path: Path) -> None:
    assert not {"bench.worker", "bench.training.worker"} & imported_by(path)
