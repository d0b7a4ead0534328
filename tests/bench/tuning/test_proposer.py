"""KerasTuner itself, in its process, and what is said when that process fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.codec import decode, encode
from bench.errors import BenchError, PlanChangedError
from bench.schema import SCHEMA_VERSION
from bench.tuning import oracle
from bench.tuning.proposer import ProcessProposer, proposer_name
from bench.tuning.schema import Answer, Proposal, ProposalRequest
from bench.tuning.space import SPACE, Setting
from tests.bench.tuning.study_samples import settings


def ask(answers: list[Answer], seed: int = 0, trials: int = 8) -> Setting | None:
    return oracle.propose(ProposalRequest(SCHEMA_VERSION, seed, trials, tuple(answers), ""))


def study(trials: int, seed: int = 0, failing: tuple[int, ...] = ()) -> list[Setting]:
    """Every setting of a study whose trainings reach 0.5 or fail."""
    answers: list[Answer] = []
    while (setting := ask(answers, seed, trials)) is not None:
        failed = len(answers) in failing
        answers.append(Answer(setting, None, "memory") if failed else Answer(setting, 0.5))
    return [item.setting for item in answers]


def test_a_study_proposes_as_many_different_levels_as_it_was_asked_for() -> None:
    found = study(8)
    assert len(set(found)) == 8
    for axis in SPACE:
        assert {getattr(item, axis.name) for item in found} <= set(axis.levels)


@pytest.mark.parametrize("seed", [0, 5])
def test_same_seed_same_settings_and_another_seed_others(seed: int) -> None:
    assert study(3, seed) == study(3, seed)
    assert study(3, seed) != study(3, seed + 7)


def test_failures_however_many_do_not_stop_the_search() -> None:
    assert study(8, failing=tuple(range(8))) == study(8)


def test_answers_to_other_proposals_are_refused() -> None:
    [first] = study(1)
    other = next(item for item in settings(2) if item != first)
    with pytest.raises(PlanChangedError, match="no longer proposes what it did"):
        ask([Answer(other, 0.5)])


def test_more_answers_than_settings_are_refused() -> None:
    [first] = study(1)
    with pytest.raises(PlanChangedError, match="now nothing"):
        ask([Answer(first, 0.5), Answer(first, 0.5)], trials=1)


def test_a_process_proposes_what_the_oracle_does(tmp_path: Path) -> None:
    [first, second] = study(2)
    proposer = ProcessProposer(0, 2, tmp_path, tmp_path)
    assert proposer.next([Answer(first, None, "crash")]) == second


def test_a_refusal_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = settings(1)[0]
    request = ProposalRequest(
        SCHEMA_VERSION, 0, 1, (Answer(other, 0.5),) * 2, str(tmp_path / "out.json")
    )
    path = tmp_path / "request.json"
    path.write_bytes(encode(request))
    assert oracle.main([str(path)]) == 2
    assert capsys.readouterr().err.startswith("KerasTuner no longer proposes")
    assert not (tmp_path / "out.json").exists()


def test_a_proposal_is_written_whole(tmp_path: Path) -> None:
    out, path = tmp_path / "out.json", tmp_path / "request.json"
    path.write_bytes(encode(ProposalRequest(SCHEMA_VERSION, 0, 1, (), str(out))))
    assert oracle.main([str(path)]) == 0
    assert decode(out.read_bytes(), Proposal, "out").setting == study(1)[0]


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import no_such_tuner", "ModuleNotFoundError: No module named 'no_such_tuner'"),
        ("pass", "nothing was said"),
    ],
)
def test_a_process_that_fails_is_one_sentence(tmp_path: Path, program: str, words: str) -> None:
    command = (sys.executable, "-c", program)
    with pytest.raises(BenchError, match=f"KerasTuner could not propose a setting: {words}"):
        ProcessProposer(0, 2, tmp_path, tmp_path, command).next([])


def test_who_proposes_has_a_version() -> None:
    assert proposer_name().startswith("keras-tuner 1.")
