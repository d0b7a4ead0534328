"""A shard is never taken for a run, a merged run never for one of one machine."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from bench.evidence import Finding, Severity
from bench.report.markdown import markdown
from bench.report.summary import summary
from bench.results import RunResults, compute
from bench.schema import ProfileMode, RunPart, RunRecord, Shard, TrialRecord
from bench.shard_findings import machine_text
from bench.shards import own_trials
from tests.bench.samples import SECOND, environment, proof_records, run_record, trial_records

QUIET = {"block_noise": 0.004, "epoch_noise": 0.004}


def results(run: RunRecord, without: Collection[str] = (), **changes: Any) -> RunResults:
    """A run with all the records that its folder is to hold, but for some."""
    own = {spec.name for spec in own_trials(run)} - set(without)
    trials: list[TrialRecord] = [t for t in trial_records(run, **QUIET) if t.spec.name in own]
    trials = [replace(trial, **changes) for trial in trials]
    return compute(run, trials, proof_records(run))


def found(made: RunResults) -> dict[str, Finding]:
    return {finding.code: finding for finding in made.findings}


def shard(number: int, of: int, **config: Any) -> RunRecord:
    return replace(run_record(blocks=4, **config), shard=Shard(number, of))


def merged(*machines: Any, of: int = 2) -> RunRecord:
    """A merged run of four blocks, a part a machine."""
    parts = tuple(
        RunPart(f"shard-{n}", "", (), Shard(n, of), tuple(range(n - 1, 4, of)), machine)
        for n, machine in enumerate(machines, 1)
    )
    return replace(run_record(blocks=4), parts=parts, command=("leafbench", "merge", "whole", "a"))


def test_a_whole_run_is_told_nothing() -> None:
    codes = set(found(results(run_record(blocks=4))))
    assert not codes & {"shard", "missing-blocks", "merged", "several-machines"}


def test_a_shard_says_what_it_is_and_what_is_missing() -> None:
    made = results(shard(2, 3))
    finding = found(made)["shard"]
    assert finding.severity is Severity.WARNING
    assert finding.what == (
        "this is only shard 2 of 3 of a run: it makes 1 of 4 blocks (b01); b00, b02, b03 are "
        "missing here"
    )
    assert "leafbench merge OUT RUN" in finding.remedy
    assert finding.cost_share == 0.75
    assert "partial-run" not in found(made)


def test_a_shard_never_looks_complete() -> None:
    made = results(shard(1, 2))
    assert "**This run is not complete**: 10 of 20 planned trials have a record." in markdown(made)
    assert summary(made)["complete"] is False
    assert summary(made)["verdict"].startswith("In shard 1 of 2 alone, on this machine in_model is")


def test_a_shard_but_the_first_says_who_makes_the_profiles() -> None:
    profiled = {"profile": ProfileMode.AUTO}
    assert found(results(shard(2, 2, **profiled)))["shard"].what.endswith(
        "; shard 1 makes the profiles"
    )
    assert "profiles" not in found(results(shard(1, 2, **profiled)))["shard"].what
    assert "profiles" not in found(results(shard(2, 2)))["shard"].what


def test_a_shard_that_was_stopped_is_partial_as_a_shard() -> None:
    run = shard(2, 2)
    stopped = results(run, without=[own_trials(run)[-1].name])
    assert found(stopped)["partial-run"].what == "1 of 10 planned trials have no record"


def test_the_only_shard_lacks_nothing() -> None:
    assert "shard" not in found(results(shard(1, 1)))


def test_the_commands_of_a_shard_make_that_shard() -> None:
    assert "--shard 2/3\nleafbench report" in markdown(results(shard(2, 3)))


LIKE = environment(noise=0.04)
FAST = environment(cpu_model="Other CPU", cores=8, gpus=("GPU 1",))


def test_a_merged_run_of_machines_that_are_alike_says_which_blocks_are_whose() -> None:
    made = results(merged(environment(), LIKE))
    finding = found(made)["merged"]
    assert finding.severity is Severity.INFO
    assert finding.what == (
        "merged from 2 runs on machines that are alike: b00, b02 from shard-1; b01, b03 from "
        "shard-2"
    )
    assert "several-machines" not in found(made)
    assert "On this machine" in markdown(made)


def test_a_merged_run_of_several_machines_names_them_by_block() -> None:
    made = results(merged(environment(), FAST))
    finding = found(made)["several-machines"]
    assert finding.severity is Severity.PROBLEM
    assert (
        "2 kinds of machine (b00, b02 on Example CPU @ 2.5GHz, 2 cores, 8 GiB, no GPU; b01, b03 on "
        "Other CPU, 8 cores, 8 GiB, GPU 1)"
    ) in finding.what
    text = markdown(made)
    assert "Over several machines in_model is" in text
    assert "this run on these machines, not other machines" in text
    assert "merged" not in found(made)


def test_the_report_lists_the_parts() -> None:
    text = markdown(results(merged(environment(), FAST)))
    rows = [line for line in text.splitlines() if "| shard-" in line.replace("|  ", "| ")]
    assert len(rows) == 2
    assert "2/2" in rows[1]
    assert "b01, b03" in rows[1]
    assert "Other CPU, 8 cores" in rows[1]


def test_blocks_that_no_shard_brought_are_named_with_their_shard() -> None:
    run = merged(environment(), of=3)
    lacking = [spec.name for spec in run.plan if spec.block in (1, 2)]
    partial = [spec.name for spec in run.plan if spec.block == 3][:2]
    made = results(run, without=[*lacking, *partial])
    finding = found(made)["missing-blocks"]
    assert finding.severity is Severity.WARNING
    assert finding.what == (
        "12 of 20 planned trials have no record (no shard brought: b01 of shard 2/3, b02 of shard "
        "3/3; not whole: b03 of shard 1/3)"
    )
    assert "partial-run" not in found(made)
    assert "missing-blocks" not in found(results(run))


@pytest.mark.parametrize(("cores", "share"), [(2, 0.5), (8, 0.125)])
def test_shares_of_a_machine_are_of_the_machine_of_the_block(cores: int, share: float) -> None:
    run = merged(environment(cores=2), environment(cores=cores), of=2)
    one_core = {"wall_ns": SECOND, "cpu_ns": SECOND, "other_cpu_ns": 0}
    item = results(run, **one_core).find("in_model", "cnn")
    assert item is not None
    assert item.cpu_share == pytest.approx((0.5 + share) / 2)


def test_a_machine_in_words() -> None:
    assert machine_text(environment(cores=1)) == "Example CPU @ 2.5GHz, 1 core, 8 GiB, no GPU"
