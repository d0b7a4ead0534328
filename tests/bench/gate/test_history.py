"""The file of a history only grows, by whole lines, each verdict once."""

from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.codec import encode
from bench.errors import ConfigError, RecordError, StoreError
from bench.gate import history
from bench.gate.history import HISTORY_VERSION, Entry, Outcome, add, entry, line, parse, read
from bench.gate.metrics import Unit
from bench.gate.schema import Estimate, Side, Source, Verdict, VerdictRecord
from tests.bench.gate import made_history
from tests.bench.gate.samples import change, record
from tests.bench.samples import environment

OLD = Side("main", "a" * 40, "Decode in parallel")
NEW = Side("working tree", "b" * 40, "Disable prefetch")


def verdict(head: Side = NEW, reference: Side = OLD, **fields: object) -> VerdictRecord:
    return replace(
        record(Verdict.PASS, ["none is worse"], [change()]),
        head=head,
        reference=reference,
        **fields,
    )


def write(folder: Path, made: VerdictRecord, name: str = "verdict.json") -> Path:
    (folder / name).write_bytes(encode(made))
    return folder / name


def test_an_entry_is_what_a_verdict_says_of_two_commits() -> None:
    made = entry(verdict(environment=environment()), "verdict.json")
    assert (made.head, made.against) == (NEW, OLD)
    assert made.verdict is Verdict.PASS
    assert made.machine == history.machine(environment())
    (found,) = made.outcomes
    assert (found.subject, found.metric, found.unit) == ("in_model, cnn", "epoch", Unit.SECONDS)
    assert found.change == change().change
    assert (found.before, found.after) == (change().before, change().after)


def test_a_machine_in_words() -> None:
    made = replace(environment(), cpu_model="EPYC", cores=1, memory_bytes=8 << 30, gpus=("H100",))
    assert history.machine(made) == "EPYC, 1 core, 8 GiB, H100"
    assert history.machine(None) == ""


def test_added_verdicts_are_lines_in_the_order_given(tmp_path: Path) -> None:
    first = write(tmp_path, verdict(), "1.json")
    second = write(tmp_path, verdict(Side("x", "c" * 40), NEW), "2.json")
    to = tmp_path / "branch" / "history.jsonl"
    assert [e.head.commit[0] for e in add([first, second], to).entries] == ["b", "c"]
    lines = to.read_text().splitlines()
    assert [json.loads(text)["head"]["commit"][0] for text in lines] == ["b", "c"]
    assert read(to).entries == tuple(entry(verdict(h, r), "") for h, r in PAIRS)


PAIRS = ((NEW, OLD), (Side("x", "c" * 40), NEW))


def test_a_verdict_added_again_is_left_out(tmp_path: Path) -> None:
    path, to = write(tmp_path, verdict()), tmp_path / "history.jsonl"
    add([path, path], to)
    before = to.read_bytes()
    again = add([path], to)
    assert again.entries == ()
    assert [item.head for item in again.known] == [NEW]
    assert to.read_bytes() == before
    assert before.count(b"\n") == 1


def test_a_commit_measured_again_is_another_line(tmp_path: Path) -> None:
    to = tmp_path / "history.jsonl"
    add([write(tmp_path, verdict())], to)
    add([write(tmp_path, verdict(created_at="2027-01-01T00:00:00+00:00"))], to)
    assert len(read(to).entries) == 2


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (verdict(Side("summary.json")), "summary.json stands for no commit"),
        (verdict(replace(NEW, dirty=True)), "working tree had changes that are in no commit"),
        (verdict(replace(NEW, commit=OLD.commit)), "holds commit aaaaaaa against itself"),
    ],
)
def test_what_is_not_about_two_commits_is_refused(
    tmp_path: Path, made: VerdictRecord, why: str
) -> None:
    good, to = write(tmp_path, verdict(), "good.json"), tmp_path / "history.jsonl"
    with pytest.raises(ConfigError, match=why):
        add([good, write(tmp_path, made)], to)
    assert not to.exists()  # all of them or none


def test_a_verdict_of_a_newer_schema_or_none_is_refused(tmp_path: Path) -> None:
    path, to = tmp_path / "verdict.json", tmp_path / "history.jsonl"
    with pytest.raises(RecordError, match=r"verdict.json cannot be read: No such file"):
        add([path], to)
    path.write_bytes(encode(verdict()).replace(b'"schema_version": 1', b'"schema_version": 99'))
    with pytest.raises(RecordError, match=r"verdict.json has schema 99"):
        add([path], to)
    assert not to.exists()


def test_a_newer_line_is_refused_and_nothing_is_added(tmp_path: Path) -> None:
    to = tmp_path / "history.jsonl"
    content = line(made_history.entry(1, 0)) + b'{"schema_version": 2, "what": "ever"}\n'
    to.write_bytes(content)
    with pytest.raises(RecordError, match=r"history.jsonl, line 2 has schema 2, .* up to 1"):
        read(to)
    with pytest.raises(RecordError, match="line 2 has schema 2"):
        add([write(tmp_path, verdict())], to)
    assert to.read_bytes() == content


@pytest.mark.parametrize(
    "bad", [b"<<<<<<< HEAD", b'{"schema_version": 1, "measured_at": "20', b"\xff\xfe", b"[]", b"{}"]
)
def test_a_broken_line_is_named_and_stays(tmp_path: Path, bad: bytes) -> None:
    to = tmp_path / "history.jsonl"
    first, last = (line(made_history.entry(n, n - 1)) for n in (1, 2))
    content = first + bad + b"\n\n" + last
    to.write_bytes(content)
    found = read(to)
    assert [item.head.commit for item in found.entries] == [made_history.name(n) for n in (1, 2)]
    (sentence,) = found.broken
    assert "history.jsonl, line 2 is not a line of a history" in sentence
    assert add([write(tmp_path, verdict())], to).broken == found.broken
    assert to.read_bytes() == content + line(entry(verdict(), ""))


def test_a_line_that_contradicts_itself_is_broken() -> None:
    text = line(made_history.entry(1, 0)).replace(
        made_history.name(1).encode(), made_history.name(0).encode()
    )
    assert "the sides are two commits" in parse(text, "h").broken[0]


def test_a_line_cut_off_at_the_end_is_not_glued_to_the_next(tmp_path: Path) -> None:
    to = tmp_path / "history.jsonl"
    whole = line(made_history.entry(1, 0))
    to.write_bytes(whole + whole[:50])
    add([write(tmp_path, verdict())], to)
    assert to.read_bytes() == whole + whole[:50] + b"\n" + line(entry(verdict(), ""))
    assert len(read(to).entries) == 2


def test_jobs_that_add_at_the_same_time_lose_and_double_nothing(tmp_path: Path) -> None:
    to = tmp_path / "history.jsonl"
    paths = [
        write(tmp_path, verdict(Side("x", f"{number:040x}")), f"{number}.json")
        for number in range(1, 13)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: add([path], to), paths * 2))
    found = read(to)
    assert found.broken == ()
    heads = [int(item.head.commit, 16) for item in found.entries]
    assert sorted(heads) == list(range(1, 13))


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "history.jsonl"
    before = line(made_history.entry(1, 0))
    to.write_bytes(before)
    path, write_some = write(tmp_path, verdict()), os.write
    written = []

    def full(descriptor: int, data: memoryview) -> int:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(write_some(descriptor, data[:20]))
        return written[0]

    monkeypatch.setattr(history.os, "write", full)
    with pytest.raises(StoreError, match=r"The disk is full: .*history.jsonl"):
        add([path], to)
    assert written == [20]
    assert to.read_bytes() == before


def test_a_history_that_cannot_be_written_or_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"Cannot write {tmp_path}: Is a directory"):
        add([write(tmp_path, verdict())], tmp_path)
    with pytest.raises(RecordError, match=r"no.jsonl cannot be read: .* `leafbench history add"):
        read(tmp_path / "no.jsonl")


NUMBERS = st.floats(-0.9, 1e9, allow_nan=False)
OUTCOMES = st.builds(
    Outcome,
    subject=st.text(),
    metric=st.text(),
    unit=st.sampled_from(Unit),
    verdict=st.sampled_from(Verdict),
    change=st.none() | st.builds(Estimate, NUMBERS, st.none() | NUMBERS, st.none() | NUMBERS),
    before=st.none() | NUMBERS,
    after=st.none() | NUMBERS,
)
ENTRIES = st.builds(
    Entry,
    schema_version=st.just(HISTORY_VERSION),
    measured_at=st.text(),
    source=st.sampled_from(Source),
    verdict=st.sampled_from(Verdict),
    head=st.builds(Side, st.text(), st.just("b"), st.text()),
    against=st.builds(Side, st.text(), st.just("a"), st.text()),
    machine=st.text(),
    outcomes=st.lists(OUTCOMES, max_size=2).map(tuple),
)


@given(st.lists(ENTRIES, max_size=4))
def test_entries_survive_their_lines(entries: list[Entry]) -> None:
    content = b"".join(map(line, entries))
    assert content.count(b"\n") == len(entries)
    assert parse(content, "h") == history.History(tuple(entries))


@given(st.binary(max_size=60))
def test_any_content_is_read_or_named(content: bytes) -> None:
    found = parse(content, "h")
    filled = [text for text in content.split(b"\n") if text.strip()]
    assert len(found.entries) + len(found.broken) == len(filled)


def test_a_line_is_compact() -> None:
    made = entry(verdict(environment=environment()), "")
    assert len(line(made)) < len(encode(verdict(environment=environment()))) / 2
    assert msgspec.json.decode(line(made), type=Entry) == made
