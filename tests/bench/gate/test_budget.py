"""What fits into a budget, by what blocks have taken."""

from __future__ import annotations

from bench.gate.blocks import Subject
from bench.gate.budget import Budget

ONE, OTHER, THIRD = (Subject(name, "cnn") for name in ("in_model", "plain", "cache"))


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def spent(budget_s: float, *blocks: tuple[Subject, float]) -> Budget:
    """A budget of which these blocks have been measured."""
    clock = Clock()
    budget = Budget(budget_s, clock)
    for subject, block_s in blocks:
        clock.now_s += block_s
        budget.took(subject, block_s)
    return budget


def test_the_first_block_is_tried_whatever_it_takes() -> None:
    assert spent(0.001).holds(1, ONE)


def test_a_block_costs_what_the_dearest_of_the_last_three_did() -> None:
    budget = spent(100, (ONE, 30), (ONE, 10), (ONE, 10), (ONE, 12))
    assert budget.spent_s == 62
    assert budget.holds(3, ONE)
    assert not budget.holds(4, ONE)


def test_a_subject_without_a_block_costs_what_the_others_do() -> None:
    budget = spent(100, (ONE, 40), (OTHER, 30))
    assert not budget.holds(1, THIRD)
    assert spent(110, (ONE, 40), (OTHER, 30)).holds(1, THIRD)


def test_by_turns_a_subject_takes_the_time_of_all() -> None:
    budget = spent(900, (ONE, 10), (ONE, 30), (OTHER, 60))
    assert budget.shared(ONE, ()) == 1
    assert budget.shared(ONE, (ONE, OTHER)) == 4
