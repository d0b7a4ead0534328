"""How a run tells what it is doing: nested bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import IO, TYPE_CHECKING, Protocol

from bench.schema import TrialRecord, TrialSpec, TrialStatus

if TYPE_CHECKING:
    from rich.progress import TaskID

NS_PER_S = 1_000_000_000


class Progress(Protocol):
    """What the session reports; every method returns at once."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def step(self, what: str, done: int, total: int) -> None:
        """Something countable inside the current piece of work: images, proofs, epochs."""

    def begin(self, plan: tuple[TrialSpec, ...], done: tuple[TrialRecord, ...]) -> None:
        """The trials of the run, and the records that are there already."""

    def trial(self, spec: TrialSpec) -> None:
        """A trial begins."""

    def ended(self, record: TrialRecord) -> None:
        """The trial ended, well or not, and its record is stored."""

    def close(self) -> None:
        """The run has ended."""


@contextmanager
def shown() -> Iterator[Progress]:
    """Progress on standard error: bars on a terminal, lines elsewhere."""
    progress: Progress = RichProgress() if sys.stderr.isatty() else PlainProgress(sys.stderr)
    with closing(progress):
        yield progress


def counting(progress: Progress, what: str) -> Callable[[int, int], None]:
    """A callback for something that is counted."""
    return lambda done, total: progress.step(what, done, total)


class PlainProgress:
    """A line a trial, for logs and pipes; steps only a line now and then."""

    def __init__(
        self, stream: IO[str], *, every_s: float = 20.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._every_s = every_s
        self._clock = clock
        self._last = clock()
        self._tally = Tally()
        self._current = ""

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def step(self, what: str, done: int, total: int) -> None:
        if self._clock() - self._last >= self._every_s:
            self._last = self._clock()
            self.note(f"  {self._current}{what} {done} of {total}")

    def begin(self, plan: tuple[TrialSpec, ...], done: tuple[TrialRecord, ...]) -> None:
        self._tally = Tally(len(plan), done)
        self.note(f"{len(plan)} trials{f', {len(done)} of them done' if done else ''}")

    def trial(self, spec: TrialSpec) -> None:
        self._last = self._clock()
        self._current = f"{spec.name}: "

    def ended(self, record: TrialRecord) -> None:
        self._tally.add(record)
        number = f"[{self._tally.done}/{self._tally.total}]"
        self.note(f"{number} {ended_text(record)}, {self._tally.left_text()}")

    def close(self) -> None: ...


class RichProgress:
    """Bars for the run and for what the current trial does."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._bars.start()
        self._run: TaskID | None = None
        self._inner = self._bars.add_task("starting", total=None, left="")
        self._tally = Tally()

    def note(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)

    def step(self, what: str, done: int, total: int) -> None:
        self._bars.update(self._inner, completed=done, total=total, left=what)

    def begin(self, plan: tuple[TrialSpec, ...], done: tuple[TrialRecord, ...]) -> None:
        self._tally = Tally(len(plan), done)
        self._bars.remove_task(self._inner)
        if self._run is not None:  # another run, behind one that has ended
            self._bars.remove_task(self._run)
            self._bars.start()
        self._run = self._bars.add_task("run", total=len(plan), completed=len(done), left="")
        self._inner = self._bars.add_task("trial", total=None, left="")

    def trial(self, spec: TrialSpec) -> None:
        self._bars.reset(
            self._inner, total=spec.epochs, description=f"  {spec.name}", left="starting"
        )

    def ended(self, record: TrialRecord) -> None:
        self._tally.add(record)
        if record.status is TrialStatus.FAILED:
            self.note(ended_text(record))
        if self._run is not None:
            self._bars.update(self._run, completed=self._tally.done, left=self._tally.left_text())

    def close(self) -> None:
        self._bars.stop()


class Tally:
    """How many trials are done, and how long the rest will take if they are like those."""

    def __init__(self, total: int = 0, done: tuple[TrialRecord, ...] = ()) -> None:
        self.total = total
        self._walls_ns = [record.wall_ns for record in done]

    @property
    def done(self) -> int:
        return len(self._walls_ns)

    def add(self, record: TrialRecord) -> None:
        self._walls_ns.append(record.wall_ns)

    def left_s(self) -> float | None:
        """Seconds left, from the mean of the trials so far; None before the first one."""
        if not self._walls_ns:
            return None
        return (self.total - self.done) * statistics.fmean(self._walls_ns) / NS_PER_S

    def left_text(self) -> str:
        seconds = self.left_s()
        return "" if seconds is None else f"{duration_text(seconds)} left"


def duration_text(seconds: float) -> str:
    """`45 s`, `12 min`, `3.5 h`: as exact as a forecast deserves."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def ended_text(record: TrialRecord) -> str:
    """One line for a trial that has ended."""
    if record.failure is not None:
        return f"{record.spec.name} failed ({record.failure.kind}): {record.failure.message}"
    epoch_s = statistics.median(epoch.epoch_ns for epoch in record.epochs[1:] or record.epochs)
    return f"{record.spec.name}: {epoch_s / NS_PER_S:.2f} s an epoch"
