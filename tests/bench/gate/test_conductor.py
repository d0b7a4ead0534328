"""Processes that train by turns, with ones that train nothing."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.gate import conductor
from bench.gate.blocks import Role
from bench.gate.conductor import Contestant, conduct
from bench.schema import Failure, FailureKind
from bench.turns import Place, Turn

STUB = Path(__file__).with_name("stub_trainer.py")
PLANTED = Turn(0.05, Place.MODEL)


def contestant(folder: Path, role: Role, epochs: int, *what: str) -> Contestant:
    return Contestant(
        role=role,
        command=(sys.executable, str(STUB), str(epochs), str(folder / "turns"), role, *what),
        environment=dict(os.environ),
        cwd=folder,
        log=folder / f"{role}.log",
    )


def play(
    folder: Path, *what: str, epochs: int = 3, timeout_s: float = 30.0
) -> tuple[dict[Role, Failure], list[str], list[int]]:
    told: list[int] = []

    def turn_of(role: Role, epoch: int) -> Turn:
        return PLANTED if role is Role.AGAIN and epoch == 1 else Turn()

    players = [
        contestant(folder, role, epochs, *(what if role is Role.HEAD else ())) for role in Role
    ]
    failures = conduct(players, turn_of, timeout_s, lambda done, _: told.append(done))
    log = folder / "turns"
    return failures, log.read_text().splitlines() if log.exists() else [], told


def test_one_trains_at_a_time_and_the_order_is_reversed_every_other_turn(tmp_path: Path) -> None:
    failures, turns, told = play(tmp_path)
    assert failures == {}
    assert [" ".join(turn.split()[:2]) for turn in turns] == [
        *("reference 0", "again 0", "head 0"),
        *("head 1", "again 1", "reference 1"),
        *("reference 2", "again 2", "head 2"),
    ]
    assert told == [1, 2, 3]


def test_a_turn_says_what_is_planted_in_it(tmp_path: Path) -> None:
    _, turns, _ = play(tmp_path)
    assert [turn for turn in turns if "0.05" in turn] == ["again 1 go 0.05 model"]


def test_what_is_printed_goes_to_the_log_but_for_progress(tmp_path: Path) -> None:
    play(tmp_path)
    assert (tmp_path / "head.log").read_text() == "some library says hello\n"


def test_one_that_dies_costs_the_block_and_is_named(tmp_path: Path) -> None:
    failures, turns, _ = play(tmp_path, "dies", "1")
    assert list(failures) == [Role.HEAD]
    assert failures[Role.HEAD].kind is FailureKind.ERROR
    assert "out of luck" in failures[Role.HEAD].message
    assert turns[-1].startswith("head 0")


def test_one_that_dies_before_it_is_ready_is_named_too(tmp_path: Path) -> None:
    players = [
        contestant(tmp_path, Role.REFERENCE, 1),
        Contestant(
            Role.HEAD,
            (sys.executable, "-c", "raise SystemExit('no such module')"),
            dict(os.environ),
            tmp_path,
            tmp_path / "head.log",
        ),
    ]
    failures = conduct(players, lambda *_: Turn(), 30.0, lambda *_: None)
    assert "no such module" in failures[Role.HEAD].message


def test_one_that_stops_early_cannot_be_compared(tmp_path: Path) -> None:
    failures, _, _ = play(tmp_path, "stops", "1")
    assert "after 1 of 3 epochs" in failures[Role.HEAD].message


def test_one_that_hangs_is_killed_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience_s = iter([30.0] * len(Role) + [30.0] * len(Role))
    awaited = conductor._Player.await_epoch

    def await_epoch(player: conductor._Player, count: int, timeout_s: float) -> None:
        # Nobody waits for the turn that hangs; the others have all the time that they may need.
        awaited(player, count, next(patience_s, timeout_s))

    monkeypatch.setattr(conductor._Player, "await_epoch", await_epoch)
    failures, _, _ = play(tmp_path, "hangs", "1", timeout_s=0.0)
    assert list(failures) == [Role.HEAD]
    assert failures[Role.HEAD].kind is FailureKind.TIMEOUT


def test_one_that_dies_while_it_waits_for_its_turn_is_named(tmp_path: Path) -> None:
    def turn_of(role: Role, epoch: int) -> Turn:
        if (role, epoch) == (Role.HEAD, 1):  # nobody is there any more to be told
            os.waitid(os.P_PID, int((tmp_path / "turns.pid").read_text()), os.WEXITED | os.WNOWAIT)
        return Turn()

    players = [
        contestant(tmp_path, Role.REFERENCE, 3),
        contestant(tmp_path, Role.HEAD, 3, "waits", "1"),
    ]
    failures = conduct(players, turn_of, 30.0, lambda *_: None)
    assert list(failures) == [Role.HEAD]
    assert failures[Role.HEAD].kind is FailureKind.ERROR


@pytest.mark.parametrize(
    ("program", "why"), [("no-such-program", "No such file"), ("./train.py", "Permission denied")]
)
def test_a_command_that_cannot_be_started_is_named(tmp_path: Path, program: str, why: str) -> None:
    (tmp_path / "train.py").write_text("print('not executable')\n")
    broken = replace(contestant(tmp_path, Role.HEAD, 1), command=(program,))
    players = [contestant(tmp_path, Role.REFERENCE, 1), broken]
    failures = conduct(players, lambda *_: Turn(), 30.0, lambda *_: None)
    assert list(failures) == [Role.HEAD]
    assert failures[Role.HEAD].message.startswith(f"{program} cannot be started in {tmp_path}")
    assert why in failures[Role.HEAD].message


def test_two_that_do_not_train_as_many_epochs_are_not_compared(tmp_path: Path) -> None:
    players = [contestant(tmp_path, Role.REFERENCE, 2), contestant(tmp_path, Role.HEAD, 3)]
    failures = conduct(players, lambda *_: Turn(), 30.0, lambda *_: None)
    assert "trains 3 epochs and reference 2" in failures[Role.HEAD].message
    assert not (tmp_path / "turns").exists()


def test_an_interrupt_ends_all_of_them(tmp_path: Path) -> None:
    def interrupt(turns: int, _of: int) -> None:
        if turns == 1:
            raise KeyboardInterrupt

    players = [contestant(tmp_path, role, 3) for role in Role]
    with pytest.raises(KeyboardInterrupt):
        conduct(players, lambda *_: Turn(), 30.0, interrupt)
    alive = [
        entry for entry in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path) in _read(entry)
    ]
    assert alive == []


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
