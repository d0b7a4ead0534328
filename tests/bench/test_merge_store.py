"""From sessions of shards to a merged run on disk, its report and what it refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import plan, reporting, session
from bench.codec import encode
from bench.errors import MergeError, StoreError
from bench.hold import hold
from bench.merge_store import merge_folders
from bench.profile_schema import ProfileRecord
from bench.schema import (
    ProfileMode,
    RunConfig,
    RunRecord,
    Shard,
    TrialRecord,
    TrialSpec,
    VariantProof,
)
from bench.store import read, read_record
from bench.tensorboard_server import missing
from tests.bench.fakes import NOON, FakeExecutor, leaves, small_config, tools
from tests.bench.samples import environment


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    root = leaves(tmp_path / "leaves")
    return small_config(root, blocks=3)


@pytest.fixture
def make(config: RunConfig, tmp_path: Path) -> Callable[..., Path]:
    """Makes a shard in a folder of its own."""

    def shard(number: int, of: int = 2, machine: Any = None, **changes: Any) -> Path:
        folder = tmp_path / f"shard-{number}"
        given = tools(FakeExecutor(), machine)
        session.start(replace(config, **changes), folder, (), given, Shard(number, of))
        return folder

    return shard


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "whole"


def merged(out: Path, *folders: Path, **options: Any) -> Path:
    merge_folders(out, folders, NOON, **options)
    return out


def test_a_merged_run_is_a_run(make: Callable[..., Path], config: RunConfig, out: Path) -> None:
    merged(out, make(1, audit_data=True), make(2, audit_data=True))
    config = replace(config, audit_data=True)
    stored = read(out)
    assert [r.spec for r in stored.trials] == list(plan.build(config))
    assert stored.run.config == config
    assert stored.run.created_at == "2026-01-02T12:00:00+00:00"
    assert {proof.variant for proof in stored.proofs} == set(config.variants)
    assert stored.audit == read(out.parent / "shard-1").audit
    assert stored.audit is not None
    assert stored.broken == ()
    assert (out / "split.json").read_bytes() == (out.parent / "shard-2/split.json").read_bytes()
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "latest", "leaves", "shard-1", "shard-2", "whole",
    ]  # fmt: skip


def test_profiles_come_with_their_traces(make: Callable[..., Path], out: Path) -> None:
    profiled = {"profile": ProfileMode.ALL}
    merged(out, make(1, **profiled), make(2, **profiled))
    stored = read(out)
    assert [p.spec.trial.variant for p in stored.profiles] == ["default", "in_model"]
    assert all((out / str(profile.trace)).read_bytes() == b"trace" for profile in stored.profiles)
    assert not any("trace is not" in note for note in missing(stored, out, True))


def test_starting_points_of_every_shard_are_kept(make: Callable[..., Path], out: Path) -> None:
    phases = {"phases": ("finetune",), "backbone": "EfficientNetLite0", "weights": "none"}
    first, second = make(1, **phases), make(2, **phases)
    merged(out, first, second)
    assert len(read(out).starts) == 2
    names = ["transfer-1.json", "transfer-1.weights.h5", "transfer-2.json", "transfer-2.weights.h5"]
    assert sorted(path.name for path in (out / "starts").iterdir()) == names
    assert (out / "starts/transfer-2.weights.h5").read_bytes() == b"weights of transfer"


def test_logs_of_the_trials_come_with_them(make: Callable[..., Path], out: Path) -> None:
    first, second = make(1), make(2)
    name = read(second).trials[0].spec.name
    (second / "logs" / f"{name}.log").write_text("what it printed")
    merged(out, first, second)
    assert (out / "logs" / f"{name}.log").read_text() == "what it printed"


def test_the_report_of_a_merged_run_is_complete(make: Callable[..., Path], out: Path) -> None:
    report = reporting.make(merged(out, make(1), make(2)))
    codes = {finding.code for finding in report.results.findings}
    assert "merged" in codes
    assert not codes & {"shard", "missing-blocks", "partial-run", "several-machines", "not-proved"}
    assert report.results.missing == ()
    text = report.path.read_text()
    assert "not complete" not in text
    assert "--shard 2/2 --out reports/shard-2" in text
    assert f"leafbench merge {out} reports/shard-1 reports/shard-2" in text


def test_the_report_says_which_blocks_no_shard_brought(
    make: Callable[..., Path], out: Path
) -> None:
    report = reporting.make(merged(out, make(1)))
    found = {finding.code: finding for finding in report.results.findings}
    assert found["missing-blocks"].what == (
        "5 of 15 planned trials have no record (no shard brought: b01 of shard 2/2)"
    )
    assert "**This run is not complete**: 10 of 15" in report.path.read_text()


def test_the_report_names_the_machines_by_block(make: Callable[..., Path], out: Path) -> None:
    shards = make(1), make(2, machine=environment(cpu_model="Other CPU", cores=8))
    with pytest.raises(MergeError, match="cores: 2 -> 8"):
        merged(out, *shards)
    assert not out.exists()
    report = reporting.make(merged(out, *shards, across_machines=True))
    found = {finding.code: finding for finding in report.results.findings}
    what = found["several-machines"].what
    assert "b00, b02 on Example CPU @ 2.5GHz, 2 cores, 8 GiB, no GPU" in what
    assert "b01 on Other CPU, 8 cores, 8 GiB, no GPU" in what
    assert str(found["several-machines"].severity) == "problem"
    text = report.path.read_text()
    assert "Over several machines in_model is" in text
    assert "On this machine" not in text
    assert "--across-machines" in text


def test_a_merged_run_does_not_go_on(make: Callable[..., Path], out: Path) -> None:
    merged(out, make(1))
    executor = FakeExecutor()
    with pytest.raises(MergeError) as caught:
        session.resume(out, tools(executor))
    assert "Run whole was merged" in str(caught.value)
    assert "shard-1 (shard 1/2)" in str(caught.value)
    assert executor.seen == []


def test_a_merged_run_is_not_merged_again(make: Callable[..., Path], out: Path) -> None:
    merged(out, make(1))
    with pytest.raises(MergeError, match=r"whole was merged already: .*\(shard-1\)"):
        merged(out.parent / "more", out, make(2))


def test_records_that_cannot_be_read_are_named(make: Callable[..., Path], out: Path) -> None:
    first, second = make(1), make(2)
    half = next((second / "trials").iterdir())
    half.write_bytes(half.read_bytes()[:99])
    with pytest.raises(MergeError) as caught:
        merged(out, first, second)
    assert f"{half} is not a whole JSON record" in str(caught.value)
    assert f"leafbench run --resume {second}" in str(caught.value)
    session.resume(second, tools(FakeExecutor()))
    assert len(read(merged(out, first, second)).trials) == 15


def changed(path: Path, kind: type[Any], change: Callable[[Any], Any]) -> None:
    path.write_bytes(encode(change(read_record(path, kind))))


@pytest.mark.parametrize("name", ["../../escaped", "/escaped", "b00-00-other", "."])
def test_a_trial_goes_by_the_name_of_its_file(
    make: Callable[..., Path], out: Path, name: str
) -> None:
    first = make(1)
    planned = read(first).run.plan[0].name

    def renamed(spec: TrialSpec) -> TrialSpec:
        return replace(spec, name=name) if spec.name == planned else spec

    def replanned(run: RunRecord) -> RunRecord:
        return replace(run, plan=tuple(map(renamed, run.plan)))

    changed(first / "run.json", RunRecord, replanned)  # a plan that agrees makes it no better
    trial = first / "trials" / f"{planned}.json"
    changed(trial, TrialRecord, lambda record: replace(record, spec=renamed(record.spec)))
    before = sorted(out.parent.parent.rglob("*"))
    with pytest.raises(MergeError) as caught:
        merged(out, first)
    assert f"{first / 'trials'}: expected each record in the file of its own name" in str(
        caught.value
    )
    assert sorted(out.parent.parent.rglob("*")) == before


def test_a_second_record_of_a_trial_is_refused(make: Callable[..., Path], out: Path) -> None:
    first = make(1)
    one, other, *_ = sorted((first / "trials").iterdir())
    other.write_bytes(one.read_bytes())
    with pytest.raises(MergeError, match=f"found '{other.stem}' only as one of the two"):
        merged(out, first)


def test_a_proof_goes_by_the_name_of_its_file(make: Callable[..., Path], out: Path) -> None:
    first = make(1)
    proof = first / "proofs" / "in_model.json"
    changed(proof, VariantProof, lambda found: replace(found, variant="../in_model"))
    with pytest.raises(MergeError, match=r"proofs: expected .* found '\.\./in_model'"):
        merged(out, first)


def test_a_profile_goes_by_the_name_of_its_file(make: Callable[..., Path], out: Path) -> None:
    first = make(1, profile=ProfileMode.ALL)
    (first / "profiles" / "in_model-cnn.json").rename(first / "profiles" / "other.json")
    with pytest.raises(MergeError, match=r"profiles: expected .* found 'in_model-cnn'"):
        merged(out, first)


@pytest.mark.parametrize("trace", ["../secret", "tensorboard/../../secret", "{parent}/secret"])
def test_a_trace_that_leads_out_of_its_shard_is_not_copied(
    make: Callable[..., Path], out: Path, trace: str
) -> None:
    first = make(1, profile=ProfileMode.ALL)
    (first.parent / "secret").write_text("not ours")
    path = trace.format(parent=first.parent)
    changed(
        first / "profiles" / "in_model-cnn.json",
        ProfileRecord,
        lambda found: replace(found, trace=path),
    )
    with pytest.raises(MergeError) as caught:
        merged(out, first)
    assert f"found {path!r}, which leads out of it" in str(caught.value)
    assert not out.exists()


def test_a_link_that_leads_out_of_its_shard_is_not_followed(
    make: Callable[..., Path], out: Path
) -> None:
    first = make(1)
    (first.parent / "secret").write_text("not ours")
    name = read(first).trials[0].spec.name
    (first / "logs" / f"{name}.log").symlink_to(first.parent / "secret")
    with pytest.raises(MergeError, match=f"found 'logs/{name}.log', which leads out of it"):
        merged(out, first)
    assert not out.exists()


def test_what_is_no_run_is_refused(make: Callable[..., Path], out: Path, tmp_path: Path) -> None:
    first = make(1)
    with pytest.raises(StoreError, match="there is no such folder"):
        merged(out, first, tmp_path / "nowhere")
    with pytest.raises(StoreError, match=r"there is no run\.json in it"):
        merged(out, first, tmp_path / "leaves")


def test_one_folder_twice_is_refused(make: Callable[..., Path], out: Path) -> None:
    first = make(1)
    with pytest.raises(MergeError, match=r"latest is given twice"):
        merged(out, first, first.parent / "latest")


@pytest.mark.parametrize("kind", ["empty", "run", "link"])
def test_what_is_there_is_never_written_over(
    make: Callable[..., Path], out: Path, kind: str
) -> None:
    first, second = make(1), make(2)
    if kind == "empty":
        out.mkdir()
    elif kind == "run":
        out = first
    else:
        out.symlink_to("nowhere")
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    with pytest.raises(StoreError, match=r"is there already: the first folder is the one to make"):
        merged(out, first, second)
    assert before == {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}


def test_a_shard_that_is_being_made_is_left_alone(make: Callable[..., Path], out: Path) -> None:
    first = make(1)
    lock = hold(first)
    with pytest.raises(StoreError, match="Another leafbench works on"):
        merged(out, first)
    os.close(lock)
    assert len(read(merged(out, first)).trials) == 10
    os.close(hold(first))  # merging let it go


def test_a_full_disk_leaves_nothing_behind(
    make: Callable[..., Path], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = make(1), make(2)
    left = [19]  # the last file of 15 trials, two proofs, the split and the head

    def fill(_descriptor: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", fill)
    before = sorted(out.parent.rglob("*"))
    with pytest.raises(StoreError) as caught:
        merged(out, *shards)
    assert str(caught.value) == (f"The disk is full: {out} could not be written. Free some space.")
    assert sorted(out.parent.rglob("*")) == before


def test_an_interrupt_leaves_nothing_behind(
    make: Callable[..., Path], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(1)

    def interrupt(_record: object) -> bytes:
        if len(list(out.parent.glob(".whole*/trials/*.json"))) == 3:
            raise KeyboardInterrupt
        return encode(_record)

    monkeypatch.setattr("bench.merge_store.encode", interrupt)
    before = sorted(out.parent.rglob("*"))
    with pytest.raises(KeyboardInterrupt):
        merged(out, first)
    assert sorted(out.parent.rglob("*")) == before
