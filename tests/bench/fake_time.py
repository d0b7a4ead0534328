"""Time that passes when a test says so."""

from __future__ import annotations

from bench.slowdown import Clock


class FakeTime:
    """Passes when it is told to; `late_s` is added to whatever is lost."""

    def __init__(self, late_s: float = 0.0) -> None:
        self.at_s = 100.0
        self.late_s = late_s
        self.lost: list[float] = []

    def pass_s(self, seconds: float) -> None:
        self.at_s += seconds

    def lose(self, seconds: float) -> None:
        self.lost.append(seconds)
        self.at_s += seconds + (self.late_s if seconds else 0.0)

    @property
    def clock(self) -> Clock:
        return Clock(now_s=lambda: self.at_s, lose=self.lose)
