"""The campaign that measures the gate: its plan, its plants, and that its report follows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

import pytest

from bench.gate import pairs
from bench.gate.blocks import BlockRecord, Role, Subject
from bench.gate.decision import decide
from bench.gate.metrics import Metric
from bench.gate.options import GateOptions
from bench.gate.pairs import BlockValues
from bench.gate.schema import Verdict
from bench.gate.session import Task, check
from bench.schema import VariantProof
from bench.turns import Place
from benchmarks.gate_campaign import live, noise, render, simulate
from benchmarks.gate_campaign.plan import SIZES, Case, cases
from tests.bench.gate import made

CAMPAIGN = Path(__file__).parents[1] / "reports" / "gate-campaign"
DECISIONS = sorted(path.parent for path in (CAMPAIGN / "live").glob(f"*/{live.VERDICT}"))
VALIDATION_IMAGES = 30


def test_the_plan_has_so_many_of_each_kind_and_every_stretch_is_mixed() -> None:
    planned = cases(same=20, each=2, neighbours=4)
    counts = Counter(case.kind for case in planned)
    assert counts.pop("same") == 20
    assert counts.pop("same-neighbour") == 4
    assert set(counts.values()) == {2}
    assert len(counts) == len(SIZES) * len(Place)
    assert planned == cases(same=20, each=2, neighbours=4)
    assert all(len({case.kind for case in planned[n : n + 12]}) > 3 for n in range(36))


def test_decisions_that_are_kept_are_not_made_again_and_none_begins_after_the_time(
    tmp_path: Path,
) -> None:
    planned = cases()[:4]
    (tmp_path / planned[1].name).mkdir()
    (tmp_path / planned[1].name / live.VERDICT).touch()
    answers = iter((True, True, False))
    begun = list(live.pending(planned, tmp_path, lambda: next(answers)))
    assert begun == [planned[0], planned[2]]


@pytest.mark.parametrize(
    ("place", "metric"),
    [(Place.MODEL, Metric.STEP), (Place.PIPELINE, Metric.WAIT), (Place.BOUNDARY, Metric.GAP)],
)
def test_a_plant_is_as_large_as_it_says_and_where_it_says(place: Place, metric: Metric) -> None:
    block = made.block(0)
    slow = simulate.slowed(block.reference, place, 0.10)
    values = pairs.Pair(block.reference, slow, tuple(range(1, 21)))
    found = pairs.change(metric, values)
    # A step is 100 of 102.5 ms; wait and gap are counted as shares of the whole epoch.
    expected = {Metric.STEP: 0.0953, Metric.WAIT: 0.0976, Metric.GAP: 0.10}[metric]
    assert found == pytest.approx(expected, abs=1e-3)
    assert slow.epochs[0] == block.reference.epochs[0]


def test_simulated_decisions_are_the_gates_own_and_deterministic() -> None:
    blocks = [made.block(number, noise=0.02) for number in range(12)]
    recorded = simulate.Recorded([blocks[:5], [], blocks[5:]])

    def run(plant: float) -> list[simulate.Simulated]:
        case = Case(0, plant, Place.MODEL, neighbour=False)
        return simulate.simulate(recorded, case, 5, GateOptions(), VALIDATION_IMAGES)

    assert {item.verdict for item in run(0.0)} == {Verdict.PASS}
    assert {item.verdict for item in run(0.2)} == {Verdict.REGRESSION}
    assert {item.fixed_threshold for item in run(0.2)} == {True}
    assert {item.compare_fail for item in run(0.0)} == {False}
    assert run(0.2) == run(0.2)


def test_simulated_checks_take_stretches_of_recorded_ones_in_the_order_of_time() -> None:
    checks = (range(4), range(4, 9), range(9, 12))
    drawn = simulate.numbers(random.Random(7), checks)
    first = list(islice(drawn, 40))
    stretches = [range(first[0], next(c.stop for c in checks if first[0] in c))]
    while sum(map(len, stretches)) < len(first):
        begin = first[sum(map(len, stretches))]
        stretches.append(next(c for c in checks if begin == c.start))
    assert list(chain.from_iterable(stretches))[: len(first)] == first
    assert {c.start for c in stretches[1:]} == {0, 4, 9}


def test_thousand_simulated_decisions_are_no_surer_than_the_checks_that_they_rest_on() -> None:
    one = simulate.Simulated("same", Verdict.PASS, 1.0, 4, False, False)
    recording = simulate.Recording(checks=20, blocks=94)
    found = simulate.Simulations(1, recording, simulate.Recording(4, 60), [one] * 1000)
    (row,) = [r for r in render.markdown((), found, (), {}).splitlines() if r.startswith("| equal")]
    assert "| 1,000 | 0.0% (0.0% to 16.1%) |" in row


def test_blocks_that_remember_each_other_are_told_from_those_that_do_not() -> None:
    def check(*slower: float) -> list[BlockRecord]:
        return [made.block(number, slower=share) for number, share in enumerate(slower)]

    alike = [check(0.1, 0.1, 0.1), check(-0.1, -0.1, -0.1)]
    turning = [check(0.1, -0.1, 0.1, -0.1)]
    assert noise.memory(alike, Metric.STEP).lag_1 == pytest.approx(1.0)
    assert noise.memory(alike, Metric.STEP).pairs == 4
    assert noise.memory(alike, Metric.STEP).chance == pytest.approx(0.98)
    assert noise.memory(turning, Metric.STEP).lag_1 == pytest.approx(-1.0, abs=0.01)
    assert noise.memory([check(0.1), check(0.2)], Metric.STEP) == noise.Memory(0.0, 0)


def test_what_is_kept_of_a_decision_reads_back(tmp_path: Path) -> None:
    blocks = [made.block(0), made.broken_block(1, Role.HEAD, "killed")]
    from tests.bench.gate import samples

    live.keep(tmp_path / "one", samples.passed(), blocks)
    assert live.kept_blocks(tmp_path / "one") == tuple(blocks)
    assert live.kept_verdict(tmp_path / "one") == samples.passed()


@pytest.mark.parametrize("folder", DECISIONS, ids=lambda path: path.name)
def test_a_kept_verdict_follows_from_its_raw_epochs(folder: Path) -> None:
    record = live.kept_verdict(folder)
    series = _series(live.kept_blocks(folder))
    assert [change.metric for change in record.changes] == [item.metric for item in series]
    for change, item in zip(record.changes, series, strict=True):
        again = decide(item, len(Metric))
        for name in ("change", "sure_low", "sure_high", "before", "after", "noise", "blocks"):
            assert getattr(again, name) == getattr(change, name), (folder.name, change.metric, name)
        if change.verdict is not again.verdict:  # a regression that was not confirmed
            assert (again.verdict, change.verdict) == (Verdict.REGRESSION, Verdict.INCONCLUSIVE)


class Kept:
    """A live decision's blocks as they came; the clock moves by what they took."""

    def __init__(self, blocks: Sequence[BlockRecord]) -> None:
        self._left = iter(blocks)
        self.now_s = 0.0

    def prove(self) -> Mapping[Role, Mapping[str, VariantProof]]:
        return {}

    def measure(self, _subject: Subject, number: int, *, confirms: bool) -> BlockValues:
        block = next(self._left)
        assert (block.block, block.confirms) == (number, confirms)
        self.now_s += block.wall_ns / 1e9
        return pairs.evaluate(block)


@pytest.mark.parametrize("folder", DECISIONS, ids=lambda path: path.name)
def test_the_present_gate_decides_as_the_one_that_measured(folder: Path) -> None:
    record, blocks = live.kept_verdict(folder), live.kept_blocks(folder)
    assert record.budget_s is not None
    task = Task((blocks[0].subject,), GateOptions(record.budget_s), VALIDATION_IMAGES)
    kept = Kept(blocks)
    decided = check(task, kept, lambda: kept.now_s, lambda _text: None)
    assert (decided.verdict, decided.blocks) == (record.verdict, record.blocks)


def test_the_report_follows_from_the_kept_decisions(tmp_path: Path) -> None:
    if not DECISIONS:
        pytest.skip("no live decision is kept in this checkout")
    decisions = {
        folder.name: (live.kept_verdict(folder), live.kept_blocks(folder)) for folder in DECISIONS
    }
    render.write(tmp_path, decisions, CAMPAIGN / "simulated.json.gz")
    assert (tmp_path / render.REPORT).read_text() == (CAMPAIGN / render.REPORT).read_text()


def _series(blocks: tuple[BlockRecord, ...]) -> tuple[pairs.Series, ...]:
    values = [pairs.evaluate(block) for block in blocks]
    return pairs.series(values, GateOptions().thresholds, VALIDATION_IMAGES)
