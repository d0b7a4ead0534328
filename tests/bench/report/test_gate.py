"""Verdicts in words, under golden files; and what no record may do to them.

After a change on purpose run `LEAFBENCH_UPDATE_GOLDEN=1 pytest tests/bench/report`, and read the
diff.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gate.metrics import Metric, Unit
from bench.gate.schema import Estimate, Source, Verdict, VerdictRecord
from bench.report import gate_words
from bench.report.gate import MOST_LINES, MOST_ROWS, markdown, safe, text
from bench.report.gate_ci import junit, workflow_commands
from tests.bench.gate import samples

GOLDEN = Path(__file__).parent / "golden"
FORMATS = {
    "md": markdown,
    "txt": lambda record: text(record) + "\n",
    "xml": lambda record: junit(record).decode(),
    "annotations": lambda record: "\n".join(workflow_commands(record)) + "\n",
}
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("kind", samples.KINDS_OF_VERDICT)
def test_each_verdict_is_as_it_was_read_and_approved(kind, suffix):
    made = FORMATS[suffix](samples.KINDS_OF_VERDICT[kind]())
    path = GOLDEN / f"gate-{kind}.{suffix}"
    if os.environ.get("LEAFBENCH_UPDATE_GOLDEN"):
        path.write_text(made, encoding="utf-8")
    assert made == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "first"),
    [
        (samples.passed, "pass: none of 7 comparisons is worse by its threshold or more"),
        (
            samples.regressed,
            "regression: in_model, cnn: steady epoch 9.8 % slower (95 %: 8.1 to 11.5 %), "
            "threshold 5 %; and 1 more",
        ),
        (
            samples.undecided,
            "inconclusive: in_model, cnn: steady epoch 3.1 % slower (95 %: 1.4 to 4.8 %), "
            "threshold 5 %; and 1 more",
        ),
        (
            samples.nothing,
            "nothing measured: in_model, cnn: training: the head could not be trained: "
            "ImportError: cannot import name 'fused'",
        ),
        (
            samples.blind,
            "inconclusive: the gate did not prove that it can fail: after 4 blocks the planted "
            "slowdown could be nothing as well",
        ),
    ],
)
def test_the_first_line_says_what_happened(make, first):
    assert text(make()).splitlines()[0] == first
    assert markdown(make()).splitlines()[0] == f"### {first}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            samples.change(Metric.EPOCH, -0.05),
            "steady epoch 5 % faster (95 %: -6.7 to -3.3 %), threshold 5 %",
        ),
        (
            samples.change(Metric.ACCURACY, 0.04),
            "accuracy 4 points lower (95 %: 2.3 to 5.7), threshold 10 points",
        ),
        (
            samples.change(Metric.ACCURACY, -0.04),
            "accuracy 4 points higher (95 %: -5.7 to -2.3), threshold 10 points",
        ),
        (
            samples.change(Metric.WAIT, 0.062),
            "input wait 6.2 % of an epoch longer (95 %: 4.5 to 7.9 %), threshold 5 %",
        ),
        (
            samples.change(Metric.MEMORY, 0.5, change=Estimate(0.5, None, None)),
            "peak memory 50 % more (no interval), threshold 10 %",
        ),
        (
            samples.change(Metric.EPOCH, 0.02, metric="speedup", threshold=0.0733),
            "speedup 2 % worse (95 %: 0.3 to 3.7 %), threshold 7.3 %",
        ),
        (
            samples.change(Metric.WAIT, 0.02, metric="input_wait_share"),
            "input wait share 2 points more (95 %: 0.3 to 3.7), threshold 5 points",
        ),
    ],
)
def test_each_metric_is_worse_in_its_own_words(change, words):
    assert gate_words.described(change) == f"in_model, cnn: {words}"


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.512, Unit.SECONDS, "512 ms"),
        (12.345, Unit.SECONDS, "12.3 s"),
        (0.0823, Unit.SECONDS, "82.3 ms"),
        (0.000_004_56, Unit.SECONDS, "4.56 µs"),
        (3e-10, Unit.SECONDS, "0.30 ns"),
        (0.0, Unit.SECONDS, "0.00 ns"),
        (0.598, Unit.SHARE, "59.8 %"),
        (1.2 * 2**30, Unit.BYTES, "1.20 GiB"),
        (1.15, Unit.TIMES, "1.15x"),
        (None, Unit.SECONDS, "–"),
    ],
)
def test_levels_show_a_change_of_a_percent(value, unit, shown):
    assert gate_words.level(value, unit) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.4, "0 s"),
        (59.6, "1 min"),
        (372.4, "6 min 12 s"),
        (900, "15 min"),
        (3600, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (None, "–"),
    ],
)
def test_durations_read_well(seconds, shown):
    assert gate_words.duration(seconds) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0.05, "5 %"), (0.0981, "9.8 %"), (0.0004, "0.04 %"), (12.5, "1,250 %")]
)
def test_shares_keep_the_digits_that_matter(share, shown):
    assert gate_words.percent(share) == shown


def test_a_pass_says_what_it_could_have_missed():
    made = replace(
        samples.passed(),
        changes=(samples.change(Metric.STEP), samples.change(Metric.EPOCH, value=-0.05)),
    )
    told = "in_model, cnn: steady step 2.6 %, steady epoch nothing"
    assert (
        f"**What it could have missed**: changes for the worse up to these.\n\n- {told}"
    ) in markdown(made)
    assert f"could have missed, up to: {told}" in text(made)


def test_a_pass_that_cannot_say_what_it_saw_could_have_missed_anything():
    made = replace(samples.passed(), changes=(samples.change(sure_high=None),))
    assert "could have missed, up to: in_model, cnn: steady epoch anything" in text(made)


@pytest.mark.parametrize("show", [markdown, text])
def test_an_inconclusive_one_says_what_would_settle_it(show):
    told = show(samples.undecided())
    assert (
        "steady epoch: the smallest change that could have been seen is 3.1 %; a budget of about "
        "41 min would settle it"
    ) in told
    assert "14.2 points; no budget can be foreseen that would settle it" in told


def test_without_blocks_enough_it_says_so():
    change = samples.change(verdict=Verdict.INCONCLUSIVE, smallest=None)
    assert gate_words.to_settle(change).endswith(
        "too few blocks to say what they could have shown; no budget can be foreseen that would "
        "settle it"
    )


@pytest.mark.parametrize("show", [markdown, text])
def test_an_unseen_plant_is_told_and_a_missing_one_too(show):
    assert "a slowdown of 5 % was planted, and NOT seen: measured +3.1 %" in show(samples.blind())
    none = replace(samples.passed(), self_test=None)
    assert "no slowdown was planted, so it was not proved here" in show(none)


def many(count: int) -> VerdictRecord:
    changes = [samples.change(subject=f"test_{n}", metric="round") for n in range(count - 1)]
    worse = samples.change(
        Metric.EPOCH, 0.2, Verdict.REGRESSION, subject="test_last", metric="round"
    )
    return samples.record(Verdict.REGRESSION, ["worse"] * count, [*changes, worse])


def test_hundreds_of_comparisons_fit_a_comment_gravest_first():
    told = markdown(many(400))
    rows = [line for line in told.splitlines() if line.startswith("| test_")]
    assert len(rows) == MOST_ROWS
    assert rows[0].startswith("| test_last | round ")
    assert f"{400 - MOST_ROWS} more comparisons, none graver" in told
    assert f"- and {400 - MOST_LINES} more, in the verdict's JSON" in told
    assert len(told) < 65_536


def test_few_comparisons_are_all_there():
    assert "more comparison" not in markdown(many(MOST_ROWS))


def test_a_terminal_gets_aligned_columns_gravest_first():
    lines = text(samples.regressed()).splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("  what "))
    rows = lines[head : head + 5]
    verdicts = [row.split()[-1] for row in rows]
    assert verdicts == ["verdict", "regression", "regression", "inconclusive", "pass"]
    assert len({row.rindex(word) for row, word in zip(rows, verdicts, strict=True)}) == 1


def test_a_terminal_gets_a_screen_of_them():
    told = text(many(400))
    assert f"  and {400 - MOST_LINES} more, none graver" in told
    assert len(told.splitlines()) < 3 * MOST_LINES


@pytest.mark.parametrize("show", [markdown, text])
def test_a_reason_that_is_no_comparison_is_told(show):
    assert "the budget of 900 s is spent" in show(samples.undecided())


@pytest.mark.parametrize("make", [samples.nothing, samples.blind])
def test_why_is_not_told_again_where_the_first_line_has_it(make):
    assert "why:" not in text(make())


@pytest.mark.parametrize(
    ("source", "command"),
    [
        (Source.REVISIONS, f"leafbench check --against {'1' * 40} --budget 900s"),
        (Source.SUMMARIES, "leafbench compare old.json 'new one.json'"),
        (Source.BENCHMARKS, "leafbench check --microbench old.json 'new one.json'"),
    ],
)
def test_it_says_how_to_do_it_again(source, command):
    made = replace(samples.passed(), source=source)
    if source is not Source.REVISIONS:
        sides = {
            "reference": replace(made.reference, name="old.json"),
            "head": replace(made.head, name="new one.json"),
        }
        made = replace(made, **sides, budget_s=None, spent_s=None, environment=None)
    told = markdown(made)
    assert f"{command}\n```" in told
    assert ("nothing was measured for this verdict" in told) == (source is not Source.REVISIONS)
    assert ("| CPU |" in told) == (source is Source.REVISIONS)


def test_hostile_text_stays_text():
    told = markdown(samples.hostile())
    assert "<img" not in told.replace(r"`tick: proof: a|b <img src=x> &", "")
    assert "&#60;img src=x&#62;" in told
    assert "@\N{ZERO WIDTH SPACE}someone" in told
    assert "#\N{ZERO WIDTH SPACE}7" in told
    assert not CONTROL.search(told + text(samples.hostile()))
    assert not any(line.startswith("::") for line in text(samples.hostile()).splitlines())


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            "run `leafbench check --against REF` <b>",
            "run `leafbench check --against REF` &#60;b&#62;",
        ),
        ("`a` <b> `c`", "`a` &#60;b&#62; `c`"),
        ("`<img>``", "&#96;&#60;img&#62;&#96;&#96;"),
        ("``<img>`", "&#96;&#96;&#60;img&#62;&#96;"),
        ("\\`<img>`", "&#92;`<img>`"),
        ("*a* [b](c) & ~d~", "&#42;a&#42; &#91;b&#93;(c) &amp; &#126;d&#126;"),
        ("two\nlines\r\n# three", "two lines # three"),
        ("owner/project#128", "owner/project#\N{ZERO WIDTH SPACE}128"),
    ],
)
def test_markup_is_shown_and_code_stays_code(words, shown):
    assert safe(words) == shown


@given(st.text())
def test_no_text_opens_a_tag_or_calls_anybody_outside_code(words):
    outside = re.sub(r"(?<!`)`[^`]+`(?!`)", "", safe(words))
    assert not re.search(r"[<>\[\]*\\]|@(?!\N{ZERO WIDTH SPACE})|(?<!&)#\d", outside)
    assert "`" not in outside


@given(st.text(max_size=2000))
def test_plain_text_is_one_line_without_control_characters(words):
    line = gate_words.plain(words)
    assert len(line) <= gate_words.MOST_CHARACTERS + len(" ...")
    assert not CONTROL.search(line)
    assert line.splitlines() in ([], [line])
    line.encode()


@pytest.mark.parametrize("make", [*samples.KINDS_OF_VERDICT.values(), samples.hostile])
def test_every_row_of_a_table_has_the_cells_of_its_header(make):
    for block in markdown(make()).split("\n\n"):
        rows = [line for line in block.split("\n") if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1


@pytest.mark.parametrize("show", [markdown, text])
@pytest.mark.parametrize("make", [*samples.KINDS_OF_VERDICT.values(), samples.hostile])
def test_nothing_that_is_missing_is_printed(make, show):
    assert not re.search(r"\b(nan|inf|None|null)\b", show(make()))
