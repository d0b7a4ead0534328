"""What of two runs may be held against each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.evidence import Severity
from bench.gate.summary_files import Images, Remark, Workload
from bench.gate.travel import notes, problems, refusal, seconds_refusal
from tests.bench.gate.made_summaries import made
from tests.bench.samples import environment

ONE, OTHER = made("one"), made("other", created_at="2026-01-03T00:00:00Z")
WORK = Workload(64, 256, True, "")


def said(reference, head) -> str:
    return "\n".join(notes(reference, head))


def test_two_runs_of_the_same_on_the_same_machine_are_compared_in_seconds() -> None:
    assert refusal(ONE, OTHER) == ""
    assert seconds_refusal(ONE, OTHER) == ""
    assert "seconds are compared, since machine, versions, images" in said(ONE, OTHER)
    assert "two runs are two jobs" in said(ONE, OTHER)


def test_a_run_is_not_compared_with_itself() -> None:
    assert refusal(ONE, replace(ONE, where="copy.json")).startswith(
        "one and copy.json are the same run (20260102-030405-quick): nothing of it can have changed"
    )


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (Workload(32, 256, True, ""), "batch_size: 64 against 32"),
        (Workload(64, 128, True, ""), "image_size: 256 against 128"),
        (Workload(64, 256, False, ""), "augment: True against False"),
    ],
)
def test_another_workload_is_refused(head: Workload, expected: str) -> None:
    assert f"trained something else ({expected})" in refusal(ONE, replace(OTHER, workload=head))


def test_backbones_matter_where_both_have_one() -> None:
    left = replace(ONE, workload=replace(WORK, backbone="lite0"))
    right = replace(OTHER, workload=replace(WORK, backbone="b4"))
    assert "backbone: lite0 against b4" in refusal(left, right)
    assert refusal(ONE, right) == ""


def test_another_machine_is_named_key_by_key_and_costs_the_seconds() -> None:
    machine = environment(cores=16, gpus=("A100",))
    head = replace(OTHER, environment=machine)
    assert refusal(ONE, head) == ""
    assert seconds_refusal(ONE, head) == "cores (2 against 16), gpus (none against A100)"
    assert "because these differ: cores (2 against 16), gpus" in said(ONE, head)
    assert "the machines differ in cores, gpus: " in said(ONE, head)


def test_other_versions_cost_the_seconds_but_are_no_other_machine() -> None:
    versions = {"keras": "3.14.0", "numpy": "2.1.0", "tensorflow": "2.20.0"}
    head = replace(OTHER, environment=environment(versions=versions))
    assert seconds_refusal(ONE, head) == "keras (3.13.0 against 3.14.0)"
    assert "the machines differ" not in said(ONE, head)


def test_other_images_cost_the_seconds_and_are_named() -> None:
    head = replace(OTHER, data=Images("fedcba9876", 320))
    assert refusal(ONE, head) == ""
    assert seconds_refusal(ONE, head) == "the images"
    assert "(sha256:0, 640 images against fedcba98, 320 images)" in said(ONE, head)


def test_an_older_summary_says_how_to_mend_it() -> None:
    head = replace(OTHER, workload=None)
    assert "older summary says nothing" in seconds_refusal(ONE, head)
    assert "other does not say with which batch and image size" in said(ONE, head)
    assert "leafbench report RUN" in said(ONE, head)


def test_what_only_one_side_has_is_named() -> None:
    assert "not compared, because only one has it: in_model, cnn" in said(
        ONE, replace(OTHER, variants=OTHER.variants[:1])
    )
    assert "only other has it" not in said(ONE, OTHER)


def test_a_run_that_is_not_whole_and_another_baseline_and_version_are_told() -> None:
    head = replace(
        OTHER,
        complete=False,
        trials={"planned": 15, "recorded": 12, "failed": 1},
        claim=replace(OTHER.claim, baseline="plain"),
        leafbench_version="0.2.0",
    )
    told = said(ONE, head)
    assert "other is not whole: 12 of 15 trials have a record, and 1 trial failed" in told
    assert "speedups are not compared: they are over default in one and over plain in oth" in told
    assert "one is of leafbench 0.1.0, other of 0.2.0" in told


def test_the_first_notes_say_what_the_verdict_cannot_promise() -> None:
    first, second, *_ = notes(ONE, OTHER)
    assert first.endswith("that the comparison can fail was not proved")
    assert "varies from job to job" in second


def test_only_problems_are_problems() -> None:
    remarks = (
        Remark(Severity.PROBLEM, "the proof failed", "in_model"),
        Remark(Severity.WARNING, "noisy", "default"),
    )
    found = tuple(problems(replace(ONE, findings=()), replace(OTHER, findings=remarks)))
    assert found == ("other has a problem (in_model): the proof failed",)
