"""What a gate decides: verdict files, whatever was compared (revisions, summaries, benchmarks)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bench.gate.metrics import Unit
from bench.schema import Environment, require

VERDICT_VERSION = 1


class Verdict(StrEnum):
    """What a gate says. Missing evidence is never a pass."""

    PASS = "pass"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"
    NOTHING = "nothing measured"

    @property
    def exit_code(self) -> int:
        """The exit status of `leafbench check`; 2 is wrong usage."""
        return {"pass": 0, "regression": 1, "inconclusive": 3, "nothing measured": 4}[self.value]


class Source(StrEnum):
    """What was compared."""

    REVISIONS = "revisions"
    SUMMARIES = "summaries"
    BENCHMARKS = "benchmarks"


@dataclass(frozen=True)
class Estimate:
    """A relative change with its ordinary 95 % interval; above 0 is worse.

    `low` and `high` are None with too few blocks for an interval.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Change:
    """One metric of one subject, head against reference.

    Attributes:
        subject: variant and phase (`in_model, cnn`), or the name of a benchmark.
        metric: its name; `unit` is what `before` and `after` are counted in.
        verdict: of this metric alone.
        why: one sentence.
        change: relative; None where nothing could be compared.
        sure_low, sure_high: bounds that hold at every look at once, with all comparisons of the
            gate together (low: what a regression is called by) and for this comparison alone (high:
            what a pass is called by). Infinite bounds are None.
        threshold: the relative change that matters here: the larger of the relative threshold and
            what the floor is of the reference.
        before, after: level of reference and head, in `unit`.
        blocks: that it rests on.
        noise: the reference against itself in the same blocks; None where that was not measured.
        smallest: the smallest relative change that this many blocks of this noise could have shown.
        settle_s: the budget that would settle it, foreseen; None where none can be.
    """

    subject: str
    metric: str
    unit: Unit
    verdict: Verdict
    why: str
    change: Estimate | None
    sure_low: float | None
    sure_high: float | None
    threshold: float
    before: float | None
    after: float | None
    blocks: int
    noise: Estimate | None = None
    smallest: float | None = None
    settle_s: float | None = None


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        name: as it was asked for: a revision, a file, `working tree`.
        commit: its full hash; empty without git. dirty: it has changes that are in no commit.
    """

    name: str
    commit: str = ""
    subject: str = ""
    dirty: bool = False


@dataclass(frozen=True)
class SelfTest:
    """The planted slowdown that the gate had to see in the same job.

    Attributes:
        planted: its relative size. seen: whether it was told from nothing.
        change: what was measured of it.
    """

    planted: float
    seen: bool
    change: Estimate | None
    why: str


@dataclass(frozen=True)
class VerdictRecord:
    """A verdict file.

    Attributes:
        reasons: why, a sentence each, the gravest first.
        notes: what to know beside it: dirty trees, variants that only one side has.
        family_error: the chance of calling any regression where there is none, all metrics,
            subjects and looks together.
        budget_s, spent_s: of measuring; None where nothing was measured for this verdict.
    """

    schema_version: int
    source: Source
    verdict: Verdict
    reasons: tuple[str, ...]
    created_at: str
    leafbench_version: str
    reference: Side
    head: Side
    changes: tuple[Change, ...]
    self_test: SelfTest | None
    family_error: float
    budget_s: float | None
    spent_s: float | None
    blocks: int
    notes: tuple[str, ...] = ()
    environment: Environment | None = None

    def __post_init__(self) -> None:
        require(len(self.reasons) > 0, "a verdict says why")
        decided = self.verdict is not Verdict.PASS or bool(self.changes)
        require(decided, "a pass rests on something that was compared")
        bad = [c for c in self.changes if c.verdict is not Verdict.PASS]
        require(self.verdict is not Verdict.PASS or not bad, "a pass has no change that is none")
