"""A check from its first proof to its verdict, with blocks that a test makes up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from bench.gate.blocks import BlockRecord, Role, Subject
from bench.gate.metrics import Metric
from bench.gate.options import GateOptions
from bench.gate.pairs import BlockValues, evaluate
from bench.gate.schema import Change, Verdict
from bench.gate.session import CONFIRMING, Decided, Task, check
from bench.schema import SCHEMA_VERSION, EpochRecord, VariantProof
from leafmodel.pipelines.facts import ProofCheck, ProofStatus
from leafmodel.pipelines.spec import Loader, PipelineSpec
from tests.bench.gate import made

BLOCK_S = 40.0
Make = Callable[[int, bool], BlockRecord]


@dataclass
class FakeRunner:
    """Gives blocks that a function makes; every one takes its wall time on the fake clock."""

    make: Make
    proofs: Mapping[Role, Mapping[str, VariantProof]] = field(default_factory=dict)
    measured: list[tuple[Subject, bool]] = field(default_factory=list)
    now_s: float = 0.0

    def prove(self) -> Mapping[Role, Mapping[str, VariantProof]]:
        return self.proofs

    def measure(self, subject: Subject, block: int, *, confirms: bool) -> BlockValues:
        record = replace(self.make(block, confirms), subject=subject, confirms=confirms)
        self.measured.append((subject, confirms))
        self.now_s += record.wall_ns / 1e9
        return evaluate(record)


def quiet(slower: float = 0.0, **other: object) -> Make:
    return lambda n, _confirms: made.block(n, slower=slower, noise=0.05, wall_s=BLOCK_S, **other)  # type: ignore[arg-type]


def run(
    runner: FakeRunner,
    *,
    budget_s: float = 1200,
    self_test: bool = True,
    subjects: tuple[Subject, ...] = (made.SUBJECT,),
) -> Decided:
    task = Task(subjects, GateOptions(budget_s, self_test), validation_images=30)
    return check(task, runner, lambda: runner.now_s, lambda _text: None)


def proof(status: ProofStatus) -> VariantProof:
    checks = (ProofCheck("augmentation is random", status, "varies", "frozen"),)
    return VariantProof(
        SCHEMA_VERSION, "in_model", PipelineSpec(loader=Loader.TF_DATA), (), checks, 32
    )


def of(decided: Decided, metric: Metric) -> Change:
    return next(change for change in decided.changes if change.metric == metric)


def test_the_same_code_passes_before_the_budget_is_spent() -> None:
    runner = FakeRunner(quiet())
    decided = run(runner)
    assert decided.verdict is Verdict.PASS
    assert decided.spent_s < 1200
    assert decided.self_test is not None
    assert decided.self_test.seen
    assert {change.metric for change in decided.changes} == set(Metric)


def test_a_tenth_slower_is_a_regression_confirmed_on_fresh_blocks() -> None:
    runner = FakeRunner(quiet(slower=0.10))
    decided = run(runner)
    assert decided.verdict is Verdict.REGRESSION
    assert [confirms for _, confirms in runner.measured][-CONFIRMING:] == [True] * CONFIRMING
    assert "confirmed by 2 fresh blocks" in of(decided, Metric.STEP).why
    assert "step" in decided.reasons[0]


def test_a_regression_that_fresh_blocks_do_not_show_is_none() -> None:
    runner = FakeRunner(
        lambda n, confirms: made.block(
            n, slower=0.0 if confirms else 0.10, noise=0.01, wall_s=BLOCK_S
        )
    )
    decided = run(runner, budget_s=400)
    assert decided.verdict is Verdict.INCONCLUSIVE
    assert "not confirmed by 2 fresh blocks" in of(decided, Metric.STEP).why
    assert any(confirms for _, confirms in runner.measured)


def test_a_confirmed_suspicion_that_its_fresh_blocks_lay_to_rest_does_not_end_the_check() -> None:
    # Waits are longer by less than the threshold: suspected after five blocks that vary, excluded
    # by the two that confirm. Steps that vary more are still open then.
    longer_ms = [4.2, 4.9, 4.2, 4.9, 4.5]

    def make(n: int, _confirms: bool) -> BlockRecord:
        wait_ms = made.WAIT_MS + (longer_ms[n] if n < len(longer_ms) else 4.4)
        return made.block(n, noise=0.12, head=lambda epochs: made.waiting(epochs, wait_ms))

    runner = FakeRunner(make)
    decided = run(runner, budget_s=2400)
    assert [confirms for _, confirms in runner.measured][:7] == [False] * 5 + [True] * CONFIRMING
    assert of(decided, Metric.WAIT).verdict is Verdict.PASS
    assert decided.verdict is Verdict.PASS
    assert decided.blocks > 7


def test_a_suspicion_that_was_laid_to_rest_is_confirmed_anew_when_it_comes_back() -> None:
    # As above; later the waits grow by more than the threshold, but time for two more blocks is
    # left in one of the checks only.
    longer_ms = [4.2, 4.9, 4.2, 4.9, 4.5, *[4.4] * CONFIRMING]

    def make(n: int, _confirms: bool) -> BlockRecord:
        wait_ms = made.WAIT_MS + (longer_ms[n] if n < len(longer_ms) else 8.0)
        return made.block(n, noise=0.18, head=lambda epochs: made.waiting(epochs, wait_ms))

    runner = FakeRunner(make)
    decided = run(runner, budget_s=2400)
    assert [n for n, (_, confirms) in enumerate(runner.measured) if confirms] == [5, 6, 18, 19]
    assert decided.verdict is Verdict.REGRESSION
    assert "confirmed by 2 fresh blocks (+7.9%)" in of(decided, Metric.WAIT).why

    hurried = run(FakeRunner(make), budget_s=19 * BLOCK_S)
    assert hurried.verdict is Verdict.INCONCLUSIVE
    assert "ended before it could measure 2 fresh blocks" in of(hurried, Metric.WAIT).why


def test_without_time_to_confirm_there_is_no_regression() -> None:
    probe = FakeRunner(quiet(slower=0.10))
    run(probe)
    suspected = [confirms for _, confirms in probe.measured].index(True)
    decided = run(FakeRunner(quiet(slower=0.10)), budget_s=BLOCK_S * (suspected + 1))
    assert decided.verdict is Verdict.INCONCLUSIVE
    step = of(decided, Metric.STEP)
    assert "the check ended before it could measure 2 fresh blocks" in step.why
    assert step.settle_s == BLOCK_S * (suspected + 1 + CONFIRMING)


def test_a_spent_budget_is_inconclusive_and_says_what_would_settle_it() -> None:
    runner = FakeRunner(lambda n, _: made.block(n, noise=0.4, wall_s=BLOCK_S))
    decided = run(runner, budget_s=300)
    assert decided.verdict is Verdict.INCONCLUSIVE
    assert decided.spent_s <= 300
    step = of(decided, Metric.STEP)
    assert step.smallest is not None
    assert step.smallest > step.threshold
    assert step.settle_s is not None
    assert step.settle_s > 300
    assert any("budget of 300 s is spent" in reason for reason in decided.reasons)


def test_what_would_settle_it_is_a_budget_for_all_that_take_turns() -> None:
    def noisy(n: int, _confirms: bool) -> BlockRecord:
        return made.block(n, noise=0.4, wall_s=BLOCK_S)

    four = tuple(Subject(name, "cnn") for name in ("in_model", "plain", "parallel", "prefetch"))
    alone = of(run(FakeRunner(noisy), budget_s=8 * BLOCK_S), Metric.STEP)
    together = of(run(FakeRunner(noisy), budget_s=32 * BLOCK_S, subjects=four), Metric.STEP)
    assert alone.blocks == together.blocks == 8
    assert alone.settle_s is not None
    assert together.settle_s == pytest.approx(4 * alone.settle_s)


def test_no_block_begins_that_would_not_fit_into_the_budget() -> None:
    four = tuple(Subject(name, "cnn") for name in ("in_model", "plain", "parallel", "prefetch"))
    runner = FakeRunner(quiet())
    decided = run(runner, budget_s=2.5 * BLOCK_S, subjects=four)
    assert len(runner.measured) == 2
    assert decided.verdict is Verdict.INCONCLUSIVE
    assert any("no block was measured within the budget" in why for why in decided.reasons)


def test_a_metric_that_one_side_lacks_ends_the_check_when_all_else_is_settled() -> None:
    def bare(epochs: list[EpochRecord]) -> list[EpochRecord]:
        return [replace(item, val_accuracy=None) for item in epochs]

    decided = run(FakeRunner(quiet(head=bare)))
    assert decided.verdict is Verdict.INCONCLUSIVE
    assert decided.blocks == run(FakeRunner(quiet())).blocks
    assert of(decided, Metric.ACCURACY).why == "the head did not measure it"


def test_a_gate_that_cannot_see_the_plant_is_inconclusive() -> None:
    decided = run(FakeRunner(quiet(plant=0.0)), budget_s=800)
    assert decided.verdict is Verdict.INCONCLUSIVE
    assert "did not prove that it can fail" in decided.reasons[0]
    assert decided.self_test is not None
    assert not decided.self_test.seen


def test_without_a_self_test_the_same_blocks_pass() -> None:
    decided = run(FakeRunner(quiet(plant=0.0)), self_test=False)
    assert decided.verdict is Verdict.PASS
    assert decided.self_test is None


def test_a_variant_that_is_no_longer_what_it_says_is_a_regression_without_a_time() -> None:
    good, bad = proof(ProofStatus.OK), proof(ProofStatus.FAILED)
    runner = FakeRunner(quiet(), {Role.REFERENCE: {"in_model": good}, Role.HEAD: {"in_model": bad}})
    decided = run(runner)
    assert decided.verdict is Verdict.REGRESSION
    assert runner.measured == []
    assert "expected varies, found frozen" in decided.reasons[0]


def test_a_fault_that_the_reference_had_too_is_a_note() -> None:
    bad = {"in_model": proof(ProofStatus.FAILED)}
    decided = run(FakeRunner(quiet(), {Role.REFERENCE: bad, Role.HEAD: bad}))
    assert decided.verdict is Verdict.PASS
    assert "on both sides" in decided.notes[0]


@pytest.mark.parametrize(
    ("role", "who"), [(Role.REFERENCE, "the reference"), (Role.HEAD, "the head")]
)
def test_a_side_whose_proof_could_not_be_made_is_timed_but_never_passes(
    role: Role, who: str
) -> None:
    good = {"in_model": proof(ProofStatus.OK)}
    proofs = {Role.REFERENCE: good, Role.HEAD: good} | {role: {}}
    runner = FakeRunner(quiet(), proofs)
    decided = run(runner)
    assert decided.verdict is Verdict.INCONCLUSIVE
    assert f"in_model, proof: the proof of {who} could not be made" in decided.reasons[0]
    assert runner.measured


def test_a_side_that_could_not_be_proved_can_still_be_a_regression() -> None:
    proofs = {Role.REFERENCE: {"in_model": proof(ProofStatus.OK)}, Role.HEAD: {}}
    assert run(FakeRunner(quiet(0.3), proofs)).verdict is Verdict.REGRESSION


@pytest.mark.parametrize(
    ("role", "who"), [(Role.REFERENCE, "the reference"), (Role.HEAD, "the head")]
)
def test_a_side_that_crashes_measures_nothing(role: Role, who: str) -> None:
    runner = FakeRunner(lambda n, _: made.broken_block(n, role, "ValueError: no such layer"))
    decided = run(runner)
    assert decided.verdict is Verdict.NOTHING
    assert len(runner.measured) == 2
    assert who in decided.reasons[0]
    assert "no such layer" in decided.reasons[0]


def test_what_neither_side_can_train_is_not_the_heads_fault() -> None:
    # Who comes first in a block fails first, and that is another one in every other block.
    failing = (Role.REFERENCE, Role.HEAD)
    runner = FakeRunner(lambda n, _: made.broken_block(n, failing[n % 2], "no such program"))
    decided = run(runner)
    assert decided.verdict is Verdict.NOTHING
    assert "neither side could be trained: no such program" in decided.reasons[0]


def test_one_crash_costs_one_block() -> None:
    def make(number: int, _confirms: bool) -> BlockRecord:
        if number == 1:
            return made.broken_block(1, Role.AGAIN, "killed")
        return made.block(number, noise=0.05, wall_s=BLOCK_S)

    assert run(FakeRunner(make)).verdict is Verdict.PASS


def test_no_subject_is_nothing_measured() -> None:
    assert run(FakeRunner(quiet()), subjects=()).verdict is Verdict.NOTHING


def test_a_budget_for_one_block_measures_it_and_passes_nothing() -> None:
    runner = FakeRunner(quiet())
    decided = run(runner, budget_s=1)
    assert len(runner.measured) == 1
    assert decided.verdict is Verdict.INCONCLUSIVE


def test_subjects_take_turns_and_those_that_pass_are_left_alone() -> None:
    other = Subject("plain", "cnn")
    runner = FakeRunner(quiet())
    decided = run(runner, budget_s=4000, subjects=(made.SUBJECT, other))
    assert decided.verdict is Verdict.PASS
    assert [subject for subject, _ in runner.measured][:4] == [made.SUBJECT, other] * 2
