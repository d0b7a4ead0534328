"""Two stages and a bounded queue between them: a pipeline that makes batches, a device that takes
time for each. Pure arithmetic, in the max-plus sense: a stage goes on when the later of two things
has happened.

The pipeline hands a batch over as soon as it is made, and begins the next one unless more than
`ahead` batches are handed over and not done; then it waits. So with `ahead` 0 both take turns.
(Baccelli, Cohen, Olsder and Quadrat, Synchronization and Linearity, Wiley 1992, chapters 1 and 2,
treat such lines as linear systems of (max, +).) Any unit of time will do, if it is one unit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Busy:
    """When the device begins a batch, and when it is done with it."""

    begin: int
    end: int


class Queue:
    """The device's side of the line, batch by batch.

    Args:
        ahead: batches that may be handed over and not done while the next one is made.
        begin: when the device is free for the first time.
    """

    def __init__(self, ahead: int, begin: int = 0) -> None:
        if ahead < 0:
            raise ValueError(f"a queue of {ahead} batches cannot be: expected 0 or more")
        self._ends = deque([begin] * (ahead + 1), maxlen=ahead + 1)

    @property
    def room_from(self) -> int:
        """When the pipeline may begin its next batch, as far as the device is concerned."""
        return self._ends[0]

    @property
    def done(self) -> int:
        """When the device is done with everything that it was handed."""
        return self._ends[-1]

    def hand_over(self, made: int, busy: int) -> Busy:
        """The next batch, made at `made`, keeps the device busy for so long."""
        begin = max(made, self.done)
        self._ends.append(begin + busy)
        return Busy(begin, begin + busy)


def epoch(make: Sequence[int], busy: Sequence[int], ahead: int) -> int:
    """How long an epoch takes, whose batches take so long to make and so long on the device."""
    queue, now = Queue(ahead), 0
    for making, working in zip(make, busy, strict=True):
        now = max(now, queue.room_from) + making
        queue.hand_over(now, working)
    return queue.done


def steady_epoch(make: float, busy: float, batches: int, ahead: int) -> float:
    """The same in closed form, where all batches are alike: the slower stage sets the pace."""
    if ahead == 0:
        return batches * (make + busy)
    return batches * max(make, busy) + min(make, busy)
