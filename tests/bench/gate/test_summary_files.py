"""A summary is read whole or refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.codec import encode
from bench.errors import RecordError, StoreError
from bench.gate.summary_files import Measured, load, of_run, parse, read_file
from bench.report.summary import SUMMARY_VERSION, summary_json
from bench.results import compute
from tests.bench.samples import proof_records, run_record, trial_records

REPORTS = Path(__file__).parents[3] / "reports"
KEPT = ("cpu-2core-generated", "cpu-2core-photographs", "phases-photographs", "race-photographs")
RUN = run_record(variants=("default", "in_model"))
DATA = summary_json(compute(RUN, trial_records(RUN), proof_records(RUN)))


def changed(**values: Any) -> bytes:
    return json.dumps(json.loads(DATA) | values).encode()


def with_variant(**values: Any) -> bytes:
    found = json.loads(DATA)
    found["variants"][1] |= values
    return json.dumps(found).encode()


def test_a_summary_is_read_with_its_intervals() -> None:
    found = parse(DATA, "there.json")
    assert (found.where, found.run_id, found.claim.baseline) == (
        "there.json",
        "20260102-030405-quick",
        "default",
    )
    assert found.workload is not None
    assert (found.workload.batch_size, found.workload.image_size) == (64, 256)
    default, in_model = found.variants
    assert default.speedup is None
    assert in_model.speedup is not None
    assert in_model.speedup.low is not None
    assert in_model.speedup.blocks == 3
    assert in_model.ceiling == in_model.share_of_ceiling_interval
    assert in_model.wait is not None
    assert in_model.wait.median == pytest.approx(in_model.input_wait_share, abs=0.001)


def test_a_summary_from_before_the_intervals_of_shares_has_the_shares_alone() -> None:
    old = json.loads(DATA)
    del old["workload"]
    for item in old["variants"]:
        del item["share_of_ceiling_interval"], item["input_wait_share_interval"]
    found = parse(json.dumps(old).encode(), "old.json")
    assert found.workload is None
    share = found.variants[1].share_of_ceiling
    assert share is not None
    assert found.variants[1].ceiling == Measured(share, None, None, 0)


@pytest.mark.parametrize("name", KEPT)
def test_kept_summaries_say_what_their_records_say(name: str) -> None:
    kept, made = load(REPORTS / name / "summary.json"), load(REPORTS / name)
    assert kept.run_id == made.run_id
    assert kept.workload == made.workload
    assert [(v.variant, v.phase) for v in kept.variants] == [
        (v.variant, v.phase) for v in made.variants
    ]
    for left, right in zip(kept.variants, made.variants, strict=True):
        for key in ("speedup", "ceiling", "wait", "steady_epoch_s"):
            ours, theirs = getattr(left, key), getattr(right, key)
            assert (ours is None) == (theirs is None)
            if ours:
                assert (ours.median, ours.low, ours.high) == pytest.approx(
                    (theirs.median, theirs.low, theirs.high), rel=1e-9
                )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"schema_version": 1, "run_', "is not a whole JSON file .* cut off"),
        (b"[1, 2]", "is not a whole JSON file"),
        (b"\xff\xfe", "is not a whole JSON file"),
        (b"{}", "is not the summary of a run: .* found nothing"),
        (b'{"schema_version": 1, "spec": {}}', "is not the summary of a run: .* found schema_ver"),
        (changed(schema_version="1"), "is not the summary of a run"),
        (changed(schema_version=SUMMARY_VERSION + 1), "of version 2, this leafbench reads up to 1"),
        (changed(variants=3), r"is not a valid summary of a run: .*\$\.variants"),
        (changed(environment={}), "is not a valid summary of a run: .*platform"),
        (
            with_variant(speedup={"median": 1.0, "low": -0.5, "high": 2.0, "blocks": 3}),
            "speedup must be above 0, found -0.5",
        ),
        (
            with_variant(speedup={"median": 1.0, "low": 0.5, "high": None, "blocks": 3}),
            "both ends or neither",
        ),
        (
            with_variant(speedup={"median": 1.0, "low": 1.5, "high": 2.0, "blocks": 3}),
            "1.0 is not inside 1.5 to 2.0",
        ),
        (with_variant(share_of_ceiling=0.0), "share_of_ceiling must be above 0"),
    ],
)
def test_what_is_no_summary_is_refused_with_a_sentence(data: bytes, said: str) -> None:
    with pytest.raises(RecordError, match=f"^there.json .*{said}"):
        parse(data, "there.json")


@given(st.binary(max_size=200) | st.integers(0, len(DATA) - 3).map(lambda end: DATA[:end]))
def test_no_bytes_are_a_traceback(data: bytes) -> None:
    with pytest.raises(RecordError, match="there"):
        parse(data, "there.json")


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"cannot be read: No such file .*`leafbench report`"):
        read_file(tmp_path / "summary.json")


def test_a_folder_that_is_no_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a run of leafbench"):
        load(tmp_path)


def test_a_broken_record_of_a_run_stops_it(tmp_path: Path) -> None:
    for name in ("trials", "proofs", "profiles", "starts"):
        (tmp_path / name).mkdir()
    (tmp_path / "run.json").write_bytes(encode(RUN))
    assert of_run(tmp_path).trials["recorded"] == 0
    (tmp_path / "trials" / "b00.json").write_bytes(b'{"schema_version": 1')
    with pytest.raises(RecordError, match=r"b00\.json is not a whole JSON record"):
        of_run(tmp_path)
