"""Simulated decisions: the gate's own loop over recorded noise, with slowdowns of known size.

Recorded are the live decisions between equal code without a neighbour: their blocks in the order of
time, so that drift and bursts stay. A simulated check begins at a random block and takes what
follows; which side is called the head is drawn for each check, so that chance and not the order of
the processes decides. A slowdown is planted by making the head's epochs longer, each by a share of
its own time: its steps (`model`, computing; `pipeline`, waiting) or its end (`boundary`).

The same blocks are given to what people use instead: a fixed threshold on medians, and
pytest-benchmark's `--benchmark-compare-fail=mean:5%`, which holds a run against a saved one.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import add

from bench.gate.blocks import BlockRecord, Role, Subject
from bench.gate.options import GateOptions
from bench.gate.pairs import BlockValues, evaluate
from bench.gate.schema import Verdict
from bench.gate.session import Task, check
from bench.schema import EpochRecord, TrialRecord, VariantProof
from bench.turns import Place

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
class Simulations:
    """All simulated decisions, and how many recorded blocks they rest on."""

    schema_version: int
    recorded_blocks: int
    decisions: list[Simulated]


class Recorded:
    """Recorded blocks, with each planted version of them computed once."""

    def __init__(self, checks: Sequence[Sequence[BlockRecord]]) -> None:
        self.blocks = [block for blocks in checks for block in blocks if not block.failed]
        self._values: dict[tuple[int, bool, Place, float], BlockValues] = {}

    def values(self, index: int, swapped: bool, place: Place, plant: float) -> BlockValues:
        """What a block comes to with a planted head."""
        key = (index % len(self.blocks), swapped, place, plant)
        if key not in self._values:
            self._values[key] = evaluate(self.planted(*key))
        return self._values[key]

    def planted(self, index: int, swapped: bool, place: Place, plant: float) -> BlockRecord:
        """A block with a planted head."""
        block = self.blocks[index % len(self.blocks)]
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
    recorded: Recorded,
    place: Place,
    plant: float,
    count: int,
    options: GateOptions,
    validation_images: int,
) -> list[Simulated]:
    """So many decisions of one kind; deterministic."""
    rng = random.Random(f"{place} {plant}")
    kind = "same" if plant == 0 else f"{place}-{round(plant * 100)}"
    made = []
    for _ in range(count):
        start, swapped = rng.randrange(len(recorded.blocks)), rng.random() < 0.5
        runner = _Replay(recorded, start, swapped, place, plant)
        task = Task((recorded.blocks[0].subject,), options, validation_images)
        decided = check(task, runner, lambda r=runner: r.now_s, lambda _text: None)  # type: ignore[misc]
        used = [recorded.planted(start + n, swapped, place, plant) for n in range(decided.blocks)]
        made.append(
            Simulated(
                kind,
                decided.verdict,
                decided.spent_s,
                decided.blocks,
                fixed_threshold(used),
                compare_fail(used),
            )
        )
    return made


class _Replay:
    """Recorded blocks as they come; the clock moves by what they took."""

    def __init__(
        self, recorded: Recorded, start: int, swapped: bool, place: Place, plant: float
    ) -> None:
        self._recorded, self._start = recorded, start
        self._swapped, self._place, self._plant = swapped, place, plant
        self.now_s = 0.0

    def prove(self) -> Mapping[Role, Mapping[str, VariantProof]]:
        """Nothing to prove: the code is not there."""
        return {}

    def measure(self, _subject: Subject, block: int, *, confirms: bool) -> BlockValues:  # noqa: ARG002
        """The next recorded block."""
        index = self._start + block
        found = self._recorded.values(index, self._swapped, self._place, self._plant)
        self.now_s += found.wall_ns / NS_PER_S
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
