"""Committed reports are what their records say today, whichever kind of folder they lie in."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bench.cli import main
from bench.rendering import Rendered, render
from bench.reporting import Report

REPORTS = Path(__file__).parents[2] / "reports"
LISTED = (REPORTS / "README.md").read_text(encoding="utf-8")
KEPT = re.findall(r"\]\(([\w-]+)/report\.md\)", LISTED)


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_report_is_what_its_records_say(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(REPORTS / name, folder, ignore=shutil.ignore_patterns("tensorboard", "*.keras"))
    kept = (folder / "report.md").read_text(encoding="utf-8")
    render(folder)
    assert (folder / "report.md").read_text(encoding="utf-8") == kept


def test_each_kind_of_folder_is_known(tmp_path: Path) -> None:
    kinds = {"cpu-2core-generated": Report, "training-photographs": Rendered}
    kinds["tuning-photographs"] = Rendered
    for name, kind in kinds.items():
        shutil.copytree(REPORTS / name, tmp_path / name)
        assert isinstance(render(tmp_path / name), kind)


def test_the_command_says_where_the_report_lies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(REPORTS / "tuning-photographs", folder)
    assert main(["report", str(folder)]) == 0
    assert f"Report: {folder / 'report.md'}" in capsys.readouterr().out
