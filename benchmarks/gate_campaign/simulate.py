"""Simulated decisions: the gate's own loop over recorded noise, with slowdowns of known size.

Recorded are the live decisions between equal code. A simulated check begins at a random block of
one of them, takes what follows, and goes on with others, drawn whole: within each of them the
blocks stay in the order of time, so that drift and bursts stay (a bootstrap of blocks: Kuensch
1989, Ann. Statist. 17). Which side is called the head is drawn for each check. A slowdown is
planted by making the head's epochs longer, each by a share of its own time: its steps (`model`,
computing; `pipeline`, waiting) or its end (`boundary`).

Simulated checks share recordings: a thousand of them are no surer than as many independent ones as
there are recorded checks, and `render` gives them no narrower interval.

The same blocks are given to what people use instead: a fixed threshold on medians, and
pytest-benchmark's `--benchmark-compare-fail=mean:5%`, which holds a run against a saved one.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import add

from bench.gate.blocks import BlockRecord, Role, Subject
from bench.gate.options import GateOptions
from bench.gate.pairs import BlockValues, evaluate
from bench.gate.schema import Verdict
from bench.gate.session import Task, check
from bench.schema import EpochRecord, TrialRecord, VariantProof
from bench.turns import Place
from benchmarks.gate_campaign.plan import Case

FIXED = 0.05
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Simulated:
    """One simulated decision, and what others would have said of the same blocks."""

    kind: str
    verdict: Verdict
    spent_s: float
    blocks: int
    fixed_threshold: bool
    compare_fail: bool


@dataclass(frozen=True)
class Recording:
    """How many live checks, and blocks in them, simulated decisions rest on."""

    checks: int
    blocks: int


@dataclass(frozen=True)
class Simulations:
    """All simulated decisions; what those beside no neighbour and beside one rest on."""

    schema_version: int
    quiet: Recording
    neighbour: Recording
    decisions: list[Simulated]


class Recorded:
    """Recorded blocks, with each planted version of them computed once.

    `checks` are the numbers of each recorded check's blocks.
    """

    def __init__(self, checks: Sequence[Sequence[BlockRecord]]) -> None:
        self.blocks: list[BlockRecord] = []
        self.checks: list[range] = []
        for blocks in checks:
            begin = len(self.blocks)
            self.blocks += [block for block in blocks if not block.failed]
            if len(self.blocks) > begin:
                self.checks.append(range(begin, len(self.blocks)))
        self._values: dict[tuple[int, bool, Place, float], BlockValues] = {}

    @property
    def recording(self) -> Recording:
        """How much of it there is."""
        return Recording(len(self.checks), len(self.blocks))

    def values(self, index: int, swapped: bool, place: Place, plant: float) -> BlockValues:
        """What a block comes to with a planted head."""
        key = (index, swapped, place, plant)
        if key not in self._values:
            self._values[key] = evaluate(self.planted(*key))
        return self._values[key]

    def planted(self, index: int, swapped: bool, place: Place, plant: float) -> BlockRecord:
        """A block with a planted head."""
        block = self.blocks[index]
        base, other = block.reference, block.head
        if swapped:
            base, other = other, base
        return replace(block, reference=base, head=slowed(other, place, plant))


def slowed(trial: TrialRecord, place: Place, plant: float) -> TrialRecord:
    """The trial with its steady epochs made longer by a share of their own time."""
    first, *steady = trial.epochs
    return replace(trial, epochs=(first, *(_slowed(epoch, place, plant) for epoch in steady)))


def _slowed(epoch: EpochRecord, place: Place, plant: float) -> EpochRecord:
    if place is Place.BOUNDARY:
        lost_ns = round(plant * epoch.epoch_ns)
        return replace(epoch, epoch_ns=epoch.epoch_ns + lost_ns, tail_ns=epoch.tail_ns + lost_ns)
    lost = tuple(round(plant * step) for step in epoch.step_ns)
    slow = replace(epoch, step_ns=_sum(epoch.step_ns, lost), epoch_ns=epoch.epoch_ns + sum(lost))
    if place is Place.PIPELINE:
        return replace(slow, wait_ns=_sum(epoch.wait_ns or (), lost) or None)
    return replace(slow, compute_ns=_sum(epoch.compute_ns or (), lost) or None)


def _sum(times: Sequence[int], more: Sequence[int]) -> tuple[int, ...]:
    return tuple(map(add, times, more))


def simulate(
    recorded: Recorded, case: Case, count: int, options: GateOptions, validation_images: int
) -> list[Simulated]:
    """So many decisions of one kind; deterministic."""
    rng = random.Random(case.kind)
    task = Task((recorded.blocks[0].subject,), options, validation_images)
    made = []
    for _ in range(count):
        order = numbers(rng, recorded.checks)
        runner = _Replay(recorded, order, rng.random() < 0.5, case)
        decided = check(task, runner, runner.clock_s, lambda _text: None)
        made.append(
            Simulated(
                case.kind,
                decided.verdict,
                decided.spent_s,
                decided.blocks,
                fixed_threshold(runner.used),
                compare_fail(runner.used),
            )
        )
    return made


def numbers(rng: random.Random, checks: Sequence[range]) -> Iterator[int]:
    """The numbers of blocks as they come: one check from a random block on, then whole ones."""
    first = rng.choice(checks)
    yield from first[rng.randrange(len(first)) :]
    while True:
        yield from rng.choice(checks)


class _Replay:
    """Recorded blocks as they come; the clock moves by what they took."""

    def __init__(
        self,
        recorded: Recorded,
        order: Iterator[int],
        swapped: bool,
        case: Case,
    ) -> None:
        self._recorded, self._order = recorded, order
        self._planted = (swapped, case.place, case.plant)
        self._now_s = 0.0
        self.used: list[BlockRecord] = []

    def clock_s(self) -> float:
        """The time that its blocks have taken."""
        return self._now_s

    def prove(self) -> Mapping[Role, Mapping[str, VariantProof]]:
        """Nothing to prove: the code is not there."""
        return {}

    def measure(self, _subject: Subject, _block: int, *, confirms: bool) -> BlockValues:  # noqa: ARG002
        """The next recorded block."""
        which = (next(self._order), *self._planted)
        found = self._recorded.values(*which)
        self.used.append(self._recorded.planted(*which))
        self._now_s += found.wall_ns / NS_PER_S
        return found


def fixed_threshold(blocks: Sequence[BlockRecord]) -> bool:
    """Whether the medians of all steady epochs differ by more than a fixed threshold."""
    base, other = _epochs(blocks, Role.REFERENCE), _epochs(blocks, Role.HEAD)
    return statistics.median(other) > (1 + FIXED) * statistics.median(base)


def compare_fail(blocks: Sequence[BlockRecord]) -> bool:
    """Whether `--benchmark-compare-fail=mean:5%` would fail.

    It holds a run against a saved one: the head's epochs of the second half of the check against
    the reference's of the first half, as two jobs in a row would have them.
    """
    half = max(1, len(blocks) // 2)
    base = _epochs(blocks[:half], Role.REFERENCE)
    other = _epochs(blocks[half:] or blocks, Role.HEAD)
    return statistics.fmean(other) > (1 + FIXED) * statistics.fmean(base)


def _epochs(blocks: Sequence[BlockRecord], role: Role) -> list[int]:
    trials = [block.trial(role) for block in blocks]
    return [epoch.epoch_ns for trial in trials if trial for epoch in trial.epochs[1:]]
