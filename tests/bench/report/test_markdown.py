"""The report as a whole, under a golden file, and what it says when something is missing.

After a change on purpose run `LEAFBENCH_UPDATE_GOLDEN=1 pytest tests/bench/report`, and read the
diff.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.report.figures import figures
from bench.report.markdown import markdown
from bench.results import RunResults, compute
from bench.schema import ClaimSpec, FailureKind
from leafmodel.pipelines.facts import MadeOnce
from tests.bench.samples import (
    EPOCH_S,
    failed_record,
    proof_records,
    run_record,
    trial_records,
)

GOLDEN = Path(__file__).parent / "golden" / "report.md"
NAMES = tuple(name for name in EPOCH_S if not name.startswith("ceiling_"))


def make(run=None, trials=None, proofs=None) -> RunResults:
    run = run or run_record()
    trials = trial_records(run) if trials is None else trials
    return compute(run, trials, proof_records(run) if proofs is None else proofs)


def test_the_whole_report_is_as_it_was_read_and_approved():
    text = markdown(make(run_record(variants=NAMES)))
    if os.environ.get("LEAFBENCH_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_a_file_that_one_trial_made_is_named_with_its_cost():
    run = run_record(variants=("default", "memory_mapped"))
    made = MadeOnce(1_300_000_000, found=False, size_bytes=12 * 2**20)
    trials = [
        replace(t, made_once=replace(made, found=t.spec.block > 0))
        if t.spec.variant == "memory_mapped"
        else t
        for t in trial_records(run)
    ]
    text = markdown(make(run, trials))
    assert (
        "memory_mapped (cnn) trains from a file of 12 MiB that took 1.30 s to make. One trial of a "
        "run makes it and the others find it ready; the table counts that time in every first epoch"
    ) in text
    assert "trains from a file" not in markdown(make(run, trial_records(run)))


def test_it_opens_with_the_verdict_in_two_sentences():
    title, sentences = markdown(make()).split("\n\n")[:2]
    assert title == "# Is in_model 7 times as fast as default here? **Impossible here**"
    assert re.match(
        r"On this machine in_model is 1\.1\d times as fast as default per epoch "
        r"\(95% interval .*\), not 7 times\. "
        r"No input pipeline can be more than about 1\.4\d times as fast here .*\.$",
        sentences,
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (1.05, "so the claim of 1.05 times holds here"),
        (1.3, "not 1.3 times"),
        (1.14, "; the claim of 1.14 times is undecided, because the interval holds 1.14"),
    ],
)
def test_each_verdict_has_its_words(target, words):
    assert words in markdown(make(run_record(claim=ClaimSpec(target=target))))


def test_impossible_says_what_was_measured_too():
    text = markdown(make()).split("*Impossible here*: ")[1].split("\n")[0]
    assert re.search(r"Measured was 1\.1\dx", text)


def test_few_blocks_are_called_few():
    assert "rests on 3 blocks, which is few" in markdown(make())
    assert "which is few" not in markdown(make(run_record(blocks=10)))


def partial() -> RunResults:
    run = run_record()
    return make(run, trial_records(run)[:7])


def only_failed() -> RunResults:
    run = run_record()
    trials = [failed_record(spec, FailureKind.MEMORY, "killed | no memory") for spec in run.plan]
    return make(run, trials)


def empty() -> RunResults:
    return make(trials=(), proofs=())


def test_a_partial_run_is_shown_as_such():
    text = markdown(partial())
    assert "**This run is not complete**: 7 of 15 planned trials have a record." in text
    assert "(no interval)" in text
    assert "Without a record: 8: `b01-" in text
    assert "warning: partial-run" in text


def test_failed_trials_are_shown_as_such():
    text = markdown(only_failed())
    assert "cannot be told: no steady epoch of default was measured" in text
    assert "15 trials failed" in text
    assert "**`b00-00-default-cnn`**, memory: killed \\| no memory" in text
    assert "```text\nTraceback" in text


def test_an_empty_run_is_shown_as_such():
    text = markdown(empty())
    assert "No trial has a record" in text
    assert "How much any input pipeline could give here was not measured" in text
    assert "**no proof**" in text


@pytest.mark.parametrize("results", [make, partial, only_failed, empty])
def test_every_figure_shown_was_drawn_and_no_number_is_nan(results):
    text = markdown(results())
    shown = set(re.findall(r"\(figures/(.*?)\)", text))
    assert shown == set(figures(results()))
    assert not re.search(r"\b(nan|inf|None)\b", text)


def test_every_row_of_a_table_has_the_cells_of_its_header():
    for results in (make(), partial(), only_failed(), empty()):
        for block in markdown(results).split("\n\n"):
            rows = [line for line in block.split("\n") if line.startswith("|")]
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1


def test_a_variant_without_proof_says_so_beside_its_number():
    run = run_record()
    text = markdown(make(run, proofs=proof_records(run, without=["in_model"])))
    assert re.search(r"^\| in_model \|.* not proved \|$", text, re.MULTILINE)


def test_it_ends_with_the_commands():
    lines = markdown(make(run_record(skip_bad=True, augment=False, images=768))).splitlines()
    assert lines[-1] == "```"
    assert lines[-2] == "leafbench report reports/20260102-030405-quick"
    assert lines[-3].startswith("leafbench run --suite quick --data data/leaves --variants ")
    assert lines[-3].endswith("--images 768 --skip-bad --no-augment")


def test_several_phases_are_told_apart():
    text = markdown(make(run_record(phases=("cnn", "transfer"))))
    assert "| in_model (cnn) |" in text
    assert "| in_model (transfer) |" in text
    assert "claim | in_model is 7x as fast as default (transfer)" in text
