"""Verdicts for machines: JUnit under a schema, and GitHub's workflow commands."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from bench.gate.metrics import Metric
from bench.gate.schema import Verdict, VerdictRecord
from bench.report.gate_ci import MOST_ANNOTATIONS, junit, workflow_commands
from tests.bench.gate import samples

SCHEMA = xmlschema.XMLSchema(Path(__file__).parent / "junit.xsd")
EVERY = [*samples.KINDS_OF_VERDICT.values(), samples.hostile]


def suite(record: VerdictRecord) -> ElementTree.Element:
    data = junit(record)
    SCHEMA.validate(data.decode())
    return ElementTree.fromstring(data)[0]


def results(record: VerdictRecord) -> dict[tuple[str, str], str]:
    """The element that each test ended in, by class and name."""
    cases = suite(record).findall("testcase")
    return {(case.attrib["classname"], case.attrib["name"]): case[0].tag for case in cases}


@pytest.mark.parametrize("make", EVERY)
def test_it_is_junit_and_its_counts_are_those_of_its_tests(make):
    found = suite(make())
    tags = Counter(case[0].tag for case in found)
    shown = {key: int(found.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
    assert shown == {
        "tests": len(found),
        "failures": tags["failure"],
        "errors": tags["error"],
        "skipped": tags["skipped"],
    }


@pytest.mark.parametrize(
    ("make", "tag"),
    [
        (samples.passed, "system-out"),
        (samples.regressed, "failure"),
        (samples.undecided, "skipped"),
        (samples.nothing, "error"),
        (samples.blind, "skipped"),
    ],
)
def test_the_whole_verdict_is_a_test(make, tag):
    assert results(make())["leafbench", "verdict"] == tag


def test_each_comparison_is_a_test_with_its_own_result():
    assert results(samples.regressed()) == {
        ("leafbench", "verdict"): "failure",
        ("in_model, cnn", "input wait"): "skipped",
        ("in_model, cnn", "steady epoch"): "failure",
        ("in_model, cnn", "steady step"): "failure",
        ("in_model, cnn", "peak memory"): "system-out",
        ("leafbench", "self-test"): "system-out",
    }


def test_without_any_comparison_the_suite_is_not_empty():
    empty = samples.record(Verdict.NOTHING, ["REF has no harness"], [], self_test=None)
    assert results(empty) == {("leafbench", "verdict"): "error"}


def test_an_unseen_plant_is_never_a_passed_test():
    assert results(samples.blind())["leafbench", "self-test"] == "skipped"


def test_what_xml_cannot_hold_is_replaced_and_the_rest_comes_back():
    why = "a & b <c> \"d\" 'e' ]]> \x00\x1b\ufffe\ud800 ü 🌿"
    broken = samples.untimed("proof", Verdict.REGRESSION, why, subject=f"{why}\nnext")
    case = suite(samples.record(Verdict.REGRESSION, [why], [broken]))[1]
    kept = "a & b <c> \"d\" 'e' ]]> \ufffd\ufffd\ufffd\ufffd ü 🌿"
    assert case.attrib["classname"] == f"{kept} next"
    assert case[0].attrib["message"].endswith(f": proof: {kept}")


@given(st.text(), st.text(min_size=1))
def test_any_text_makes_a_report_that_reads_back(subject, why):
    broken = samples.untimed("proof", Verdict.NOTHING, why, subject=f"s{subject}")
    assert len(suite(samples.record(Verdict.NOTHING, [why], [broken]))) == 3


@pytest.mark.parametrize(
    ("created_at", "stamp"),
    [
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05"),
        ("yesterday", None),
    ],
)
def test_the_time_stamp_is_utc_without_a_zone(created_at, stamp):
    made = replace(samples.passed(), created_at=created_at)
    assert suite(made).attrib.get("timestamp") == stamp


@pytest.mark.parametrize(
    "broken",
    [
        '<testsuites><testsuite name="a" tests="0" failures="0" errors="0" skipped="0" time="0"/>'
        "</testsuites>",
        '<testsuites><testsuite name="a" tests="1" failures="0" errors="0" skipped="0" time="0">'
        '<testcase classname="a" name="b" time="0"><failure type="t" message="m"/>'
        '<error type="t" message="m"/></testcase></testsuite></testsuites>',
        '<testsuites><testsuite name="a" tests="1" failures="-1" errors="0" skipped="0" time="x">'
        '<testcase classname="a" name="b" time="0"/></testsuite></testsuites>',
    ],
)
def test_the_schema_can_fail(broken):
    assert not SCHEMA.is_valid(broken)


@pytest.mark.parametrize(
    ("make", "commands"),
    [
        (samples.passed, ["notice"]),
        (samples.regressed, ["error", "error", "error"]),
        (samples.undecided, ["warning"]),
        (samples.nothing, ["error", "error"]),
        (samples.blind, ["warning", "warning"]),
    ],
)
def test_annotations_are_as_loud_as_the_verdict(make, commands):
    found = [re.match(r"::(\w+) title=", line) for line in workflow_commands(make())]
    assert [match and match[1] for match in found] == commands


def test_the_first_annotation_is_the_verdict():
    assert workflow_commands(samples.passed())[0] == (
        "::notice title=leafbench%3A pass::pass: none of 7 comparisons is worse by its threshold "
        "or more%0A8 blocks in 6 min 12 s of a budget of 15 min"
    )


def test_properties_and_messages_are_escaped_each_in_its_way():
    why = "50%, a:b\r\n::error::no"
    broken = samples.untimed("proof", Verdict.REGRESSION, why, subject="50%, a:b")
    line = workflow_commands(samples.record(Verdict.REGRESSION, [why], [broken]))[1]
    assert line == (
        "::error title=leafbench%3A 50%25%2C a%3Ab%3A proof::50%25, a:b: proof: "
        "50%25, a:b ::error::no"
    )


def test_lines_of_a_message_are_escaped():
    change = samples.change(Metric.EPOCH, 0.1, Verdict.REGRESSION, why="one\r\ntwo 5%")
    line = workflow_commands(samples.record(Verdict.REGRESSION, ["x"], [change]))[1]
    assert line.endswith("threshold 5 %25%0Aone%0D%0Atwo 5%25")


@given(st.text(), st.text(min_size=1))
def test_no_text_ends_a_command(subject, why):
    broken = samples.untimed("proof", Verdict.REGRESSION, why, subject=subject)
    lines = workflow_commands(samples.record(Verdict.REGRESSION, [why], [broken]))
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::error"]
    for line in lines:
        line.encode()
        assert not re.search(r"[\r\n]|%(?!25|0A|0D|3A|2C)", line)


def test_no_more_of_a_kind_than_github_shows():
    worse = [
        samples.change(Metric.EPOCH, 0.1, Verdict.REGRESSION, subject=f"s{n}") for n in range(30)
    ]
    lines = workflow_commands(samples.record(Verdict.REGRESSION, ["x"], worse))
    assert len(lines) == MOST_ANNOTATIONS
    assert "and 29 more" in lines[0]
