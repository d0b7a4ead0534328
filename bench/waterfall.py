"""A speedup taken apart into its causes, from the variants that a run has measured. Pure.

**The ladder** (`bench.ladder`) leads from the claim's baseline to a target through measured
variants, each rung changing as few axes as possible. A rung's factor is the ratio of its two ends,
formed inside blocks; all rungs and the total use the same blocks, so that the rungs multiply to the
total exactly. A factor on a ladder holds *at its place*: prefetching gives little before decoding
is parallel, and much after it.

**Leave-one-out** asks from the other end: how much slower the target is without one cause. A cause
whose place another one takes loses nothing there, though it gave much on the ladder.

**The interaction** is what of the ladder the leave-one-outs do not explain: the product of the
rungs over that of the leave-one-outs, for the causes that have both, inside blocks. 1: the causes
act each by itself. Above 1: they stand in for each other. Below 1: they need each other. Its
interval is Student's over blocks.

Nothing is guessed: what was not measured is named, as the variant that would measure it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench import ladder, stats
from bench.ladder import Change
from bench.schema import ClaimSpec
from bench.stats import MIN_BLOCKS, Interval
from bench.timed import Measured
from leafmodel.pipelines.spec import PipelineSpec


@dataclass(frozen=True)
class Rung:
    """From one variant to the next: `factor` is how many times as fast, `so_far` since the start.

    Several changes cannot be told apart; none means that both are the same pipeline here.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    factor: Interval
    so_far: Interval


@dataclass(frozen=True)
class LeftOut:
    """The target without one cause: `factor` is how many times as fast the target is as `variant`.

    `change` is from the baseline's value to the target's.
    """

    change: Change
    variant: str
    factor: Interval


@dataclass(frozen=True)
class Interaction:
    """What the leave-one-outs of these axes do not explain of their rungs."""

    axes: tuple[str, ...]
    factor: Interval


@dataclass(frozen=True)
class Dropped:
    """A variant that would be a rung, timed in too few of the blocks that the two ends share."""

    variant: str
    blocks: int


@dataclass(frozen=True)
class Missing:
    """A variant that the run has not timed, or too seldom, and what it would tell."""

    variant: str
    tells: str


@dataclass(frozen=True)
class Waterfall:
    """A speedup in factors.

    Attributes:
        blocks: those that every rung and the total rest on. shared: those that both ends have.
        inseparable: causes of the target that it cannot be without, everything else kept.
        unproved: of the variants used, those that were not proved to be what their names say.
    """

    phase: str
    baseline: str
    target: str
    total: Interval
    rungs: tuple[Rung, ...]
    left_out: tuple[LeftOut, ...]
    interaction: Interaction | None
    inseparable: tuple[Change, ...]
    dropped: tuple[Dropped, ...]
    missing: tuple[Missing, ...]
    unproved: tuple[str, ...]
    blocks: int
    shared: int

    @property
    def names(self) -> tuple[str, ...]:
        """The variants of the ladder, from the first to the last."""
        return (self.baseline, *(rung.after for rung in self.rungs))

    def is_part_of(self, other: Waterfall) -> bool:
        """Whether another ladder begins with this one, in the same blocks."""
        shorter = len(self.names) < len(other.names)
        begins = other.names[: len(self.names)] == self.names
        return shorter and begins and self.blocks == other.blocks

    @property
    def largest(self) -> Rung:
        """The rung that changes most, in whichever direction."""
        return max(self.rungs, key=lambda rung: abs(math.log(rung.factor.median)))


@dataclass(frozen=True)
class Explanation:
    """The waterfalls of a phase, to the candidate and to the fastest; or why there are none."""

    phase: str
    waterfalls: tuple[Waterfall, ...]
    obstacles: tuple[str, ...] = ()

    @property
    def longest(self) -> tuple[Waterfall, ...]:
        """Without a ladder that is the lower part of another one."""
        return tuple(
            item
            for item in self.waterfalls
            if not any(item.is_part_of(other) for other in self.waterfalls)
        )


def explain(
    measured: Measured, claim: ClaimSpec, fastest: str | None, named: Collection[str] = ()
) -> Explanation:
    """The claim's speedup in factors, and that of the fastest variant if it is another one.

    Targets that were `named` before anything was measured come in the place of the fastest, which
    chance helps to choose; those that the run leaves out are no targets.
    """
    others = [name for name in named if name in measured.variants]
    if fastest and not others:
        others = [fastest]
    targets = dict.fromkeys((claim.candidate, *others))
    found: list[Waterfall] = []
    obstacles: dict[str, None] = {}
    for target in targets:
        why = _obstacle(measured, claim.baseline, target)
        if why:
            obstacles[why] = None
        else:
            found.append(waterfall(measured, claim.baseline, target, via=claim.candidate))
    return Explanation(measured.phase, tuple(found), tuple(obstacles))


def waterfall(measured: Measured, baseline: str, target: str, via: str = "") -> Waterfall:
    """The speedup of `target` over `baseline`, both timed in one block at least, in factors."""
    shared = measured.variants[baseline].blocks & measured.variants[target].blocks
    names, dropped = _climb(measured, baseline, target, via)
    blocks = measured.common(names)
    rungs = _rungs(measured, names, blocks)
    out, inseparable, unmeasured = _leave_one_out(measured, baseline, target)
    used = dict.fromkeys((*names, *(item.variant for item in out)))
    return Waterfall(
        phase=measured.phase,
        baseline=baseline,
        target=target,
        total=measured.ratio(baseline, target, blocks),
        rungs=rungs,
        left_out=out,
        interaction=_interaction(measured, rungs, out),
        inseparable=inseparable,
        dropped=dropped,
        missing=(*_finer(measured, rungs), *unmeasured),
        unproved=tuple(name for name in used if not measured.variants[name].proved),
        blocks=len(blocks),
        shared=len(shared),
    )


def own_rungs(rungs: Sequence[Rung], axis: str) -> tuple[Rung, ...]:
    """The rungs that change an axis, if none of them changes another one too."""
    found = tuple(rung for rung in rungs if axis in (change.axis for change in rung.changes))
    return found if all(len(rung.changes) == 1 for rung in found) else ()


def _obstacle(measured: Measured, baseline: str, target: str) -> str:
    if target == baseline:
        return f"the claim holds {baseline} against itself, so there is nothing to take apart"
    for name in (baseline, target):
        if name not in measured.variants:
            return f"{name} is not among the variants of this run's phase {measured.phase}"
        if not measured.variants[name].times:
            return f"no steady epoch of {name} was measured in {measured.phase}"
    if not measured.common((baseline, target)):
        return f"no block has steady epochs of both {baseline} and {target} in {measured.phase}"
    return ""


def _climb(
    measured: Measured, baseline: str, target: str, via: str
) -> tuple[tuple[str, ...], tuple[Dropped, ...]]:
    """The finest ladder whose variants share blocks enough, and what that left out.

    A variant with failed trials takes its blocks from every rung. It may cost half of those that
    the two ends share, and never the interval that they would have.
    """
    shared = measured.variants[baseline].blocks & measured.variants[target].blocks
    enough = max(min(MIN_BLOCKS, len(shared)), math.ceil(len(shared) / 2))
    points = {name: item.pipeline for name, item in measured.variants.items()}
    dropped: list[Dropped] = []
    while True:
        names = ladder.finest(points, baseline, target, measured.idle, via)
        if len(measured.common(names)) >= enough:
            return names, tuple(dropped)
        have = {name: len(measured.variants[name].blocks & shared) for name in names[1:-1]}
        worst = min(have, key=lambda name: have[name])
        dropped.append(Dropped(worst, have[worst]))
        del points[worst]


def _rungs(measured: Measured, names: Sequence[str], blocks: Collection[int]) -> tuple[Rung, ...]:
    variants = measured.variants
    return tuple(
        Rung(
            before,
            after,
            ladder.changes(variants[before].pipeline, variants[after].pipeline, measured.idle),
            measured.ratio(before, after, blocks),
            measured.ratio(names[0], after, blocks),
        )
        for before, after in pairwise(names)
    )


def _leave_one_out(
    measured: Measured, baseline: str, target: str
) -> tuple[tuple[LeftOut, ...], tuple[Change, ...], tuple[Missing, ...]]:
    """Each cause taken from the target: measured, impossible, or missing."""
    start, top = (measured.variants[name].pipeline for name in (baseline, target))
    found: list[LeftOut] = []
    inseparable: list[Change] = []
    missing: list[Missing] = []
    for change in ladder.changes(start, top, measured.idle):
        spec = ladder.without(top, start, change.axis)
        if spec is None:
            inseparable.append(change)
            continue
        name = _measured_as(measured, spec, target)
        if name is None:
            called = ladder.called(spec, measured.listed, measured.idle)
            missing.append(Missing(called, f"what {change.axis} alone gives {target}"))
        else:
            factor = measured.ratio(name, target, measured.common((name, target)))
            found.append(LeftOut(change, name, factor))
    return tuple(found), tuple(inseparable), tuple(missing)


def _measured_as(measured: Measured, spec: PipelineSpec, target: str) -> str | None:
    """The variant that is this pipeline and shares a block with the target."""
    for name, item in measured.variants.items():
        if ladder.same(item.pipeline, spec, measured.idle) and measured.common((name, target)):
            return name
    return None


def _finer(measured: Measured, rungs: Sequence[Rung]) -> Iterator[Missing]:
    """What would part the rungs that change several axes at once."""
    for rung in rungs:
        before, after = (measured.variants[name].pipeline for name in (rung.before, rung.after))
        for spec in ladder.between(before, after, measured.idle):
            name = ladder.called(spec, measured.listed, measured.idle)
            yield Missing(name, f"the parts of the rung from {rung.before} to {rung.after}")


def _interaction(
    measured: Measured, rungs: Sequence[Rung], left_out: Sequence[LeftOut]
) -> Interaction | None:
    """None where no cause has both, or every leave-one-out is the rung itself."""
    top = rungs[-1].after
    own = {out: own_rungs(rungs, out.change.axis) for out in left_out}
    both = {out: parts for out, parts in own.items() if parts}
    if all((part.before, part.after) == (out.variant, top) for out in both for part in both[out]):
        return None
    # Product over causes of: the rungs (before / after) over the leave-one-out (variant / top).
    over = [top for _ in both] + [part.before for parts in both.values() for part in parts]
    under = [out.variant for out in both] + [p.after for parts in both.values() for p in parts]
    values = [
        math.exp(
            math.fsum(math.log(measured.variants[name].seconds(block)) for name in over)
            - math.fsum(math.log(measured.variants[name].seconds(block)) for name in under)
        )
        for block in sorted(measured.common((*over, *under)))
    ]
    factor = stats.geometric_mean(values)
    return Interaction(tuple(out.change.axis for out in both), factor) if factor else None
