"""Whether the time that a check was given holds more blocks, by what its blocks have taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

import numpy as np

from bench.gate.blocks import Subject

# A block is taken to cost what the dearest of so many last ones of its subject did.
LAST = 3


class Budget:
    """A check's budget and what each subject's blocks have taken of it.

    Args:
        budget_s: what was given.
        clock_s: a monotonic clock; the check begins now.
    """

    def __init__(self, budget_s: float, clock_s: Callable[[], float]) -> None:
        self.budget_s = budget_s
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._costs_s: dict[Subject, list[float]] = {}

    @property
    def spent_s(self) -> float:
        """The time since the check began."""
        return self._clock_s() - self._began_s

    def took(self, subject: Subject, block_s: float) -> None:
        """A block of a subject was measured."""
        self._costs_s.setdefault(subject, []).append(block_s)

    def holds(self, blocks: int, subject: Subject) -> bool:
        """Whether so many more blocks of a subject fit; the first one of all is always tried."""
        costs_s = self._known_s(subject)[-LAST:]
        return not costs_s or blocks * max(costs_s) <= self.budget_s - self.spent_s

    def shared(self, subject: Subject, others: Iterable[Subject]) -> float:
        """How many times a subject's own time it takes to measure it by turns with others."""
        each_s = {item: float(np.mean(self._known_s(item))) for item in (subject, *others)}
        return sum(each_s.values()) / each_s[subject]

    def _known_s(self, subject: Subject) -> list[float]:
        """What blocks of a subject have taken; all others', as long as it has none."""
        return self._costs_s.get(subject) or [*chain.from_iterable(self._costs_s.values())]
