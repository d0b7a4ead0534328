"""`leafbench explain`, on a kept report and on runs that have not all that it takes."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from bench.cli import main
from bench.errors import ConfigError
from bench.explaining import of_run

REPORTS = Path(__file__).parents[2] / "reports"
RUN = REPORTS / "cpu-2core-generated"
PHASES = REPORTS / "phases-photographs"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of a kept run whose records may be removed."""
    folder = tmp_path / "run"
    shutil.copytree(RUN, folder, ignore=shutil.ignore_patterns("figures", "profiles"))
    return folder


def test_it_prints_the_ladder_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(RUN)]) == 0
    out = capsys.readouterr().out
    assert "cnn: from default to in_model_cache" in out
    assert "loader: ImageDataGenerator to tf.data" in out
    assert "Taken from in_model_cache, one at a time:" in out
    assert "\n  leafbench run --suite quick --data data/leaves --variants default,plain," in out
    assert "*" not in out


def test_it_prints_json_whose_rungs_multiply_to_the_total(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explain", str(PHASES), "--phase", "transfer", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (phase,) = found["causes"]
    assert phase["phase"] == "transfer"
    for item in phase["waterfalls"]:
        product = math.prod(rung["factor"]["median"] for rung in item["rungs"])
        assert product == pytest.approx(item["total"]["median"])


def test_a_kept_summary_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(RUN), "--json"]) == 0
    summary = json.loads((RUN / "summary.json").read_text(encoding="utf-8"))
    for now, kept in zip(
        json.loads(capsys.readouterr().out)["causes"][0]["waterfalls"],
        summary["causes"][0]["waterfalls"],
        strict=True,
    ):
        assert now["total"]["median"] == pytest.approx(kept["total"]["median"])
        assert [rung["after"] for rung in now["rungs"]] == [rung["after"] for rung in kept["rungs"]]


def test_a_phase_that_is_not_in_the_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(PHASES), "--phase", "finetun"]) == 2
    error = capsys.readouterr().err
    assert "has no phase 'finetun'; it has cnn, transfer, finetune, improved." in error
    assert "Did you mean 'finetune'?" in error


def test_a_run_without_its_baseline_is_refused(run: Path) -> None:
    for path in (run / "trials").glob("*-default-*"):
        path.unlink()
    with pytest.raises(ConfigError, match=r"no steady epoch of default .* Go on with the run"):
        of_run(run)


def test_a_run_without_records_is_refused(run: Path) -> None:
    shutil.rmtree(run / "trials")
    with pytest.raises(ConfigError, match="no trial of it has a record"):
        of_run(run)


def test_one_block_is_explained_without_intervals(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (run / "trials").iterdir():
        if not path.name.startswith("b00-"):
            path.unlink()
    assert main(["explain", str(run)]) == 0
    assert "(no interval: 1 block measured, an interval needs 3)" in capsys.readouterr().out


def test_a_record_that_cannot_be_read_is_named_and_costs_its_rung(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (broken,) = (run / "trials").glob("b01-*-parallel-*")
    broken.write_text("{", encoding="utf-8")
    assert main(["explain", str(run)]) == 0
    out, err = capsys.readouterr()
    assert "parallel is no rung: it was timed in 2 of the 3 blocks that both ends have." in out
    assert f"Left out: {broken}" in err


def test_a_folder_that_is_no_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(REPORTS / "training-photographs")]) == 2
    assert "is not a run of leafbench" in capsys.readouterr().err
