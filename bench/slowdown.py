"""How much time to lose for a slowdown of known size, planted where a regression would sit.

Planted time is in proportion to what the training itself takes, so that a plant of 5 % makes a step
(or an epoch) 5 % longer on any machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

from bench.errors import ConfigError
from bench.standstill import Standstill
from bench.turns import Place, Turn


@dataclass(frozen=True)
class Clock:
    """What a slowdown reads the time from, and how it lets time pass, in seconds."""

    now_s: Callable[[], float] = time.perf_counter
    lose: Callable[[float], None] = field(default_factory=Standstill)


class Slowdown:
    """What is planted in the epoch under way; told of its begin, its steps and its end.

    Args:
        refused: where nothing can be planted in this training, and why, as half a sentence.
        clock: that it goes by; None: the process' own.
    """

    def __init__(self, refused: Mapping[Place, str], clock: Clock | None = None) -> None:
        self._refused = refused
        self._clock = clock or Clock()
        self._turn = Turn()
        self._epoch_began_s: float | None = None
        self._step_began_s = 0.0
        self._lost_s = 0.0
        self._excess_s = 0.0
        self._steps_s: list[float] = []
        self._step_before_s = 0.0

    def take(self, turn: Turn) -> None:
        """Plant what the turn asks for, from here on.

        Raises:
            ConfigError: nothing can be planted there.
        """
        if turn.plant > 0 and turn.place in self._refused:
            raise ConfigError(
                f"Cannot plant a slowdown at {turn.place}: {self._refused[turn.place]}. "
                f"Choose another place: {', '.join(p for p in Place if p not in self._refused)}."
            )
        if turn.plant > 0:
            self._clock.lose(0.0)  # what has to be prepared for it is prepared now, untimed
        self._turn = turn

    def is_at(self, place: Place) -> bool:
        """Whether anything is planted there."""
        return self._turn.plant > 0 and self._turn.place is place

    def epoch_begins(self) -> None:
        """The epoch's own time starts here."""
        self._epoch_began_s = self._clock.now_s()
        if self._steps_s:
            self._step_before_s = median(self._steps_s)
        self._steps_s = []
        self._excess_s = 0.0

    def step_begins(self) -> None:
        """A step's own time starts here; its batch has not been fetched."""
        self._step_began_s = self._clock.now_s()
        self._lost_s = 0.0

    def within_step(self) -> None:
        """The step is all but over: lose the planted share of what it took."""
        if self.is_at(Place.MODEL):
            self._lose(self._clock.now_s() - self._step_began_s)

    def within_pipeline(self) -> None:
        """The step's batch is all but there: lose the planted share of a step.

        This step has yet to be computed, so it is taken to last as long as the epoch's steps before
        it do (their median), the first one as those of the epoch before. The very first of a
        training is not slowed down: it traces.
        """
        if self.is_at(Place.PIPELINE):
            self._lose(median(self._steps_s) if self._steps_s else self._step_before_s)

    def step_ends(self) -> None:
        """The step took this long, without what was planted in it."""
        self._steps_s.append(self._clock.now_s() - self._step_began_s - self._lost_s)

    def epoch_ends(self) -> None:
        """Lose the planted share of the epoch, once, however often it is told to have ended."""
        if self._epoch_began_s is not None and self.is_at(Place.BOUNDARY):
            self._lose(self._clock.now_s() - self._epoch_began_s)
        self._epoch_began_s = None

    def _lose(self, base_s: float) -> None:
        """Lose the planted share of `base_s`; the next loss makes up for what took too long."""
        wanted_s = self._turn.plant * base_s - self._excess_s
        if wanted_s <= 0:
            self._excess_s = -wanted_s
            return
        began_s = self._clock.now_s()
        self._clock.lose(wanted_s)
        lost_s = self._clock.now_s() - began_s
        self._excess_s = lost_s - wanted_s
        self._lost_s += lost_s
