"""Several processes that train by turns: only one of them runs at a time.

Each worker says `@epoch n N` when it has trained n epochs (and n = 0 when it is ready), then waits
for its next turn; see `bench.turns`. Whoever dies, hangs or says nothing costs the block, not the
gate: the others are ended, and the failure says who it was.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.gate.blocks import Role, order
from bench.postmortem import failure
from bench.process import GRACE_S, Ended, Output, end_group
from bench.schema import Failure, FailureKind
from bench.turns import TURNS_VARIABLE, Turn

_TICK_S = 1.0

TurnOf = Callable[[Role, int], Turn]
"""What a role's epoch of this number is told."""


@dataclass(frozen=True)
class Contestant:
    """A process that trains by turns.

    Attributes:
        environment: the whole of the child's.
        cwd: where it runs.
        log: what it prints, but for progress.
    """

    role: Role
    command: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path
    log: Path


def conduct(
    contestants: Sequence[Contestant],
    turn_of: TurnOf,
    timeout_s: float,
    on_turn: Callable[[int, int], None],
) -> dict[Role, Failure]:
    """Let all of them train their epochs by turns; who failed, and why: empty if nobody.

    They say themselves how many epochs they train, and must agree.

    Args:
        contestants: in the order of the first turn.
        timeout_s: for each wait: for the start, for one epoch, for the end.
        on_turn: told how many turns are over, and of how many.

    Raises:
        StoreError: a log cannot be written.
    """
    with ExitStack() as stack:
        try:
            players = {item.role: stack.enter_context(_Player(item)) for item in contestants}
            for player in players.values():
                player.await_epoch(0, timeout_s)
            epochs = _agreed(players)
            for epoch in range(epochs):
                for role in order(epoch, tuple(players)):
                    players[role].go(turn_of(role, epoch))
                    players[role].await_epoch(epoch + 1, timeout_s)
                on_turn(epoch + 1, epochs)
            for player in players.values():
                player.await_end(timeout_s)
        except _FailedError as failed:
            return {failed.role: failed.failure}
    return {}


def _agreed(players: Mapping[Role, _Player]) -> int:
    """How many epochs all of them train."""
    epochs = players[Role.REFERENCE].total
    for role, player in players.items():
        if player.total != epochs:
            why = (
                f"it trains {player.total} epochs and {Role.REFERENCE} {epochs}: what is trained "
                "by turns must train as many"
            )
            raise _FailedError(role, Failure(FailureKind.ERROR, why, ""))
    return epochs


class _FailedError(Exception):
    """A contestant that cannot go on."""

    def __init__(self, role: Role, why: Failure) -> None:
        super().__init__(why.message)
        self.role = role
        self.failure = why


@dataclass
class _Player:
    """A contestant's process and what it has said so far."""

    contestant: Contestant
    done: int = -1
    total: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        item = self.contestant
        with self._stack as stack:
            self._output = stack.enter_context(Output(item.log, self._told))
            self._began_ns = time.perf_counter_ns()
            self._process = _started(item)
            stack.callback(self._close)
            stack.callback(end_group, self._process, GRACE_S)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def go(self, turn: Turn) -> None:
        """Tell it to train its next epoch."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(turn.line())
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail(timed_out=False)

    def await_epoch(self, count: int, timeout_s: float) -> None:
        """Wait until it has trained so many epochs."""
        if not self._read_until(lambda: self.done >= count, timeout_s):
            self._fail(timed_out=self._process.poll() is None)

    def await_end(self, timeout_s: float) -> None:
        """Wait until it has written its record and ended."""
        self._read_until(lambda: False, timeout_s)
        if self._process.poll() is None or self._process.returncode != 0:
            self._fail(timed_out=self._process.poll() is None)

    def _told(self, what: str, done: int, total: int) -> None:
        if what == "epoch":
            self.done, self.total = done, total

    def _read_until(self, reached: Callable[[], bool], timeout_s: float) -> bool:
        """Read what it prints until it got there (True), it ended, or the time is over."""
        assert self._process.stdout is not None
        descriptor, deadline_s = self._process.stdout.fileno(), time.perf_counter() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while not reached():
                left_s = deadline_s - time.perf_counter()
                if left_s <= 0:
                    return False
                if selector.select(min(left_s, _TICK_S)):
                    data = os.read(descriptor, 1 << 16)
                    if not data:
                        self._reap(max(0.0, left_s))
                        return reached()
                    self._output.feed(data)
                elif self._process.poll() is not None:
                    return reached()
        return True

    def _reap(self, timeout_s: float) -> None:
        try:
            self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return  # it closed its output and lives on: whoever asks finds it alive

    def _fail(self, *, timed_out: bool) -> None:
        self._output.finish()
        self._reap(0.0 if timed_out else GRACE_S)
        role, status = self.contestant.role, self._process.returncode or 0
        if status == 0 and not timed_out:
            why = (
                f"it ended after {max(0, self.done)} of {self.total} epochs: what is trained by "
                "turns must train all of them, so switch early stopping off"
            )
            raise _FailedError(role, Failure(FailureKind.ERROR, why, ""))
        ended = Ended(status, timed_out, time.perf_counter_ns() - self._began_ns)
        too_long = "killed: it took longer than its time for a turn"
        raise _FailedError(role, failure(ended, self.contestant.log, too_long))

    def _close(self) -> None:
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # a turn that nobody lived to read
                self._process.stdin.close()


def _started(item: Contestant) -> subprocess.Popen[bytes]:
    """Its process; a command that cannot be started fails like one that ends at once."""
    try:
        return subprocess.Popen(
            item.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**item.environment, TURNS_VARIABLE: "1"},
            cwd=item.cwd,
            start_new_session=True,
        )
    except OSError as error:
        why = f"{item.command[0]} cannot be started in {item.cwd}: {error.strerror}"
        raise _FailedError(item.role, Failure(FailureKind.ERROR, why, "")) from error
