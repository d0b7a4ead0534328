"""A check from its first proof to its verdict: measure a block, decide, go on or stop.

What a commit broke is seen before anything is timed: a variant that is no longer what it says is a
regression. Then blocks are measured until every metric of every subject is decided, or the budget
is spent. A regression is believed when fresh blocks, which had no part in suspecting it, show at
least half of the threshold too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

import numpy as np

from bench.gate import pairs
from bench.gate.blocks import Role, Subject
from bench.gate.budget import Budget
from bench.gate.decision import FAMILY_ERROR, Series, conclude, decide, see_plant
from bench.gate.metrics import Metric
from bench.gate.options import GateOptions
from bench.gate.pairs import PLANTED, BlockValues
from bench.gate.schema import Change, Estimate, SelfTest, Verdict
from bench.gate.untimed import broken, failed, faults, unmeasured, unproved
from bench.schema import VariantProof

# Fresh blocks that must confirm a regression.
CONFIRMING = 2
# After so many blocks, what one side has not measured is taken not to be there.
ONE_SIDED = 2
# A subject whose blocks fail so often is given up.
FAILURES = 2
NS_PER_S = 1_000_000_000


class Runner(Protocol):
    """What measures: real processes, or a fake in tests."""

    def prove(self) -> Mapping[Role, Mapping[str, VariantProof]]:
        """Each side's variants by name; those whose proof could not be made are missing.

        Nothing of a side whose pipelines cannot be proved by anybody.
        """

    def measure(self, subject: Subject, block: int, *, confirms: bool) -> BlockValues:
        """Measure one block, put it on disk, and say what it comes to."""


@dataclass(frozen=True)
class Task:
    """What is to be decided.

    Attributes:
        subjects: what both sides have.
        validation_images: that accuracies are shares of; 0 if there are none.
    """

    subjects: tuple[Subject, ...]
    options: GateOptions
    validation_images: int


@dataclass(frozen=True)
class Decided:
    """What a check found; a verdict record without who and when."""

    verdict: Verdict
    reasons: tuple[str, ...]
    changes: tuple[Change, ...]
    self_test: SelfTest | None
    blocks: int
    spent_s: float
    notes: tuple[str, ...]
    family_error: float = FAMILY_ERROR


def check(
    task: Task, runner: Runner, clock_s: Callable[[], float], note: Callable[[str], None]
) -> Decided:
    """Measure until it is decided or the budget is spent.

    Args:
        clock_s: a monotonic clock.
        note: told what was found so far, after every block.
    """
    gate = _Gate(task, runner, clock_s, note)
    gate.prove()
    while not gate.is_decided and (todo := gate.undecided()):
        for subject in todo:
            if not gate.has_time_for(1, subject):
                return gate.decided()
            gate.measure(subject)
            gate.confirm(subject)
    return gate.decided()


class _Gate:
    """What a check knows so far."""

    def __init__(
        self,
        task: Task,
        runner: Runner,
        clock_s: Callable[[], float],
        note: Callable[[str], None],
    ) -> None:
        self._task = task
        self._runner = runner
        self._budget = Budget(task.options.budget_s, clock_s)
        self._note = note
        self._notes: list[str] = []
        self._broken: list[Change] = []
        self._unproved: list[Change] = []
        self._blocks: dict[Subject, list[BlockValues]] = {s: [] for s in task.subjects}
        self._confirmed: dict[tuple[Subject, str], str] = {}
        self._denied: set[tuple[Subject, str]] = set()

    @property
    def is_decided(self) -> bool:
        """A regression that is confirmed, or proved, ends the check.

        Not one that the blocks that confirmed it have brought below the threshold.
        """
        changes = chain.from_iterable(map(self._changes, self._blocks))
        return bool(self._broken) or any(c.verdict is Verdict.REGRESSION for c in changes)

    def prove(self) -> None:
        """Prove both sides' variants, once."""
        proofs = self._runner.prove()
        for variant in dict.fromkeys(subject.variant for subject in self._task.subjects):
            if missing := [role for role in proofs if variant not in proofs[role]]:
                self._unproved.append(unproved(variant, missing))
            ours = faults(proofs.get(Role.HEAD, {}).get(variant))
            theirs = faults(proofs.get(Role.REFERENCE, {}).get(variant))
            if ours and not theirs:
                self._broken.append(broken(variant, ours))
            elif ours or theirs:
                who = "both sides" if ours else "the reference"
                self._notes.append(f"{variant} is not what it says on {who}: {ours or theirs}")

    def undecided(self) -> tuple[Subject, ...]:
        """The subjects that another block may settle."""
        return tuple(s for s in self._blocks if not self._is_given_up(s) and self._is_open(s))

    def has_time_for(self, blocks: int, subject: Subject) -> bool:
        """Whether the budget holds so many more blocks of a subject."""
        return self._budget.holds(blocks, subject)

    def measure(self, subject: Subject, *, confirms: bool = False) -> None:
        """One more block of a subject."""
        known = self._blocks[subject]
        known.append(self._runner.measure(subject, len(known), confirms=confirms))
        self._budget.took(subject, known[-1].wall_ns / NS_PER_S)
        self._note(self._progress(subject))

    def confirm(self, subject: Subject) -> None:
        """Measure fresh blocks if the subject looks like a regression, and see whether it stays."""
        suspects = [s for s in self._series(subject) if self._is_suspect(s)]
        for suspect in suspects:
            # What confirmed an earlier suspicion, since laid to rest, had a part in this one.
            self._confirmed.pop((subject, suspect.metric), None)
        if not suspects or not self.has_time_for(CONFIRMING, subject):
            return
        before = len(self._blocks[subject])
        for _ in range(CONFIRMING):
            self.measure(subject, confirms=True)
        fresh = self._series_of(self._blocks[subject][before:])
        for suspect in suspects:
            found = next((item for item in fresh if item.metric == suspect.metric), None)
            if found is None or not _confirms(found):
                self._denied.add((subject, suspect.metric))
            else:
                shown = found.relative(float(np.mean(found.changes)))
                self._confirmed[subject, suspect.metric] = (
                    f"confirmed by {len(found.changes)} fresh blocks ({shown:+.1%})"
                )

    def decided(self) -> Decided:
        """The verdict on what was measured."""
        timed = map(self._foreseen, self._blocks)
        changes = tuple(chain(self._broken, self._unproved, *timed))
        wanted = self._task.options.self_test
        self_test = self._self_test() if wanted and not self._broken else None
        verdict, reasons = conclude(changes, self_test, self_test_wanted=wanted)
        if verdict is Verdict.INCONCLUSIVE and not self.has_time_left:
            reasons = (*reasons, f"the budget of {self._budget.budget_s:.0f} s is spent")
        blocks = sum(map(len, self._blocks.values()))
        spent_s = self._budget.spent_s
        return Decided(verdict, reasons, changes, self_test, blocks, spent_s, tuple(self._notes))

    @property
    def has_time_left(self) -> bool:
        """Whether another block of any subject would fit into the budget."""
        return any(self.has_time_for(1, subject) for subject in self._blocks)

    def _is_given_up(self, subject: Subject) -> bool:
        return sum(bool(block.failed) for block in self._blocks[subject]) >= FAILURES

    def _is_open(self, subject: Subject) -> bool:
        changes = self._changes(subject)
        if len(self._blocks[subject]) >= ONE_SIDED:
            lacking = {item.metric for item in self._series(subject) if item.lacking}
            changes = tuple(change for change in changes if change.metric not in lacking)
        settled = bool(changes) and all(change.verdict is Verdict.PASS for change in changes)
        if not settled:
            return True
        return self._task.options.self_test and not self._planted(subject).seen

    def _series(self, subject: Subject) -> tuple[Series, ...]:
        return self._series_of(self._blocks[subject])

    def _series_of(self, blocks: Sequence[BlockValues]) -> tuple[Series, ...]:
        return pairs.series(blocks, self._task.options.thresholds, self._task.validation_images)

    def _is_suspect(self, series: Series) -> bool:
        return decide(series, self._comparisons).verdict is Verdict.REGRESSION

    @property
    def _comparisons(self) -> int:
        return len(Metric) * len(self._task.subjects)

    def _changes(self, subject: Subject) -> tuple[Change, ...]:
        if self._is_given_up(subject):
            return (failed(subject, self._blocks[subject]),)
        if all(block.failed for block in self._blocks[subject]):
            return (unmeasured(subject),)
        return tuple(self._change(subject, series) for series in self._series(subject))

    def _foreseen(self, subject: Subject) -> tuple[Change, ...]:
        """Its changes; what would settle one takes the time of all that is open, by turns."""
        changes = self._changes(subject)
        if not any(change.settle_s for change in changes):
            return changes
        times = self._budget.shared(subject, self.undecided())
        return tuple(
            replace(change, settle_s=change.settle_s and change.settle_s * times)
            for change in changes
        )

    def _change(self, subject: Subject, series: Series) -> Change:
        change = decide(series, self._comparisons)
        if change.verdict is not Verdict.REGRESSION:
            return change
        confirmed = self._confirmed.get((subject, series.metric))
        if confirmed:
            return replace(change, why=f"{change.why}, {confirmed}")
        denied = (subject, series.metric) in self._denied
        not_yet = (
            "but not confirmed by" if denied else "but the check ended before it could measure"
        )
        return replace(
            change,
            verdict=Verdict.INCONCLUSIVE,
            why=f"{change.why}, {not_yet} {CONFIRMING} fresh blocks",
            settle_s=(change.blocks + CONFIRMING) * (series.block_s or 0.0) or None,
        )

    def _planted(self, subject: Subject) -> SelfTest:
        thresholds = self._task.options.thresholds
        series = pairs.planted_series(self._blocks[subject], subject, thresholds)
        return see_plant(series, thresholds.of(subject.variant, PLANTED).relative)

    def _self_test(self) -> SelfTest | None:
        """The self-test of the subject that saw least of it."""
        measured = [subject for subject in self._blocks if not self._is_given_up(subject)]
        tests = [self._planted(subject) for subject in measured if self._blocks[subject]]
        return min(tests, key=lambda test: (test.seen, _low(test.change)), default=None)

    def _progress(self, subject: Subject) -> str:
        blocks = self._blocks[subject]
        told = f"block {len(blocks)} of {subject}"
        if blocks[-1].failed:
            return f"{told}: {blocks[-1].failed} failed: {blocks[-1].why}"
        epoch = next((c for c in self._changes(subject) if c.metric == Metric.EPOCH), None)
        shown = (
            f"epoch {epoch.change.value:+.1%}, {epoch.verdict}" if epoch and epoch.change else ""
        )
        return f"{told} after {self._budget.spent_s:.0f} s: {shown}"


def _confirms(fresh: Series) -> bool:
    """Blocks that had no part in the suspicion show at least half of what matters."""
    half = fresh.inner(fresh.matters) / 2
    return len(fresh.changes) > 0 and float(np.mean(fresh.changes)) >= half


def _low(change: Estimate | None) -> float:
    return change.low if change is not None and change.low is not None else float("-inf")
