"""Made-up verdicts, one of each kind. Nothing here is a measurement.

`record(...)` takes what matters: its changes decide what else is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bench.gate.metrics import KINDS, Metric, Unit
from bench.gate.schema import (
    VERDICT_VERSION,
    Change,
    Estimate,
    SelfTest,
    Side,
    Source,
    Verdict,
    VerdictRecord,
)
from tests.bench.samples import environment

SUBJECT = "in_model, cnn"
REFERENCE = Side("main", "1" * 40, "Decode in parallel")
HEAD = Side("working tree", "2" * 40, "Augment with SciPy again", dirty=True)
SEEN = SelfTest(
    planted=0.05,
    seen=True,
    change=Estimate(0.0512, 0.0421, 0.0604),
    why="the planted slowdown was told from nothing",
)
UNSEEN = SelfTest(
    planted=0.05,
    seen=False,
    change=Estimate(0.031, -0.012, 0.076),
    why="after 4 blocks the planted slowdown could be nothing as well",
)
# Of files: nothing is measured for the verdict.
_UNMEASURED = {"budget_s": None, "spent_s": None, "environment": None}
LEVELS = {
    Metric.STEP: 0.0823,
    Metric.EPOCH: 0.512,
    Metric.WAIT: 0.021,
    Metric.GAP: 0.0182,
    Metric.FIRST_EPOCH: 2.31,
    Metric.MEMORY: 1.2 * 2**30,
    Metric.ACCURACY: 0.598,
}


def change(
    kind: Metric = Metric.EPOCH,
    value: float = 0.002,
    verdict: Verdict = Verdict.PASS,
    **fields: Any,
) -> Change:
    """A metric of one subject after 8 blocks, 1.7 points sure to either side."""
    before = LEVELS[kind]
    worse = -value if kind is Metric.ACCURACY else value * before
    made = Change(
        subject=SUBJECT,
        metric=kind,
        unit=KINDS[kind].unit,
        verdict=verdict,
        why="after 8 blocks a change of the threshold's size is excluded",
        change=Estimate(value, value - 0.017, value + 0.017),
        sure_low=value - 0.03,
        sure_high=value + 0.024,
        threshold=KINDS[kind].default.relative,
        before=before,
        after=before + worse,
        blocks=8,
        noise=Estimate(0.001, -0.0124, 0.0144),
        smallest=0.031,
    )
    return replace(made, **fields)


def untimed(metric: str, verdict: Verdict, why: str, subject: str = SUBJECT) -> Change:
    """Something that was found without a time, as the session records it."""
    return Change(
        subject=subject,
        metric=metric,
        unit=Unit.SHARE,
        verdict=verdict,
        why=why,
        change=None,
        sure_low=None,
        sure_high=None,
        threshold=0.0,
        before=None,
        after=None,
        blocks=0,
    )


def record(
    verdict: Verdict, reasons: Sequence[str], changes: Sequence[Change], **fields: Any
) -> VerdictRecord:
    """A verdict on two revisions."""
    made = VerdictRecord(
        schema_version=VERDICT_VERSION,
        source=Source.REVISIONS,
        verdict=verdict,
        reasons=tuple(reasons),
        created_at="2026-01-02T03:04:05+00:00",
        leafbench_version="0.1.0",
        reference=REFERENCE,
        head=HEAD,
        changes=tuple(changes),
        self_test=SEEN,
        family_error=0.01,
        budget_s=900.0,
        spent_s=372.4,
        blocks=8,
        notes=("the working tree has changes that are in no commit: they were measured too",),
        environment=environment(),
    )
    return replace(made, **fields)


def passed() -> VerdictRecord:
    """Every metric excludes its threshold."""
    changes = [
        change(Metric.STEP, 0.004, smallest=0.021),
        change(Metric.EPOCH, 0.002, smallest=0.024),
        change(Metric.WAIT, -0.0003),
        change(Metric.GAP, 0.0011),
        change(Metric.FIRST_EPOCH, 0.03, smallest=0.18),
        change(Metric.MEMORY, -0.001, smallest=0.004),
        change(Metric.ACCURACY, 0.0062, smallest=0.071),
    ]
    reasons = ["each of 7 comparisons excludes a change of its threshold's size"]
    return record(Verdict.PASS, reasons, changes, head=replace(HEAD, dirty=False), notes=())


def regressed() -> VerdictRecord:
    """The epoch is 9.8 % slower, the step too, and the rest is undecided or fine."""
    why = "after 8 blocks worse beyond doubt, and perhaps by the threshold, confirmed by 2 fresh"
    why += " blocks (+9.6%)"
    epoch = change(
        Metric.EPOCH, 0.098, Verdict.REGRESSION, why=why, change=Estimate(0.098, 0.081, 0.115)
    )
    step = change(
        Metric.STEP, 0.104, Verdict.REGRESSION, why=why, change=Estimate(0.104, 0.088, 0.12)
    )
    wait = change(
        Metric.WAIT,
        0.041,
        Verdict.INCONCLUSIVE,
        why="after 8 blocks neither nothing nor the threshold is excluded",
        settle_s=1460.0,
    )
    reasons = [f"{SUBJECT}, {item.metric}: {item.why}" for item in (epoch, step)]
    return record(Verdict.REGRESSION, reasons, [wait, epoch, step, change(Metric.MEMORY, 0.001)])


def undecided() -> VerdictRecord:
    """The budget was spent before the epoch was decided."""
    why = "after 8 blocks neither nothing nor the threshold is excluded"
    epoch = change(Metric.EPOCH, 0.031, Verdict.INCONCLUSIVE, why=why, settle_s=2460.0)
    accuracy = change(Metric.ACCURACY, 0.07, Verdict.INCONCLUSIVE, why=why, smallest=0.142)
    reasons = [
        f"{SUBJECT}, epoch: {why}",
        f"{SUBJECT}, accuracy: {why}",
        "the budget of 900 s is spent",
    ]
    changes = [change(Metric.STEP, 0.004), epoch, accuracy]
    return record(Verdict.INCONCLUSIVE, reasons, changes, spent_s=898.6)


def nothing() -> VerdictRecord:
    """The head cannot be trained."""
    why = "the head could not be trained: ImportError: cannot import name 'fused'"
    training = untimed("training", Verdict.NOTHING, why)
    reasons = [f"{SUBJECT}, training: {why}"]
    return record(
        Verdict.NOTHING, reasons, [training], self_test=None, blocks=2, spent_s=31.0, notes=()
    )


def blind() -> VerdictRecord:
    """Every metric passes, but the planted slowdown was not seen."""
    reasons = [f"the gate did not prove that it can fail: {UNSEEN.why}"]
    changes = [change(Metric.STEP), change(Metric.EPOCH)]
    return record(Verdict.INCONCLUSIVE, reasons, changes, self_test=UNSEEN, blocks=4)


def microbenched() -> VerdictRecord:
    """Two files of pytest-benchmark: one benchmark is slower, one is not steady, one is fine."""
    module = "tests/benchmarks/test_parts.py"
    rounds = {"metric": "round", "blocks": 20}
    slower = change(
        Metric.STEP,
        0.121,
        Verdict.REGRESSION,
        why="after 20 blocks worse beyond doubt, and perhaps by the threshold",
        subject=f"{module}::test_resize[area|64]",
        **rounds | {"before": 0.000_412, "after": 0.000_462},
    )
    unsteady = change(
        Metric.STEP,
        0.013,
        Verdict.INCONCLUSIVE,
        why="not steady: OLD's second half is +3.4% against its first; warm it up",
        subject=f"{module}::test_decode",
        **rounds | {"before": 0.003_21, "after": 0.003_25},
    )
    fine = change(Metric.STEP, 0.001, subject=f"{module}::test_batch", **rounds)
    reasons = [f"{slower.subject}, round: {slower.why}"]
    return record(
        Verdict.REGRESSION,
        reasons,
        [unsteady, slower, fine],
        source=Source.BENCHMARKS,
        reference=Side("old.json", "1" * 40),
        head=Side("new.json", "2" * 40),
        blocks=60,
        notes=("two files are two jobs: the verdict holds for these jobs, not for the commits",),
        **_UNMEASURED,
    )


def compared() -> VerdictRecord:
    """Two summaries: what travels, in units of its own, and no self-test."""
    why = "8 blocks against 8 exclude a change of the threshold's size"
    same = {"why": why, "noise": None}
    changes = [
        change(metric="speedup", **same | {"unit": Unit.TIMES, "before": 7.42, "after": 7.31}),
        change(metric="share_of_ceiling", **same | _shares(0.83, 0.82)),
        change(metric="input_wait_share", **same | _shares(0.031, 0.035)),
    ]
    return record(
        Verdict.PASS,
        ["each of 3 comparisons excludes a change of its threshold's size"],
        changes,
        source=Source.SUMMARIES,
        reference=Side("old/summary.json", subject="run old of 2026-01-01"),
        head=Side("reports/new", subject="run new of 2026-01-02"),
        self_test=None,
        notes=(),
        **_UNMEASURED,
    )


def _shares(before: float, after: float) -> dict[str, Any]:
    return {"unit": Unit.SHARE, "before": before, "after": after}


HOSTILE = 'a|b <img src=x> & "q" \x1b[31m\x00 %0A\r\n::error::@someone fixes #7 `tick'


def hostile() -> VerdictRecord:
    """Names and messages that would break out of every format if they were let."""
    broken = untimed("proof", Verdict.REGRESSION, HOSTILE, HOSTILE)
    return record(
        Verdict.REGRESSION,
        [HOSTILE],
        [broken],
        head=Side(HOSTILE, "3" * 40, HOSTILE),
        notes=(HOSTILE,),
        self_test=replace(UNSEEN, why=HOSTILE),
    )


KINDS_OF_VERDICT = {
    "pass": passed,
    "regression": regressed,
    "inconclusive": undecided,
    "nothing": nothing,
    "self-test": blind,
    "microbench": microbenched,
    "summaries": compared,
}
