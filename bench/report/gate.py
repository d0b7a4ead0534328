"""A verdict as Markdown, for a pull request's comment and a job's summary; and for a terminal."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from itertools import groupby

from bench.gate.decision import PASS_ERROR
from bench.gate.schema import Change, Side, Source, Verdict, VerdictRecord
from bench.report import formats, gate_words
from bench.report.formats import NOTHING
from bench.report.gate_words import plain

# GitHub takes comments of 65,536 characters; hundreds of benchmarks would not fit. The record has
# them all.
MOST_ROWS = 60
MOST_LINES = 12
_GRAVEST_FIRST = (Verdict.REGRESSION, Verdict.NOTHING, Verdict.INCONCLUSIVE, Verdict.PASS)
_CODE = re.compile(r"((?<!`)`[^`]+`(?!`))")
_ENTITIES = str.maketrans({c: f"&#{ord(c)};" for c in "\\`*[]<>~"} | {"&": "&amp;"})


def markdown(record: VerdictRecord) -> str:
    """The verdict first, then why, what was measured, how sure it is and how to do it again."""
    sections = (section(record) for section in _SECTIONS)
    return "\n\n".join(filter(None, sections)) + "\n"


def text(record: VerdictRecord) -> str:
    """The same for a terminal: what happened, why, a line a comparison, and how sure it is."""
    first = gate_words.headline(record)
    why = [reason for reason in map(plain, record.reasons) if not _told(reason, first)]
    lines = [first, *(f"  why: {reason}" for reason in why[:MOST_LINES]), *_columns(record)]
    if record.verdict is Verdict.PASS:
        lines += [f"  could have missed, up to: {line}" for line in _missed(record)[:MOST_LINES]]
    unsettled = gate_words.of_verdict(record, Verdict.INCONCLUSIVE)
    lines += [f"  {gate_words.to_settle(change)}" for change in unsettled[:MOST_LINES]]
    if record.verdict is not Verdict.NOTHING:
        lines.append(f"  self-test: {gate_words.self_test(record)}")
    lines += [f"  note: {plain(note)}" for note in record.notes[:MOST_LINES]]
    lines.append(
        f"  {gate_words.effort(record)}; exit status {record.verdict.exit_code} ({record.verdict})"
    )
    return "\n".join(lines)


def _told(reason: str, first: str) -> bool:
    """Whether the first line has a reason already; before its colon it says what it is about."""
    return (reason.partition(": ")[2] or reason) in first


def safe(words: str) -> str:
    """Somebody's text that stays text in Markdown: no markup, no HTML, nobody called by @name.

    What stands in backticks stays code. A zero-width space keeps GitHub from mentioning people and
    issues: it looks for them after entities are resolved.
    """
    parts = _CODE.split(plain(words))
    return "".join(part if n % 2 else _inert(part) for n, part in enumerate(parts))


def _inert(part: str) -> str:
    quiet = re.sub(r"@|#(?=\d)", lambda found: f"{found[0]}\N{ZERO WIDTH SPACE}", part)
    return quiet.translate(_ENTITIES)


def _opening(record: VerdictRecord) -> str:
    return f"### {safe(gate_words.headline(record))}\n\n{_compared(record)}"


def _compared(record: VerdictRecord) -> str:
    how = {
        Source.REVISIONS: "trained by turns, in one job on one machine",
        Source.SUMMARIES: "two runs that were measured apart",
        Source.BENCHMARKS: "two files of pytest-benchmark",
    }[record.source]
    return f"{_side(record.head)} against {_side(record.reference)}: {how}."


def _side(side: Side) -> str:
    commit = f" ({side.commit[:10]})" if side.commit else ""
    subject = f", *{safe(side.subject)}*" if side.subject else ""
    return f"**{safe(side.name)}**{commit}{subject}"


def _reasons(record: VerdictRecord) -> str:
    return "**Why**\n\n" + _bullets(record.reasons)


def _changes(record: VerdictRecord) -> str:
    ordered = _gravest_first(record)
    if not ordered:
        return ""
    header = ["What", "Metric", "Before", "After", "Change (95 %)", "Threshold", "Noise floor"]
    rows = [_row(change) for change in ordered[:MOST_ROWS]]
    table = formats.table([*header, "Visible from", "Verdict"], rows)
    return f"{table}\n\n{_left_out(len(ordered) - len(rows))}{_legend(record)}"


def _gravest_first(record: VerdictRecord) -> list[Change]:
    """All comparisons; none if none has a number to show."""
    if all(change.change is None for change in record.changes):
        return []
    return sorted(record.changes, key=lambda change: _GRAVEST_FIRST.index(change.verdict))


def _row(change: Change) -> list[str]:
    verdict = str(change.verdict)
    return [
        *map(safe, _measured(change, 200)),
        gate_words.signed_change(change, change.noise),
        gate_words.size(change, change.smallest),
        verdict if change.verdict is Verdict.PASS else f"**{verdict}**",
    ]


def _measured(change: Change, most: int) -> list[str]:
    """What both tables show of a comparison; its subject in so many characters."""
    threshold = change.threshold if change.change is not None else None
    return [
        plain(change.subject, most),
        gate_words.title(change),
        gate_words.level(change.before, change.unit),
        gate_words.level(change.after, change.unit),
        gate_words.signed_change(change, change.change),
        gate_words.size(change, threshold),
    ]


def _columns(record: VerdictRecord) -> list[str]:
    """The comparisons for a terminal, each column as wide as its widest cell."""
    ordered = _gravest_first(record)
    if not ordered:
        return []
    header = ["what", "metric", "before", "after", "change (95 %)", "threshold", "verdict"]
    rows = [[*_measured(change, 60), str(change.verdict)] for change in ordered[:MOST_LINES]]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in (header, *rows)]
    more = len(ordered) - len(rows)
    return [*lines, f"  and {more} more, none graver"] if more else lines


def _left_out(count: int) -> str:
    if not count:
        return ""
    return f"{formats.plural(count, 'more comparison')}, none graver, in the verdict's JSON. "


def _legend(record: VerdictRecord) -> str:
    legend = "*Change*: above 0 is worse. "
    if any(change.metric in ("input_wait", "boundary_gap") for change in record.changes):
        legend += "Of input wait and boundary gap, it is a share of the reference's epoch. "
    if any(change.metric == "accuracy" for change in record.changes):
        legend += "Of accuracy, it is in points. "
    return (
        f"{legend}*Noise floor*: the reference against itself. *Visible from*: the smallest change "
        f"that so many blocks of this noise could have shown. {NOTHING}: not measured."
    )


def _unseen(record: VerdictRecord) -> str:
    """What a pass could have missed; what would settle what is not settled."""
    if record.verdict is Verdict.PASS:
        lines = _bullets(_missed(record))
        return f"**What it could have missed**: changes for the worse up to these.\n\n{lines}"
    unsettled = gate_words.of_verdict(record, Verdict.INCONCLUSIVE)
    if not unsettled:
        return ""
    return "**What would settle it**\n\n" + _bullets([*map(gate_words.to_settle, unsettled)])


def _missed(record: VerdictRecord) -> list[str]:
    """A line a subject."""
    subjects = groupby(record.changes, key=lambda change: change.subject)
    return [
        f"{plain(subject, 200)}: {', '.join(map(gate_words.missed, changes))}"
        for subject, changes in subjects
    ]


def _sure(record: VerdictRecord) -> str:
    measured = f"Measured: {gate_words.effort(record)}."
    if record.verdict is Verdict.NOTHING:
        return measured
    lines = [
        f"Self-test: {gate_words.self_test(record)}.",
        f"Errors: a regression is called where there is none in at most "
        f"{gate_words.percent(record.family_error)} of checks, all comparisons and all looks "
        f"together; a change of the threshold's size passes in at most "
        f"{gate_words.percent(PASS_ERROR)}; both if blocks vary as the method assumes.",
        measured,
    ]
    return "**How sure**\n\n" + _bullets(lines)


def _notes(record: VerdictRecord) -> str:
    return "**Notes**\n\n" + _bullets(record.notes) if record.notes else ""


def _details(record: VerdictRecord) -> str:
    parts = [_environment(record), _reproduce(record)]
    inside = "\n\n".join(filter(None, parts))
    return (
        f"<details><summary>Environment, and how to do it again</summary>\n\n{inside}\n\n</details>"
    )


def _environment(record: VerdictRecord) -> str:
    found = record.environment
    if found is None:
        return ""
    versions = ", ".join(f"{package} {version}" for package, version in found.versions.items())
    rows = [
        ["CPU", f"{found.cpu_model}, {formats.plural(found.cores, 'core')}"],
        ["memory", formats.size(found.memory_bytes)],
        ["GPU", ", ".join(found.gpus) or "none"],
        ["platform", found.platform],
        ["Python, backend", f"{found.python}, {found.backend}"],
        ["versions", versions],
        ["unsteadiness, load (1 min)", f"{found.noise:.1%}, {found.load_1min:.2f}"],
        ["leafbench", f"{record.leafbench_version}, {record.created_at}"],
    ]
    return formats.text_table(["", ""], [[key, safe(value)] for key, value in rows])


def _reproduce(record: VerdictRecord) -> str:
    options = {
        Source.REVISIONS: " with the options that `check.json` has in its `command`",
        Source.SUMMARIES: "",
        Source.BENCHMARKS: "",
    }[record.source]
    commands = "\n".join(_commands(record))
    return f"To do it again{options}:\n\n```sh\n{commands}\n```"


def _commands(record: VerdictRecord) -> list[str]:
    reference, head = record.reference, record.head
    before, after = _argument(reference.name), _argument(head.name)
    if record.source is Source.SUMMARIES:
        return [f"leafbench compare {before} {after}"]
    if record.source is Source.BENCHMARKS:
        return [f"leafbench check --microbench {before} {after}"]
    budget = f" --budget {record.budget_s:g}s" if record.budget_s is not None else ""
    changed = "  # and the changes that are in no commit" if head.dirty else ""
    return [
        f"git checkout {_argument(head.commit or head.name)}{changed}",
        f"leafbench check --against {_argument(reference.commit or reference.name)}{budget}",
    ]


def _argument(word: str) -> str:
    """A word for a shell that cannot end the block of code around it."""
    return shlex.quote(plain(word)).replace("```", "'```'")


def _bullets(lines: Sequence[str]) -> str:
    more = len(lines) - MOST_LINES
    shown = [f"- {safe(line)}" for line in lines[:MOST_LINES]]
    if more > 0:
        shown.append(f"- and {more} more, in the verdict's JSON")
    return "\n".join(shown)


_SECTIONS: tuple[Callable[[VerdictRecord], str], ...] = (
    _opening,
    _reasons,
    _changes,
    _unseen,
    _sure,
    _notes,
    _details,
)
