"""`leafbench history` from end to end: what it prints, writes and refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bench.codec import encode
from bench.errors import BenchError
from bench.gate.history import line
from bench.gate.history_commands import history
from bench.gate.schema import Side, Verdict
from tests.bench.gate.made_history import chain, entry, outcome
from tests.bench.gate.samples import change, record

SLOWER = [0.0] * 5 + [0.25] + [0.0] * 5


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Run a command; what it printed, errors after the rest."""

    def call(*arguments: str) -> list[str]:
        assert history.main([*arguments], standalone_mode=False) is None
        said = capsys.readouterr()
        return [*said.out.splitlines(), *said.err.splitlines()]

    return call


def verdict_file(name: str = "verdict.json") -> str:
    head, reference = Side("working tree", "b" * 40), Side("HEAD~1", "a" * 40)
    made = record(Verdict.PASS, ["none is worse"], [change()], head=head, reference=reference)
    Path(name).write_bytes(encode(made))
    return name


def test_add_says_what_it_added_and_what_was_there(run: Callable[..., list[str]]) -> None:
    path = verdict_file()
    assert run("add", path) == ["history.jsonl: added bbbbbbb against aaaaaaa: pass"]
    assert run("add", path) == [
        "history.jsonl: left out bbbbbbb against aaaaaaa: pass: it is in there already"
    ]
    assert len(Path("history.jsonl").read_bytes().splitlines()) == 1


def test_add_to_another_file_names_its_broken_lines(run: Callable[..., list[str]]) -> None:
    Path("h.jsonl").write_text("=======\n")
    added, broken = run("add", verdict_file(), "--to", "h.jsonl")
    assert added.startswith("h.jsonl: added bbbbbbb")
    assert broken.startswith("leafbench: h.jsonl, line 1 is not a line of a history")


def test_plot_draws_and_says_what_it_drew(run: Callable[..., list[str]]) -> None:
    entries = [*chain(SLOWER), entry(21, 20, outcome(0.0)), entry(22, 21, outcome(None))]
    Path("history.jsonl").write_bytes(b"".join(map(line, entries)) + b"=======\n")
    assert run("plot", "--out", "h.png") == [
        "h.png: steady epoch of 1 subject over 15 commits",
        "in_model, cnn: 1 change point",
        "  1  000006c  +25.0 %  Commit 6",
        "  note: 000021c was held against 000020c, whose level is not known: a new line begins, "
        "and counts from 000020c",
        "  note: without a measurement of it: 000022c",
        "leafbench: history.jsonl, line 14 is not a line of a history and is passed over: JSON is "
        "malformed: invalid character (byte 0).",
    ]
    with Image.open("h.png") as image:
        assert image.format == "PNG"


def test_plot_of_a_short_history_says_why_nothing_is_marked(run: Callable[..., list[str]]) -> None:
    Path("h.jsonl").write_bytes(b"".join(map(line, chain([0.0, 0.3]))))
    said = run("plot", "h.jsonl")
    assert said[1] == (
        "in_model, cnn: no change point is looked for in fewer than 8 measurements with intervals"
    )
    assert Path("history.png").is_file()


def test_plot_of_chosen_subjects_and_metric(run: Callable[..., list[str]]) -> None:
    parts = [outcome(0.0, subject=name, metric="step") for name in ("b", "a", "c")]
    Path("history.jsonl").write_bytes(line(entry(1, 0, *parts)))
    said = run("plot", "--metric", "step", "--subject", "a", "--subject", "b", "--subject", "a")
    assert said[0] == "history.png: steady step of 2 subjects over 2 commits"
    assert [text.partition(":")[0] for text in said[1:]] == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["no.jsonl"], r"no\.jsonl cannot be read: No such file"),
        (["--metric", "speed"], r"history\.jsonl has no metric speed: choose of epoch, step\."),
        (["--subject", "x"], r"history\.jsonl has no epoch of 'x': choose of in_model, cnn\."),
        (["--metric", "step"], r"history\.jsonl holds no change of step that was measured"),
        (["empty.jsonl"], r"empty\.jsonl holds no measurement yet"),
        (["--out", "no/h.png"], r"Cannot write no/h\.png: No such file or directory"),
    ],
)
def test_plot_of_what_is_not_there_is_a_sentence(arguments: list[str], why: str) -> None:
    nothing = replace(outcome(None), metric="step")
    Path("history.jsonl").write_bytes(line(entry(1, 0, outcome(0.1), nothing)))
    Path("empty.jsonl").touch()
    with pytest.raises(BenchError, match=why):
        history.main(["plot", *arguments], standalone_mode=False)
    assert not Path("history.png").exists()
