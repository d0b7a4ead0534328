"""Two files of pytest-benchmark -> a verdict: were the benchmarks slower in the second job?

The rounds of a benchmark, in time order, are cut into batches, and a batch's mean is a block of the
gate: *batch means*, whose spread takes in that neighbouring rounds resemble each other (Schmeiser
1982, Operations Research 30(3): between 10 and 30 batches serve best). Batch i of one file is held
against batch i of the other, so that a warm-up which both have falls out; the mean leaves out the
fifths that are highest and lowest, as everywhere in this gate (`bench.gate.pairs`).

There is one look, and nothing can be measured again. In place of a planted slowdown in the job, one
is planted in the data: the second half of OLD's rounds, slowed down by the threshold, against the
first half. A benchmark whose halves differ by themselves is not steady: nothing follows from it.

**Two files are two jobs**, and what differs between jobs is in neither file. How far jobs move
benchmarks apart shows where most of them did not change: in the spread of the changes around their
median (its median absolute deviation: Hampel 1974, JASA 69). All batches of a benchmark share that
one draw, so they count as no more than one. What moves all benchmarks alike, commit or machine, no
statistics can tell from two files; a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import median_abs_deviation

from bench.environment import leafbench_version
from bench.gate.benchmark_file import Benchmark, BenchmarkFile, read, refuse_other_machine
from bench.gate.decision import FAMILY_ERROR, Series, conclude, decide, see_plant
from bench.gate.metrics import Threshold, Unit
from bench.gate.pairs import TRIMMED
from bench.gate.schema import (
    VERDICT_VERSION,
    Change,
    SelfTest,
    Source,
    Verdict,
    VerdictRecord,
)
from bench.gate.sequences import bounds

BATCHES = 20
METRIC = "round"
# So many benchmarks show how jobs move them apart, and whether they all moved one way.
CROWD = 6


@dataclass(frozen=True)
class _Pair:
    """A benchmark of both files. `obstacle` says why it cannot be compared; empty if it can."""

    base: Benchmark
    other: Benchmark

    @property
    def obstacle(self) -> str:
        if self.base.rounds_s == self.other.rounds_s:
            return "both files hold the very same rounds, so it was measured once"
        differing = self.base.differences(self.other)
        told = "; ".join(f"{d.key} {d.ours} against {d.theirs}" for d in differing)
        return f"not the same work: {told}" if differing else ""

    def changes(self) -> tuple[float, ...]:
        """The log ratio of each pair of batches; above 0 is slower."""
        return against(self.base.rounds_s, self.other.rounds_s)


@dataclass(frozen=True)
class _Terms:
    """What holds for all benchmarks of a check.

    `job_spread`: how far jobs move one benchmark from another, on the log scale; 0 if unknown.
    """

    threshold: Threshold
    comparisons: int
    job_spread: float


def check(old: Path, new: Path, thresholds: Threshold, now: str) -> VerdictRecord:
    """The verdict on the benchmarks that two files of pytest-benchmark have in common.

    Args:
        thresholds: of every benchmark; the floor is in seconds a round.
        now: what the record says about when it was made.

    Raises:
        RecordError: a file cannot be read, or lacks the raw rounds.
        ConfigError: the files are of different machines; names the keys that differ.
    """
    reference, head = read(old), read(new)
    refuse_other_machine(reference, head)
    pairs = [
        _Pair(benchmark, head.benchmarks[name])
        for name, benchmark in reference.benchmarks.items()
        if name in head.benchmarks
    ]
    whole = [pair for pair in pairs if not pair.obstacle]
    terms = _Terms(thresholds, len(pairs), job_spread([pair.changes() for pair in whole]))
    changes = tuple(_compare(pair, terms) for pair in pairs)
    self_test = min((_planted(pair.base, terms) for pair in whole), key=_evidence, default=None)
    verdict, reasons = conclude(changes, self_test, self_test_wanted=True)
    return VerdictRecord(
        schema_version=VERDICT_VERSION,
        source=Source.BENCHMARKS,
        verdict=verdict,
        reasons=reasons if pairs else (_nothing_common(reference, head),),
        created_at=now,
        leafbench_version=leafbench_version(),
        reference=reference.side,
        head=head.side,
        changes=changes,
        self_test=self_test,
        family_error=FAMILY_ERROR,
        budget_s=None,
        spent_s=None,
        blocks=sum(change.blocks for change in changes),
        notes=(
            *_alone(reference, head),
            *_jobs(reference, head, terms),
            *_together(changes),
        ),
    )


def job_spread(changes: Sequence[Sequence[float]]) -> float:
    """How far jobs move one benchmark from another, seen in many; 0 if there are too few to see it.

    Args:
        changes: log ratios of each benchmark's batches.
    """
    if len(changes) < CROWD:
        return 0.0
    return float(median_abs_deviation([np.mean(own) for own in changes], scale="normal"))


def batch_means(rounds_s: Sequence[float], batches: int) -> tuple[float, ...]:
    """The trimmed mean of each of so many equal stretches of the rounds, in seconds."""
    stretches = np.array_split(np.asarray(rounds_s, dtype=np.float64), batches)
    return tuple(map(_trimmed, stretches))


def against(base_s: Sequence[float], other_s: Sequence[float]) -> tuple[float, ...]:
    """The log ratio of each batch of `other_s` to the same batch of `base_s`: above 0 is slower."""
    count = min(BATCHES, len(base_s), len(other_s))
    if not count:
        return ()
    ratios = np.divide(batch_means(other_s, count), batch_means(base_s, count))
    return tuple(map(float, np.log(ratios)))


def halves(rounds_s: Sequence[float], planted: float = 0.0) -> tuple[float, ...]:
    """The second half of the rounds against the first one, slowed down by the share `planted`."""
    middle = len(rounds_s) // 2
    slowed = [(1 + planted) * value for value in rounds_s[middle:]]
    return against(rounds_s[:middle], slowed)


def _compare(pair: _Pair, terms: _Terms) -> Change:
    """What may be said of one benchmark."""
    if pair.obstacle:
        return replace(decide(_series(pair.base, (), terms), 1), why=pair.obstacle)
    series = replace(_series(pair.base, pair.changes(), terms), after=_level(pair.other))
    change = decide(series, terms.comparisons)
    for which, benchmark in (("OLD", pair.base), ("NEW", pair.other)):
        moved = _drift(benchmark, series, terms)
        if moved is not None:
            why = (
                f"not steady: {which}'s second half is {moved:+.1%} against its first; warm it up "
                "(--benchmark-warmup=on), on a quiet machine"
            )
            return replace(change, verdict=Verdict.INCONCLUSIVE, why=why)
    return change


def _series(base: Benchmark, changes: tuple[float, ...], terms: _Terms) -> Series:
    """A mean of n batches that share a draw is as sure as if they spread by sqrt(n) of it."""
    return Series(
        subject=base.name,
        metric=METRIC,
        unit=Unit.SECONDS,
        threshold=terms.threshold,
        changes=changes,
        before=_level(base),
        after=None,
        noise=halves(base.rounds_s),
        least_spread=math.sqrt(len(changes)) * terms.job_spread,
    )


def _level(benchmark: Benchmark) -> float:
    return batch_means(benchmark.rounds_s, 1)[0]


def _drift(benchmark: Benchmark, series: Series, terms: _Terms) -> float | None:
    """By how much a benchmark moves within its own job, if surely and by half of what matters."""
    values = halves(benchmark.rounds_s)
    found = bounds(values, FAMILY_ERROR / terms.comparisons)
    if found.low <= 0 <= found.high:
        return None
    centre = float(np.mean(values))
    return series.relative(centre) if abs(centre) >= series.inner(series.matters) / 2 else None


def _planted(base: Benchmark, terms: _Terms) -> SelfTest:
    """Whether the threshold, planted in the second half of OLD, is told from nothing."""
    planted = _series(base, (), terms).matters
    seen = see_plant(_series(base, halves(base.rounds_s, planted), terms), planted)
    why = f"in OLD's own rounds of {base.name}, second half against first, {seen.why}"
    return replace(seen, why=why)


def _trimmed(values: NDArray[np.float64]) -> float:
    """SciPy's `trim_mean`, without what its checks cost thousands of times."""
    cut = int(TRIMMED * len(values))
    return float(np.sort(values)[cut : len(values) - cut].mean())


def _evidence(test: SelfTest) -> tuple[bool, float]:
    low = test.change.low if test.change is not None else None
    return test.seen, low if low is not None else float("-inf")


def _nothing_common(old: BenchmarkFile, new: BenchmarkFile) -> str:
    return (
        f"no benchmark is in both files: {old.path} has {_names(list(old.benchmarks))}, "
        f"{new.path} has {_names(list(new.benchmarks))}"
    )


def _alone(old: BenchmarkFile, new: BenchmarkFile) -> tuple[str, ...]:
    """Benchmarks that one side alone has are compared with nothing."""
    sides = ((old, new, "gone from NEW"), (new, old, "new in NEW"))
    found = [([n for n in a.benchmarks if n not in b.benchmarks], what) for a, b, what in sides]
    return tuple(f"not compared, {what}: {', '.join(names)}" for names, what in found if names)


def _jobs(old: BenchmarkFile, new: BenchmarkFile, terms: _Terms) -> tuple[str, ...]:
    """What two files cannot say, and what is known about the two jobs."""
    notes = [
        "two files are two jobs, and what differs between jobs is in neither: the verdict holds "
        "for these jobs, not yet for the commits. Published noise: 26 % between jobs where it was "
        "0.3 % within one (namecheap/fast_mail_parser#128). To tell a commit from a job, measure "
        "both sides in one: leafbench check --against REVISION"
    ]
    if terms.job_spread:
        notes.append(
            f"between the jobs, benchmarks moved apart by {math.expm1(terms.job_spread):.1%} "
            "(median absolute deviation, as a standard deviation); the bounds allow for it"
        )
    if old.at and new.at and new.at < old.at:
        notes.append("NEW was written before OLD: are the files in the right order?")
    if old.kernel != new.kernel:
        notes.append(f"the kernel differs: {old.kernel or 'none'} and {new.kernel or 'none'}")
    return tuple(notes)


def _together(changes: Sequence[Change]) -> tuple[str, ...]:
    """All benchmarks moved one way by half of what matters or more: a machine does that, too."""
    found = [(c.change.value, c.threshold / 2) for c in changes if c.change is not None]
    for way, word in ((1, "slower"), (-1, "faster")):
        if len(found) >= CROWD and all(way * value >= half for value, half in found):
            values = [value for value, _ in found]
            return (
                f"all {len(found)} benchmarks are {word} ({min(values):+.1%} to "
                f"{max(values):+.1%}): a {word} machine looks just like that",
            )
    return ()


def _names(names: Sequence[str], most: int = 3) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
