"""An emulated run says that it is one in every file that is made of it."""

from __future__ import annotations

import csv
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from bench.gate import travel
from bench.gate.summary_files import parse
from bench.report import canvas
from bench.report.figures import figures
from bench.report.markdown import markdown
from bench.report.provenance import run_command
from bench.report.summary import summary_json
from bench.report.tables import csv_text, verdict_rows
from bench.report.verdict import sentences
from bench.results import RunResults, compute
from bench.tensorboard_logs import hyperparameters
from tests.bench.emulated_samples import emulated_run, emulated_trials
from tests.bench.samples import proof_records, run_record

GOLDEN = Path(__file__).parent / "golden" / "report-emulated.md"
NAME = "emulated:step=51ms,transfer=2ms"


def results(name: str = NAME) -> RunResults:
    run = emulated_run(name)
    return compute(run, emulated_trials(run), proof_records(run))


@pytest.fixture(scope="module")
def emulated() -> RunResults:
    return results()


def test_the_report_is_as_it_was_read_and_approved(emulated: RunResults) -> None:
    if os.environ.get("LEAFBENCH_UPDATE_GOLDEN"):
        GOLDEN.write_text(markdown(emulated), encoding="utf-8")
    assert markdown(emulated) == GOLDEN.read_text(encoding="utf-8")


def test_every_table_of_the_report_is_marked(emulated: RunResults) -> None:
    headers = re.findall(r"^\|([^|\n]*)\|.*\n\|:--", markdown(emulated), re.MULTILINE)
    assert len(headers) > 8
    assert all("emulated run" in header for header in headers)


def test_the_opening_says_it_before_any_number(emulated: RunResults) -> None:
    title, banner, verdict, *_ = markdown(emulated).split("\n\n")
    assert title.startswith("# Is in_model 7 times as fast as default with an emulated device?")
    assert banner.startswith("> **Emulated**, not measured on a device: emulated device step=51ms")
    assert "with this machine's cores and files and an emulated device" in verdict.lower()


def test_the_sentences_say_whose_time_bounds_what_is_possible(emulated: RunResults) -> None:
    measured, possible = sentences(emulated)
    assert "so the claim of 7 times holds against that device" in measured
    assert "because the emulated device itself takes 12% of default's epoch" in possible
    assert "on this machine" not in (measured + possible).lower()


def test_the_summary_the_csv_and_the_terminal_say_it(emulated: RunResults) -> None:
    summary = json.loads(summary_json(emulated))
    assert summary["emulated"] is True
    assert summary["device"]["name"] == summary["workload"]["device"] == NAME
    rows = list(csv.DictReader(csv_text(emulated).splitlines()))
    assert {row["emulated_device"] for row in rows} == {NAME}
    assert verdict_rows(emulated)[0][0] == "variant (emulated run)"


def test_every_figure_is_stamped(emulated: RunResults, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(canvas, "png", lambda figure: drawn.append(figure) or b"")
    names = figures(emulated)
    assert {"speedup.png", "breakdown.png"} <= names.keys()
    stamps = {figure.get_supxlabel() for figure in drawn}
    assert stamps == {"emulated run: emulated device step=51ms,transfer=2ms"}


def test_a_measured_run_is_not_marked() -> None:
    run = run_record()
    measured = compute(run, (), ())
    assert "mulated" not in markdown(measured)
    assert json.loads(summary_json(measured))["emulated"] is False


def test_the_command_that_reproduces_it_names_the_device(emulated: RunResults) -> None:
    words = run_command(emulated.run.config)
    assert words[words.index("--device") + 1] == NAME
    assert "--profile" not in words


def test_a_range_says_which_end_is_used() -> None:
    text = markdown(results("p100_class:slow"))
    assert "Where a time is a range, its slow end is used" in text
    assert (
        "| training (cnn, float32, 256 pixels), an image | 0.604 ms | 1.551 ms | on paper" in text
    )


def test_tensorboard_names_the_device_of_a_trial(emulated: RunResults) -> None:
    assert hyperparameters(emulated.run.plan[0])["emulated device"] == NAME


def test_an_emulated_run_is_held_against_no_measured_one(emulated: RunResults) -> None:
    measured = replace(
        emulated.run, run_id="other", config=replace(emulated.run.config, device=None)
    )
    ours = parse(summary_json(emulated), "ours")
    theirs = parse(summary_json(compute(measured, (), ())), "theirs")
    assert f"device:  against {NAME}" in travel.refusal(theirs, ours)
