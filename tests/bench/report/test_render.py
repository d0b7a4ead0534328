"""What a run folder gets: written whole, without TensorFlow."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import store
from bench.errors import StoreError
from bench.report.render import render
from bench.report.summary import summary_json
from bench.report.tables import VERDICT_HEADER, csv_text, verdict_rows
from bench.results import compute
from tests.bench.samples import EPOCH_S, failed_record, proof_records, run_record, trial_records

GOLDEN = Path(__file__).parent / "golden" / "summary.json"
ROOT = Path(__file__).parents[3]
NAMES = tuple(name for name in EPOCH_S if not name.startswith("ceiling_"))
FIGURES = {
    *("accuracy.png", "breakdown.png", "epochs.png", "speedup.png"),
    "waterfall-cnn-resident.png",
}


@pytest.fixture(scope="module")
def results():
    run = run_record(variants=NAMES)
    return compute(run, trial_records(run), proof_records(run))


def empty():
    run = run_record()
    return compute(run, (), ())


def nearly(value):
    """The value with floats that tolerate another processor's last digits."""
    if isinstance(value, dict):
        return {key: nearly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [nearly(item) for item in value]
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def test_the_summary_is_as_it_was_read_and_approved(results):
    if os.environ.get("LEAFBENCH_UPDATE_GOLDEN"):
        GOLDEN.write_bytes(summary_json(results))
    assert json.loads(summary_json(results)) == nearly(json.loads(GOLDEN.read_bytes()))


def test_the_summary_has_what_programs_were_promised(results):
    found = json.loads(summary_json(results))
    assert {"schema_version", "environment", "claim", "variants", "findings"} <= found.keys()
    assert {"target", "baseline", "candidate", "speedup", "ceiling", "verdict"} <= set(
        found["claim"]
    )
    promised = {
        *("variant", "phase", "epochs", "steady_epoch_s", "images_per_s", "speedup"),
        *("share_of_ceiling", "input_wait_share", "boundary_gap_s", "first_batch_s"),
        *("first_epoch_s", "val_accuracy", "peak_rss_bytes", "trials", "failed"),
    }
    assert all(promised <= variant.keys() for variant in found["variants"])
    assert {"median", "low", "high"} <= found["variants"][1]["speedup"].keys()


def test_where_there_is_no_number_the_summary_has_null():
    run = run_record()
    failed = compute(run, [failed_record(spec) for spec in run.plan], ())
    for results in (failed, empty()):
        text = summary_json(results).decode()
        assert "NaN" not in text
        assert "Infinity" not in text
        assert json.loads(text)["claim"]["speedup"] is None
        assert json.loads(text)["claim"]["verdict"] == "undecided"
    assert json.loads(summary_json(failed))["variants"][0]["steady_epoch_s"] is None


def test_the_csv_has_a_row_a_variant_and_ceiling(results):
    rows = list(csv.DictReader(csv_text(results).splitlines()))
    assert [row["variant"] for row in rows] == [*NAMES, "ceiling_none", "ceiling_model"]
    assert rows[0]["speedup"] == ""
    assert float(rows[6]["speedup"]) == results.find("in_model", "cnn").speedup.median


def test_the_terminals_table(results):
    header, *rows = verdict_rows(results)
    assert header == VERDICT_HEADER
    assert [row[0] for row in rows] == list(NAMES)
    assert {len(row) for row in rows} == {len(header)}
    assert verdict_rows(empty()) == [VERDICT_HEADER]


def test_everything_is_written_and_no_temporary_file_stays(results, tmp_path):
    render(results, tmp_path)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert files == {
        "report.md",
        "results.csv",
        "summary.json",
        *(f"figures/{name}" for name in FIGURES),
    }
    for name in FIGURES:
        data = (tmp_path / "figures" / name).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < 80_000


def test_the_same_records_give_the_same_bytes(results, tmp_path):
    for folder in ("a", "b"):
        render(results, tmp_path / folder)
    for path in (tmp_path / "a").rglob("*.*"):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()


def test_a_figure_that_no_longer_has_data_is_removed(results, tmp_path):
    render(results, tmp_path)
    render(empty(), tmp_path)
    assert list((tmp_path / "figures").iterdir()) == []
    assert "No trial has a record" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_is_a_sentence(results, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="report cannot be written"):
        render(results, tmp_path / "file")


def test_a_full_disk_leaves_the_old_report(results, tmp_path, monkeypatch):
    render(results, tmp_path)
    before = (tmp_path / "report.md").read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        render(empty(), tmp_path)
    assert (tmp_path / "report.md").read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_rendering_needs_neither_tensorflow_nor_pyplot(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.bench.samples import *\n"
        "from bench.results import compute; from bench.report.render import render\n"
        "run = run_record(); render(compute(run, trial_records(run), proof_records(run)), "
        f"Path({str(tmp_path)!r}))\n"
        "bad = {'tensorflow', 'keras', 'matplotlib.pyplot', 'pandas'} & sys.modules.keys()\n"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
