"""Two files of pytest-benchmark -> a verdict: were the benchmarks slower in the second job?

The rounds of a benchmark, in time order, are cut into batches, and a batch's mean is a block of the
gate: *batch means*, whose spread takes in that neighbouring rounds resemble each other (Schmeiser
1982, Operations Research 30(3): between 10 and 30 batches serve best). Batch i of one file is held
against batch i of the other, so that a warm-up which both have falls out; the mean leaves out the
tenths that are highest and lowest, as everywhere in this gate (`bench.gate.pairs`).

There is one look, and nothing can be measured again. In place of a planted slowdown in the job, one
is planted in the data: the second half of OLD's rounds, slowed down by the threshold, against the
first half. A benchmark whose halves differ by themselves is not steady: nothing follows from it.

**What this cannot see**: two files are two jobs. What differs between jobs is in neither file, so
the bounds hold for these two jobs, not for the commits that they ran; a note says so every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import trim_mean

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
# So many benchmarks that all move one way are more likely one machine than one commit.
_TOGETHER = 3


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
        (benchmark, head.benchmarks[name])
        for name, benchmark in reference.benchmarks.items()
        if name in head.benchmarks
    ]
    changes = tuple(_compare(base, other, thresholds, len(pairs)) for base, other in pairs)
    tests = [
        _planted(base, thresholds)
        for (base, _), change in zip(pairs, changes, strict=True)
        if change.verdict is not Verdict.NOTHING
    ]
    self_test = min(tests, key=_evidence, default=None)
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
        notes=(*_alone(reference, head), *_jobs(reference, head), *_together(changes)),
    )


def batch_means(rounds_s: Sequence[float], batches: int) -> tuple[float, ...]:
    """The trimmed mean of each of so many equal stretches of the rounds, in seconds."""
    stretches = np.array_split(np.asarray(rounds_s, dtype=np.float64), batches)
    return tuple(float(trim_mean(stretch, TRIMMED)) for stretch in stretches)


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


def _compare(base: Benchmark, other: Benchmark, threshold: Threshold, comparisons: int) -> Change:
    """What may be said of one benchmark."""
    series = _series(base, threshold, against(base.rounds_s, other.rounds_s))
    series = replace(series, after=_level(other))
    if base.rounds_s == other.rounds_s:
        return _nothing(series, "both files hold the very same rounds, so it was measured once")
    if differing := base.differences(other):
        told = "; ".join(f"{d.key} {d.ours} against {d.theirs}" for d in differing)
        return _nothing(series, f"not the same work: {told}")
    change = decide(series, comparisons)
    for which, benchmark in (("OLD", base), ("NEW", other)):
        moved = _drift(benchmark, series, comparisons)
        if moved is not None:
            why = (
                f"not steady: the second half of {which}'s rounds took {moved:+.1%} of the first "
                "half's time; warm it up (--benchmark-warmup=on) on a quiet machine"
            )
            return replace(change, verdict=Verdict.INCONCLUSIVE, why=why)
    return change


def _series(base: Benchmark, threshold: Threshold, changes: tuple[float, ...]) -> Series:
    return Series(
        subject=base.name,
        metric=METRIC,
        unit=Unit.SECONDS,
        threshold=threshold,
        changes=changes,
        before=_level(base),
        after=None,
        noise=halves(base.rounds_s),
    )


def _level(benchmark: Benchmark) -> float:
    return batch_means(benchmark.rounds_s, 1)[0]


def _nothing(series: Series, why: str) -> Change:
    """A benchmark that both files have and that cannot be compared."""
    change = decide(replace(series, changes=()), 1)
    return replace(change, why=why)


def _drift(benchmark: Benchmark, series: Series, comparisons: int) -> float | None:
    """By how much a benchmark moves within its own job, if surely and by half of what matters."""
    values = halves(benchmark.rounds_s)
    found = bounds(values, FAMILY_ERROR / comparisons)
    if found.low <= 0 <= found.high:
        return None
    centre = float(np.mean(values))
    return series.relative(centre) if abs(centre) >= series.inner(series.matters) / 2 else None


def _planted(base: Benchmark, threshold: Threshold) -> SelfTest:
    """Whether the threshold, planted in the second half of OLD, is told from nothing."""
    series = _series(base, threshold, ())
    planted = series.matters
    seen = see_plant(replace(series, changes=halves(base.rounds_s, planted)), planted)
    why = f"in OLD's own rounds of {base.name}, second half against first, {seen.why}"
    return replace(seen, why=why)


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


def _jobs(old: BenchmarkFile, new: BenchmarkFile) -> tuple[str, ...]:
    """What two files cannot say, and what is known about the two jobs."""
    notes = [
        "two files are two jobs, and what differs between jobs is in neither: the verdict holds "
        "for these jobs, not yet for the commits. Published noise: 26 % between jobs where it was "
        "0.3 % within one (namecheap/fast_mail_parser#128). To tell a commit from a job, measure "
        "both sides in one: leafbench check --against REVISION"
    ]
    if old.at and new.at and new.at < old.at:
        notes.append("NEW was written before OLD: are the files in the right order?")
    if old.kernel != new.kernel:
        notes.append(f"the kernel differs: {old.kernel or 'none'} and {new.kernel or 'none'}")
    return tuple(notes)


def _together(changes: Sequence[Change]) -> tuple[str, ...]:
    """All benchmarks moved one way by half of what matters or more: a machine does that, too."""
    found = [(c.change.value, c.threshold / 2) for c in changes if c.change is not None]
    values = [value for value, _ in found]
    if len(found) < _TOGETHER:
        return ()
    for way, word in ((1, "slower"), (-1, "faster")):
        if all(way * value >= half for value, half in found):
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
