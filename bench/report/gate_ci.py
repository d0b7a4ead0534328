"""A verdict for machines that show tests and logs: JUnit XML, and GitHub's workflow commands.

The JUnit is what Jenkins (the schema junit-10.xsd of its xUnit plugin,
https://github.com/jenkinsci/xunit-plugin), GitLab (https://docs.gitlab.com/ci/testing/
unit_test_reports/) and GitHub's test reporters have in common. A regression is a failure, nothing
measured an error, an inconclusive comparison is skipped: as the exit status has it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from bench.gate.schema import Change, Verdict, VerdictRecord
from bench.report import gate_words
from bench.report.gate_words import plain

SUITE = "leafbench check"
# GitHub shows ten annotations of a kind for a step, and no more.
MOST_ANNOTATIONS = 10

_ELEMENTS = {
    Verdict.REGRESSION: "failure",
    Verdict.NOTHING: "error",
    Verdict.INCONCLUSIVE: "skipped",
}
_COMMANDS = {
    Verdict.PASS: "notice",
    Verdict.REGRESSION: "error",
    Verdict.NOTHING: "error",
    Verdict.INCONCLUSIVE: "warning",
}
# What XML 1.0 (section 2.2) has no way to write, and lone surrogates, which are in no UTF-8.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class _Case:
    """A test: what was looked at, what came out, and what to say of it."""

    suite: str
    name: str
    verdict: Verdict
    message: str
    details: str


def junit(record: VerdictRecord) -> bytes:
    """One test suite: the whole verdict, a test a comparison, and the self-test."""
    cases = _cases(record)
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", _counted(record, cases))
    for case in cases:
        _append(suite, case)
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _counted(record: VerdictRecord, cases: Sequence[_Case]) -> dict[str, str]:
    """What readers take the suite's colour from."""
    count = Counter(case.verdict for case in cases)
    return {
        "name": SUITE,
        "tests": str(len(cases)),
        "failures": str(count[Verdict.REGRESSION]),
        "errors": str(count[Verdict.NOTHING]),
        "skipped": str(count[Verdict.INCONCLUSIVE]),
        "time": f"{record.spent_s or 0:.3f}",
    } | _timestamp(record)


def workflow_commands(record: VerdictRecord) -> list[str]:
    """GitHub workflow commands, one a line, the verdict first.

    Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands; what
    is escaped, and how: `packages/core/src/command.ts` in https://github.com/actions/toolkit.
    """
    lines = [_command(record.verdict, f"leafbench: {record.verdict}", _summary(record))]
    seen = 1
    for change in record.changes:
        grave = change.verdict in (Verdict.REGRESSION, Verdict.NOTHING)
        if grave and seen < MOST_ANNOTATIONS:
            heading = f"leafbench: {gate_words.name(change)}"
            lines.append(_command(change.verdict, heading, _explained(change)))
            seen += 1
    if record.self_test is not None and not record.self_test.seen:
        told = gate_words.self_test(record)
        lines.append(_command(Verdict.INCONCLUSIVE, "leafbench: self-test", told))
    return lines


def _cases(record: VerdictRecord) -> Sequence[_Case]:
    """The verdict is a test of its own: without comparisons, a suite would be empty and green."""
    whole = _Case(
        "leafbench",
        "verdict",
        record.verdict,
        gate_words.headline(record),
        "\n".join((*record.reasons, *record.notes)),
    )
    cases = [whole, *map(_case, record.changes)]
    test = record.self_test
    if test is not None:
        # Unseen, it leaves the verdict open, and has no other status than that.
        verdict = Verdict.PASS if test.seen else Verdict.INCONCLUSIVE
        told = gate_words.self_test(record)
        cases.append(_Case("leafbench", "self-test", verdict, told, test.why))
    return cases


def _case(change: Change) -> _Case:
    return _Case(
        change.subject,
        gate_words.title(change),
        change.verdict,
        gate_words.described(change),
        _explained(change),
    )


def _explained(change: Change) -> str:
    lines = [gate_words.described(change)]
    if change.change is not None:
        lines.append(change.why)
    if change.verdict is Verdict.INCONCLUSIVE:
        lines.append(gate_words.to_settle(change))
    return "\n".join(lines)


def _summary(record: VerdictRecord) -> str:
    return f"{gate_words.headline(record)}\n{gate_words.effort(record)}"


def _append(suite: ElementTree.Element, case: _Case) -> None:
    attributes = {"classname": plain(case.suite), "name": plain(case.name), "time": "0"}
    element = ElementTree.SubElement(suite, "testcase", attributes)
    if case.verdict is not Verdict.PASS:
        attributes = {"type": str(case.verdict), "message": _xml(case.message)}
        told = ElementTree.SubElement(element, _ELEMENTS[case.verdict], attributes)
        told.text = _xml(case.details)
    else:
        ElementTree.SubElement(element, "system-out").text = _xml(case.message)


def _timestamp(record: VerdictRecord) -> dict[str, str]:
    """As Ant writes it, in UTC and without a zone; left out if the record's own cannot be read."""
    try:
        at = datetime.fromisoformat(record.created_at)
    except ValueError:
        return {}
    at = at.astimezone(UTC) if at.tzinfo else at
    return {"timestamp": f"{at:%Y-%m-%dT%H:%M:%S}"}


def _xml(words: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", words)


def _command(verdict: Verdict, heading: str, message: str) -> str:
    return f"::{_COMMANDS[verdict]} title={_property(heading)}::{_data(message)}"


def _data(words: str) -> str:
    """The percent sign first, or it would be escaped twice. UTF-8 has no lone surrogates."""
    words = _xml(words)
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return _data(words).replace(":", "%3A").replace(",", "%2C")
