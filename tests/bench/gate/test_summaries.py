"""Two runs that were measured apart become a verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.codec import encode
from bench.evidence import Severity
from bench.gate.metrics import Metric, Threshold, Thresholds, Unit
from bench.gate.schema import Change, Source, Verdict, VerdictRecord
from bench.gate.summaries import check
from bench.gate.summary_files import Measured, Remark, Summary
from tests.bench.gate.made_summaries import SECONDS, made
from tests.bench.samples import environment

NOW = "2026-02-03T04:05:06+00:00"
REFERENCE = made("old.json")
ELSEWHERE = environment(cpu_model="Another CPU", cores=16)


def head(seconds: dict[str, float] | None = None, **other: Any) -> Summary:
    values = {"created_at": "2026-01-05T00:00:00Z", "seed": 8, "machine": ELSEWHERE} | other
    return made("new", SECONDS | (seconds or {}), **values)


def decided(new: Summary, thresholds: Thresholds | None = None) -> VerdictRecord:
    return check(REFERENCE, new, thresholds or Thresholds(), NOW)


def of(record: VerdictRecord, subject: str, metric: str) -> Change:
    (found,) = (c for c in record.changes if (c.subject, c.metric) == (subject, metric))
    return found


def without_intervals(summary: Summary, key: str) -> Summary:
    def bare(value: Measured | None) -> Measured | None:
        return value and replace(value, low=None, high=None, blocks=2)

    variants = tuple(replace(v, **{key: bare(getattr(v, key))}) for v in summary.variants)
    return replace(summary, variants=variants)


def test_the_same_on_another_machine_passes_without_seconds() -> None:
    record = decided(head())
    assert record.verdict is Verdict.PASS, record.reasons
    assert record.source is Source.SUMMARIES
    assert [(c.subject, c.metric) for c in record.changes] == [
        ("default, cnn", "share_of_ceiling"),
        ("default, cnn", "input_wait_share"),
        ("in_model, cnn", "speedup"),
        ("in_model, cnn", "share_of_ceiling"),
        ("in_model, cnn", "input_wait_share"),
    ]
    assert (record.reference.name, record.head.name) == ("old.json", "new")
    assert record.head.subject == "run 20260102-030405-quick of 2026-01-05T00:00:00Z"
    assert (record.budget_s, record.self_test, record.blocks) == (None, None, 6)
    assert any("cores (2 against 16)" in note for note in record.notes)
    assert record.environment == ELSEWHERE
    assert encode(record).endswith(b"\n")


def test_a_machine_twice_as_fast_changes_nothing() -> None:
    record = decided(head({name: value / 2 for name, value in SECONDS.items()}))
    assert record.verdict is Verdict.PASS, record.reasons


def test_a_pipeline_that_became_a_quarter_slower_is_a_regression() -> None:
    record = decided(head({"in_model": 10.0}))
    assert record.verdict is Verdict.REGRESSION
    assert record.verdict.exit_code == 1
    speedup = of(record, "in_model, cnn", "speedup")
    assert (speedup.unit, speedup.verdict) == (Unit.TIMES, Verdict.REGRESSION)
    assert speedup.before == pytest.approx(1.25, rel=0.02)
    assert speedup.after == pytest.approx(1.0, rel=0.02)
    assert speedup.change is not None
    assert speedup.change.value == pytest.approx(0.25, abs=0.03)
    assert speedup.change.low is not None
    assert speedup.sure_low is not None
    assert 0 < speedup.sure_low < speedup.change.low
    share = of(record, "in_model, cnn", "share_of_ceiling")
    assert share.verdict is Verdict.REGRESSION
    assert of(record, "default, cnn", "share_of_ceiling").verdict is Verdict.PASS
    assert "6 blocks against 6 show it worse beyond doubt" in record.reasons[0]


def test_a_pipeline_that_became_faster_passes() -> None:
    assert decided(head({"in_model": 7.7})).verdict is Verdict.PASS


def test_waiting_is_compared_in_points() -> None:
    record = decided(head({"ceiling_none": 6.0}))
    waiting = of(record, "in_model, cnn", "input_wait_share")
    assert waiting.verdict is Verdict.REGRESSION
    assert waiting.change is not None
    assert waiting.before is not None
    assert waiting.after is not None
    assert waiting.change.value == pytest.approx(waiting.after - waiting.before)
    assert waiting.change.value == pytest.approx(0.125, abs=0.02)


def test_noise_is_inconclusive_and_says_what_it_could_have_seen_and_what_would_settle_it() -> None:
    record = decided(head(noise=0.15, blocks=3))
    assert record.verdict is Verdict.INCONCLUSIVE
    speedup = of(record, "in_model, cnn", "speedup")
    assert speedup.blocks == 3
    assert speedup.smallest is not None
    assert speedup.smallest > 0.05
    assert "6 blocks against 3 exclude neither nothing nor the threshold; " in speedup.why
    assert speedup.why.endswith("a side would settle it")


@pytest.mark.parametrize("key", ["speedup", "share_of_ceiling_interval"])
def test_a_missing_interval_is_never_a_pass(key: str) -> None:
    record = decided(without_intervals(head(), key))
    assert record.verdict is Verdict.INCONCLUSIVE
    assert (
        "the head has no interval of it: it has 2 blocks, an interval needs 3" in record.reasons[0]
    )
    loose = [c for c in record.changes if c.sure_high is None]
    assert {c.verdict for c in loose} == {Verdict.INCONCLUSIVE}
    assert all(c.change and c.change.low is None for c in loose)


def test_an_older_summary_is_told_how_to_become_comparable() -> None:
    new = head()
    old = tuple(replace(v, input_wait_share_interval=None) for v in new.variants)
    found = of(decided(replace(new, variants=old)), "in_model, cnn", "input_wait_share")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "write its summary again with `leafbench report RUN`" in found.why


def test_an_interval_without_width_is_no_evidence() -> None:
    new = head()
    sure = Measured(1.25, 1.25, 1.25, 6)
    variants = (new.variants[0], replace(new.variants[1], speedup=sure))
    found = of(decided(replace(new, variants=variants)), "in_model, cnn", "speedup")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "without width" in found.why


def test_what_one_side_did_not_measure_holds_a_pass_up() -> None:
    new = head()
    variants = (new.variants[0], replace(new.variants[1], speedup=None))
    record = decided(replace(new, variants=variants))
    assert record.verdict is Verdict.INCONCLUSIVE
    assert of(record, "in_model, cnn", "speedup").verdict is Verdict.NOTHING


def test_nothing_in_common_is_nothing_measured() -> None:
    new = head()
    other = tuple(replace(v, phase="transfer") for v in new.variants)
    record = decided(replace(new, variants=other))
    assert record.verdict is Verdict.NOTHING
    assert record.verdict.exit_code == 4
    (reason,) = record.reasons
    assert "old.json has default, cnn; in_model, cnn - new has default, transfer" in reason


def test_a_run_against_itself_is_nothing_measured() -> None:
    record = check(REFERENCE, replace(REFERENCE, where="copy"), Thresholds(), NOW)
    assert (record.verdict, record.changes, record.notes) == (Verdict.NOTHING, (), ())
    assert "are the same run" in record.reasons[0]


def test_another_batch_size_is_nothing_measured() -> None:
    record = decided(head(batch_size=32))
    assert record.verdict is Verdict.NOTHING
    assert "batch_size: 64 against 32" in record.reasons[0]


def test_other_baselines_leave_the_shares() -> None:
    new = head()
    record = decided(replace(new, claim=replace(new.claim, baseline="plain")))
    assert {c.metric for c in record.changes} == {"share_of_ceiling", "input_wait_share"}


def test_on_the_same_machine_seconds_can_pass() -> None:
    record = decided(head(machine=None))
    assert record.verdict is Verdict.PASS, record.reasons
    epoch = of(record, "in_model, cnn", "epoch")
    assert (epoch.unit, epoch.verdict) == (Unit.SECONDS, Verdict.PASS)
    assert epoch.threshold == pytest.approx(0.05)


def test_seconds_of_two_jobs_hold_a_pass_up_and_call_no_regression() -> None:
    record = decided(head({n: 1.3 * s for n, s in SECONDS.items()}, machine=None))
    epoch = of(record, "in_model, cnn", "epoch")
    assert epoch.change is not None
    assert epoch.change.value == pytest.approx(0.3, abs=0.03)
    assert epoch.sure_low is not None
    assert epoch.sure_low > 0
    assert epoch.verdict is Verdict.INCONCLUSIVE
    assert "two runs are two jobs" in epoch.why
    assert record.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("seconds", [{}, {"in_model": 10.0}])
def test_a_run_with_a_problem_is_believed_neither_way(seconds: dict[str, float]) -> None:
    remark = Remark(Severity.PROBLEM, "shows differences that are not there", "default, cnn")
    record = decided(replace(head(seconds), findings=(remark,)))
    assert record.verdict is Verdict.INCONCLUSIVE
    assert record.reasons[0] == (
        "new has a problem (default, cnn): shows differences that are not there"
    )


def test_a_looser_threshold_of_a_variants_epoch_is_held_to_its_ratios() -> None:
    loose = Thresholds(variants={"in_model": {Metric.EPOCH: Threshold(0.40, 0.005)}})
    record = decided(head({"in_model": 10.0}), loose)
    for metric in ("speedup", "share_of_ceiling"):
        found = of(record, "in_model, cnn", metric)
        assert (found.threshold, found.verdict) == (0.40, Verdict.PASS)
    assert of(record, "default, cnn", "share_of_ceiling").threshold == 0.05


def test_a_floor_is_a_share_of_a_small_level() -> None:
    slow = {"in_model": 100.0}
    record = check(made("a", SECONDS | slow), head(slow), Thresholds(), NOW)
    speedup = of(record, "in_model, cnn", "speedup")
    assert speedup.before == pytest.approx(0.1, rel=0.02)
    assert speedup.threshold == pytest.approx(0.02 / 0.1, rel=0.02)


def test_more_comparisons_ask_for_more() -> None:
    few = replace(REFERENCE, variants=REFERENCE.variants[1:])
    new = head({"in_model": 10.0})
    alone = of(check(few, new, Thresholds(), NOW), "in_model, cnn", "speedup")
    among = of(decided(new), "in_model, cnn", "speedup")
    assert alone.sure_low is not None
    assert among.sure_low is not None
    assert among.sure_low < alone.sure_low
    assert among.sure_high == alone.sure_high
