"""Where verdicts go, and what is said when they cannot."""

from __future__ import annotations

import errno

import pytest

from bench import store
from bench.codec import decode
from bench.errors import StoreError
from bench.gate.schema import VerdictRecord
from bench.report import gate, gate_ci, gate_outputs
from bench.report.gate_outputs import Copies, prepare, printed, write
from tests.bench.gate import samples


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("make", [*samples.KINDS_OF_VERDICT.values(), samples.hostile])
def test_the_folder_gets_all_three_and_the_record_reads_back(make, tmp_path):
    folder = tmp_path / "deep" / "check"
    write(make(), folder, {})
    assert names(folder) == ["junit.xml", "verdict.json", "verdict.md"]
    assert decode((folder / "verdict.json").read_bytes(), VerdictRecord, "it") == make()
    assert (folder / "verdict.md").read_text(encoding="utf-8") == gate.markdown(make())
    assert (folder / "junit.xml").read_bytes() == gate_ci.junit(make())


def test_copies_are_the_same_files(tmp_path):
    copies = Copies(json=tmp_path / "a.json", junit=tmp_path / "b.xml")
    write(samples.passed(), tmp_path / "check", {}, copies)
    assert copies.json.read_bytes() == (tmp_path / "check" / "verdict.json").read_bytes()
    assert copies.junit.read_bytes() == (tmp_path / "check" / "junit.xml").read_bytes()


def test_without_a_folder_only_copies_are_written(tmp_path):
    write(samples.passed(), None, {}, Copies(json=tmp_path / "a.json"))
    assert names(tmp_path) == ["a.json"]


def test_the_summary_of_a_job_keeps_what_others_wrote(tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("from another step\n", encoding="utf-8")
    write(samples.regressed(), None, {"GITHUB_STEP_SUMMARY": str(summary)})
    told = gate.markdown(samples.regressed())
    assert summary.read_text(encoding="utf-8") == f"from another step\n\n{told}"


@pytest.mark.parametrize("environment", [{}, {"GITHUB_STEP_SUMMARY": ""}])
def test_without_a_job_there_is_no_summary(environment, tmp_path):
    write(samples.passed(), tmp_path, environment)
    assert names(tmp_path) == ["junit.xml", "verdict.json", "verdict.md"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"Cannot write .*gone/a\.json: No such file"):
        write(samples.passed(), None, {}, Copies(json=tmp_path / "gone" / "a.json"))


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "check").write_text("x")
    with pytest.raises(StoreError, match=r"Cannot write .*check: File exists"):
        write(samples.passed(), tmp_path / "check", {})


def test_a_summary_that_cannot_be_written_is_named_and_the_verdict_is_safe(tmp_path):
    environment = {"GITHUB_STEP_SUMMARY": str(tmp_path / "gone" / "summary.md")}
    with pytest.raises(StoreError, match=r"Cannot write .*gone/summary\.md"):
        write(samples.passed(), tmp_path / "check", environment)
    assert decode((tmp_path / "check/verdict.json").read_bytes(), VerdictRecord, "it")


def test_a_full_disk_says_so_and_leaves_nothing_half(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(StoreError, match=r"The disk is full: .*verdict\.json"):
        write(samples.passed(), tmp_path, {})
    assert names(tmp_path) == []


def test_a_full_disk_under_the_summary_says_so(tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, _data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gate_outputs.Path, "open", lambda *_: Full())
    with pytest.raises(StoreError, match=r"The disk is full: .*summary\.md"):
        write(samples.passed(), None, {"GITHUB_STEP_SUMMARY": str(summary)})


def test_annotations_are_printed_in_a_job_of_github_only():
    record = samples.regressed()
    alone = printed(record, {})
    assert alone == gate.text(record)
    told = printed(record, {"GITHUB_ACTIONS": "true"})
    assert told == "\n".join([alone, *gate_ci.workflow_commands(record)])


def test_a_copy_that_could_not_be_written_is_refused_before_anything_is_measured(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "v.json"):
        with pytest.raises(StoreError, match="Cannot write"):
            prepare(Copies(json=path))


def test_a_copy_may_go_to_a_folder_that_is_not_there_yet(tmp_path):
    prepare(Copies(junit=tmp_path / "ci" / "junit.xml"))
    assert (tmp_path / "ci").is_dir()
