"""The report's section about profiles, under a golden file, and what it says with parts missing.

After a change on purpose run `LEAFBENCH_UPDATE_GOLDEN=1 pytest tests/bench/report`, and read the
diff.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.profile_schema import HAND_OVER, OperationReading, Place
from bench.report.figures import figures
from bench.report.markdown import markdown
from bench.report.profile_tables import ms, shortened
from bench.report.profiles import TITLE, profiles
from bench.report.summary import summary_json
from bench.results import RunResults, compute
from bench.schema import ProfileMode
from tests.bench import profile_samples as samples
from tests.bench.profile_samples import PROFILED, profiled, profiled_records
from tests.bench.samples import proof_records, run_record, trial_records

GOLDEN = Path(__file__).parent / "golden"
VARIANTS = tuple(PROFILED)


def make(*records, **config) -> RunResults:
    run = run_record(**({"variants": VARIANTS, "profile": ProfileMode.ALL} | config))
    return compute(run, trial_records(run), proof_records(run), records)


@pytest.fixture(scope="module")
def results():
    return make(*profiled_records())


def table(text: str, title: str) -> list[list[str]]:
    """The rows of the table under a heading, without its header, as cells."""
    section = text.split(f"### {title}\n\n")[1].partition("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines()[2:]
    ]


def with_reading(variant: str, **changes):
    record = profiled(variant)
    return replace(record, reading=replace(record.reading, **changes))


def test_a_report_with_profiles_is_as_it_was_read_and_approved(results):
    text = markdown(results)
    golden = GOLDEN / "report-profiles.md"
    if os.environ.get("LEAFBENCH_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def without_findings(text: str) -> str:
    """They tell profiles, too, in a section of their own."""
    begin = text.index("## Findings")
    return text[:begin] + text[text.index("\n## ", begin) + 1 :]


def test_without_profiles_one_line_says_so_and_nothing_else_changes(results):
    text = without_findings(markdown(make(profile=ProfileMode.NONE)))
    line = profiles(make(profile=ProfileMode.NONE))
    assert "\n" not in line
    assert "`--profile auto`" in line
    with_profiles = without_findings(markdown(results)).replace(profiles(results), line)
    explained = with_profiles.index(" Profiles are trials in no block")
    end = with_profiles.index("\n", explained)
    asked = text.replace("--profile none", "--profile all --profile-steps 8")
    assert with_profiles[:explained] + with_profiles[end:] == asked


def test_profiles_that_all_failed_are_not_said_to_be_missing_by_choice():
    text = profiles(make(profile=ProfileMode.AUTO))
    assert "--profile" not in text
    assert "[findings](#findings)" in text


def test_it_stands_behind_the_epochs(results):
    text = markdown(results)
    titles = re.findall("^## .*", text, re.MULTILINE)
    assert titles.index(TITLE) == titles.index("## Where an epoch's time goes") + 1


def test_it_says_what_was_profiled_and_how_to_look_into_it(results):
    text = profiles(results)
    assert "Of default, plain, in_model and in_model_cache, 8 steps were profiled" in text
    assert "`leafbench trace RUN`" in text
    assert "`leafbench trace diff RUN default in_model`" in text
    assert "`leafbench trace diff RUN A B`" in profiles(make(profiled("plain")))


def test_the_parts_of_a_step_add_up(results):
    for row in table(profiles(results), "Parts of a step"):
        waiting, augmentation, rest, idle = (float(row[k].rstrip("%")) for k in (3, 5, 6, 7))
        assert waiting + augmentation + rest + idle == pytest.approx(100, abs=0.2)
    rows = table(profiles(results), "Parts of a step")
    assert rows[1][:5] == ["plain", "560", "17.5", "37.9%", "augment (32.1%)"]
    assert rows[2][5] == "24.0%"


def test_three_accounts_that_are_one_are_said_to_be():
    (row,) = table(profiles(make(profiled("plain"))), "Input wait by three means")
    assert row[1:5] == ["37.9%"] * 4
    assert row[5:7] == ["0.0 points", "yes"]
    assert row[7] != "–"


def test_an_account_that_differs_is_told_by_how_much():
    read = profiled("plain").reading.analyser
    half = tuple(replace(step, input_ns=step.input_ns // 2) for step in read)
    (row,) = table(
        profiles(make(with_reading("plain", analyser=half))), "Input wait by three means"
    )
    assert row[3:7] == ["18.9%", "37.9%", "18.9 points", "**no**"]


def test_where_xprof_has_no_account_its_reason_is_there():
    record = with_reading("plain", analyser=(), analyser_note="xprof | is not installed")
    text = profiles(make(record))
    (row,) = table(text, "Input wait by three means")
    assert row[3:7] == ["–", "–", "0.0 points", "yes"]
    assert "- xprof has no account of plain: xprof \\| is not installed" in text


def test_a_stage_has_its_work_and_the_wait_for_it(results):
    rows = table(profiles(results), "Stages of the pipeline")
    assert ["plain", "augment", "5.62", "5.62", "1.00", "32.1%"] in rows
    assert ["in_model", "decode", "0.97", "0.51", "1.90", "0.0%"] in rows
    assert ["in_model", HAND_OVER, "–", "–", "–", "0.4%"] in rows


def test_the_longest_operations_come_first_and_are_few():
    many = tuple(
        OperationReading(f"op{k}", Place.MODEL, "other", k * 1_000_000, 8) for k in range(9)
    )
    rows = table(profiles(make(with_reading("plain", operations=many))), "Longest operations")
    assert [row[1] for row in rows] == ["`op8`", "`op7`", "`op6`", "`op5`", "`op4`"]
    assert rows[0][2:] == ["model", "other", "0.031", "8"]


def test_a_long_name_loses_its_middle():
    name = "cnn/" + 80 * "x" + "/Conv2D:_MklConv2D"
    assert shortened(name).startswith("cnn/xxx")
    assert shortened(name).endswith("xxx/Conv2D")
    assert len(shortened(name)) < 85
    assert shortened("random_flip/SelectV2_1:SelectV2") == "random_flip/SelectV2_1"
    assert shortened("a|b`c") == "a|b'c"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.2345, "1,234"), (0.0123, "12.3"), (0.00045, "0.45"), (4e-6, "0.004"), (0.0, "0.00")],
)
def test_milliseconds(seconds, text):
    assert ms(seconds) == text


def test_accelerators_are_named():
    text = profiles(make(with_reading("plain", devices=("GPU:0",))))
    assert "Operations on GPU:0 are not parted by kind." in text


def test_phases_are_told_apart():
    records = [profiled("plain"), profiled("plain")]
    trial = replace(records[1].spec.trial, phase="transfer")
    records[1] = replace(records[1], spec=replace(records[1].spec, trial=trial))
    text = profiles(make(*records, phases=("cnn", "transfer")))
    assert "| plain (transfer) |" in text
    assert "(figures/timeline-cnn.png)" in text
    assert "first profiled steps of transfer" in text


def bare(*_):
    nothing = {"stages": (), "spans": (), "operations": (), "analyser": ()}
    return make(with_reading("plain", **nothing, allocator_peak_bytes=None), profiled("default"))


def barest():
    return make(with_reading("plain", stages=(), spans=(), operations=(), analyser=()))


def only_idle():
    record = profiled("plain")
    steps = samples.steps({"idle/idle": 0.1})
    reading = replace(record.reading, steps=steps, stages=(), spans=(), analyser=())
    return make(replace(record, reading=reading))


@pytest.mark.parametrize("made", [bare, barest, only_idle])
def test_what_is_missing_is_left_out(made):
    found = made()
    text = markdown(found)
    shown = set(re.findall(r"\(figures/(.*?)\)", text))
    assert shown == set(figures(found))
    assert not re.search(r"\b(nan|inf|None)\b", text)
    assert ("timeline.png" in shown) == (made is bare)


def test_every_row_of_a_table_has_the_cells_of_its_header(results):
    for block in profiles(results).split("\n\n"):
        rows = [line for line in block.split("\n") if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1


def test_the_caption_names_the_panels_left_out():
    names = [f"v{k}" for k in range(10)]
    records = []
    for name in names:
        record = profiled("plain")
        trial = replace(record.spec.trial, variant=name)
        records.append(replace(record, spec=replace(record.spec, trial=trial)))
    run = run_record(variants=tuple(names))
    text = profiles(compute(run, (), (), records))
    assert "Left out for want of room: v8 and v9; the trace viewer has all." in text


def test_programs_get_every_number_of_a_profile(results):
    found = json.loads(summary_json(results))["profiles"]
    assert [item["variant"] for item in found] == list(VARIANTS)
    for item in found:
        assert sum(part["seconds"] for part in item["parts"]) == pytest.approx(item["step_s"])
        assert item["wait"]["agree"] is True
    plain = found[1]
    assert plain["wait"]["meter"] == pytest.approx(0.212 / 0.56, abs=1e-3)
    assert plain["wait"]["timed"] == results.find("plain", "cnn").input_wait_share
    assert [work["stage"] for work in plain["work"]] == ["read", "decode", "augment"]
    assert plain["operations"][1]["self_s"] == pytest.approx(0.125)


def test_programs_get_an_empty_list_where_nothing_was_profiled():
    assert json.loads(summary_json(make()))["profiles"] == []
