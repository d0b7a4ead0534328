"""Files of pytest-benchmark in, verdicts out."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ConfigError, RecordError
from bench.gate.metrics import Threshold
from bench.gate.microbench import BATCHES, CROWD, against, batch_means, check, halves, job_spread
from bench.gate.schema import Source, Verdict, VerdictRecord

TESTS = Path(__file__).parents[2]
THRESHOLD = Threshold(0.05)
MACHINE = {
    "node": "bench-1",
    "release": "6.1.0",
    "python_build": ["main", "Nov 1 2026"],
    "cpu": {"count": 2, "flags": ["avx2", "sse2"], "hz_actual": [2_600_000_000, 0]},
}
NAMES = ("decode", "resize", "flip", "zoom", "batch", "cache", "loader", "contrast")
Rounds = dict[str, Sequence[float]]


def noise(
    seed: int, *, rounds: int = 100, spread: float = 0.02, level: float = 0.01
) -> list[float]:
    draws = np.random.default_rng(seed).standard_normal(rounds)
    return [float(value) for value in level * np.exp(spread * draws)]


def steady(first_seed: int, **slower: float) -> Rounds:
    """A file's benchmarks, with noise of their own; some slower by a share."""
    return {
        name: [(1 + slower.get(name, 0.0)) * value for value in noise(first_seed + number)]
        for number, name in enumerate(NAMES)
    }


def write(path: Path, rounds: Rounds, **other: Any) -> Path:
    entry: dict[str, Any] = other.pop("entry", {})
    benchmarks = [
        {"fullname": name, "stats": {"data": list(data), "iterations": 1}, **entry}
        for name, data in rounds.items()
    ]
    commit = {"id": "c0ffee", "dirty": False, "time": None}
    file = {"machine_info": MACHINE, "commit_info": commit, "benchmarks": benchmarks, **other}
    path.write_text(json.dumps(file))
    return path


def verdict(folder: Path, old: Rounds, new: Rounds, **of_new: Any) -> VerdictRecord:
    old_file = write(folder / "old.json", old)
    return check(old_file, write(folder / "new.json", new, **of_new), THRESHOLD, "today")


def noted(record: VerdictRecord, words: str) -> bool:
    return any(words in note for note in record.notes)


def test_nothing_changed_passes_and_says_what_two_jobs_cannot(tmp_path: Path) -> None:
    record = verdict(tmp_path, steady(0), steady(100))
    assert record.verdict is Verdict.PASS
    assert record.source is Source.BENCHMARKS
    assert record.blocks == BATCHES * len(NAMES)
    assert (record.reference.commit, record.head.name) == ("c0ffee", str(tmp_path / "new.json"))
    assert noted(record, "two files are two jobs")
    assert not noted(record, "looks just like that")


def test_one_slower_benchmark_is_a_regression_that_is_named(tmp_path: Path) -> None:
    record = verdict(tmp_path, steady(0), steady(100, zoom=0.10))
    assert record.verdict is Verdict.REGRESSION
    assert [reason.split(",")[0] for reason in record.reasons] == ["zoom"]
    (slower,) = (change for change in record.changes if change.subject == "zoom")
    assert slower.change is not None
    assert slower.change.value == pytest.approx(0.10, abs=0.02)
    assert slower.before == pytest.approx(0.01, rel=0.02)
    assert slower.after == pytest.approx(0.011, rel=0.02)


def test_false_alarms_are_rare_and_a_tenth_is_seen(tmp_path: Path) -> None:
    seeds = range(0, 1_000, 50)
    alike = [verdict(tmp_path, steady(seed), steady(seed + 25)) for seed in seeds]
    slower = [verdict(tmp_path, steady(seed), steady(seed + 25, flip=0.1)) for seed in seeds]
    assert not [record for record in alike if record.verdict is Verdict.REGRESSION]
    assert all(record.verdict is Verdict.REGRESSION for record in slower)


def test_a_planted_slowdown_that_the_noise_hides_forbids_a_pass(tmp_path: Path) -> None:
    """Half the rounds are too few to see 5 %, all of them are just enough to exclude it."""
    old = {"decode": noise(1, rounds=40, spread=0.08)}
    new = {"decode": [0.9 * value for value in noise(2, rounds=40, spread=0.08)]}
    record = verdict(tmp_path, old, new)
    assert record.changes[0].verdict is Verdict.PASS
    assert record.self_test is not None
    assert not record.self_test.seen
    assert record.verdict is Verdict.INCONCLUSIVE
    assert "did not prove that it can fail: in OLD's own rounds of decode" in record.reasons[0]


def test_the_self_test_is_that_of_the_benchmark_that_saw_least(tmp_path: Path) -> None:
    old, new = steady(0), steady(100)
    old["cache"] = noise(3, spread=0.2)
    record = verdict(tmp_path, old, new)
    assert record.self_test is not None
    assert not record.self_test.seen
    assert record.self_test.planted == pytest.approx(0.05)
    assert "rounds of cache" in record.self_test.why


def test_what_moves_each_benchmark_apart_is_no_regression(tmp_path: Path) -> None:
    moves = (0.30, -0.25, 0.12, -0.08, 0.22, -0.15, 0.05, -0.30)
    record = verdict(tmp_path, steady(0), steady(100, **dict(zip(NAMES, moves, strict=True))))
    assert record.verdict is Verdict.INCONCLUSIVE
    assert noted(record, "benchmarks moved apart by")
    assert not [change for change in record.changes if change.verdict is Verdict.REGRESSION]


def test_what_moves_all_alike_may_be_the_machine_and_a_note_says_so(tmp_path: Path) -> None:
    record = verdict(tmp_path, steady(0), steady(100, **dict.fromkeys(NAMES, 0.10)))
    assert record.verdict is Verdict.REGRESSION
    assert noted(record, "a slower machine looks just like that")


def test_a_faster_machine_is_noted_too(tmp_path: Path) -> None:
    record = verdict(tmp_path, steady(0), steady(100, **dict.fromkeys(NAMES, -0.10)))
    assert record.verdict is Verdict.PASS
    assert noted(record, "a faster machine looks just like that")


@pytest.mark.parametrize("which", ["OLD", "NEW"])
def test_a_benchmark_that_drifts_in_its_own_job_is_not_steady(tmp_path: Path, which: str) -> None:
    flat, moving = noise(1), noise(2)
    drifting = [value * (1.3 if n >= 50 else 1.0) for n, value in enumerate(moving)]
    old, new = (drifting, flat) if which == "OLD" else (flat, drifting)
    record = verdict(tmp_path, {"decode": old}, {"decode": new})
    assert record.verdict is Verdict.INCONCLUSIVE
    assert f"not steady: {which}'s second half is +29" in record.reasons[0]


def test_no_common_benchmark_is_nothing_measured(tmp_path: Path) -> None:
    record = verdict(tmp_path, {"decode": noise(1)}, {"resize": noise(2)})
    assert record.verdict is Verdict.NOTHING
    assert record.verdict.exit_code == 4
    assert "no benchmark is in both files" in record.reasons[0]
    assert "decode" in record.reasons[0]
    assert noted(record, "gone from NEW: decode")
    assert noted(record, "new in NEW: resize")


def test_empty_files_are_nothing_measured(tmp_path: Path) -> None:
    record = verdict(tmp_path, {}, {})
    assert record.verdict is Verdict.NOTHING
    assert "has none" in record.reasons[0]


def test_the_same_rounds_twice_are_nothing_measured(tmp_path: Path) -> None:
    record = verdict(tmp_path, {"decode": noise(1)}, {"decode": noise(1)})
    assert record.verdict is Verdict.NOTHING
    assert "the very same rounds" in record.reasons[0]


def test_few_rounds_decide_nothing(tmp_path: Path) -> None:
    record = verdict(tmp_path, {"decode": noise(1, rounds=5)}, {"decode": noise(2, rounds=5)})
    assert record.verdict is Verdict.INCONCLUSIVE
    assert record.changes[0].blocks == 5


def test_benchmarks_that_one_side_has_are_noted(tmp_path: Path) -> None:
    old, new = steady(0), steady(100)
    del new["zoom"]
    record = verdict(tmp_path, old, new)
    assert record.verdict is Verdict.PASS
    assert noted(record, "not compared, gone from NEW: zoom")
    assert len(record.changes) == len(NAMES) - 1


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("options", "timer perf_counter against process_time"),
        ("extra_info", "images 64 against 32"),
    ],
)
def test_other_work_is_not_compared_and_never_passes(tmp_path: Path, key: str, told: str) -> None:
    said = {"options": {"timer": "perf_counter"}, "extra_info": {"images": 64}}
    also = {"options": {"timer": "process_time"}, "extra_info": {"images": 32}}
    old = write(tmp_path / "old.json", {"decode": noise(1)}, entry=said)
    new = write(tmp_path / "new.json", {"decode": noise(2)}, entry={**said, key: also[key]})
    record = check(old, new, THRESHOLD, "today")
    assert record.verdict is Verdict.NOTHING
    assert f"not the same work: {told}" in record.reasons[0]


def test_other_machines_are_refused_and_the_keys_named(tmp_path: Path) -> None:
    cpu = {"count": 4, "flags": ["sse2", "avx2", "avx512f"], "hz_actual": [1, 0]}
    machine = {**MACHINE, "node": "bench-2", "cpu": cpu}
    with pytest.raises(ConfigError) as caught:
        verdict(tmp_path, steady(0), steady(100), machine_info=machine)
    told = str(caught.value)
    assert "node ('bench-1' against 'bench-2')" in told
    assert "cpu.count (2 against 4)" in told
    assert "cpu.flags (only one has avx512f)" in told
    assert "hz_actual" not in told


def test_a_key_that_one_file_lacks_is_a_difference(tmp_path: Path) -> None:
    machine = {key: value for key, value in MACHINE.items() if key != "python_build"}
    with pytest.raises(ConfigError, match=r"python_build .* against nothing"):
        verdict(tmp_path, steady(0), steady(100), machine_info=machine)


def test_files_that_name_no_machine_are_refused(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", steady(0), machine_info={})
    new = write(tmp_path / "new.json", steady(100), machine_info={})
    with pytest.raises(ConfigError, match="do not say which machine"):
        check(old, new, THRESHOLD, "today")


def test_a_patched_kernel_is_noted_and_the_momentary_clock_ignored(tmp_path: Path) -> None:
    machine = {**MACHINE, "release": "6.1.1", "cpu": {**MACHINE["cpu"], "hz_actual": [1, 0]}}
    record = verdict(tmp_path, steady(0), steady(100), machine_info=machine)
    assert record.verdict is Verdict.PASS
    assert noted(record, "the kernel differs: 6.1.0 and 6.1.1")


def test_files_in_the_wrong_order_are_noted(tmp_path: Path) -> None:
    early, late = "2026-11-24T10:00:00+00:00", "2026-11-25T10:00:00+00:00"
    old = write(tmp_path / "old.json", steady(0), datetime=late)
    new = write(tmp_path / "new.json", steady(100), datetime=early)
    assert noted(check(old, new, THRESHOLD, "today"), "NEW was written before OLD")
    assert not noted(check(new, old, THRESHOLD, "today"), "NEW was written before OLD")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not a whole JSON file of pytest-benchmark"),
        ('{"a": 1}', "not a whole JSON file of pytest-benchmark"),
        ("[1]", "not a whole JSON file of pytest-benchmark"),
        ("\xff", "not a whole JSON file of pytest-benchmark"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str, told: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(content.encode("latin-1"))
    with pytest.raises(RecordError, match=f"bad.json is {told}.*--benchmark-json"):
        check(bad, write(tmp_path / "new.json", steady(0)), THRESHOLD, "today")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"gone\.json cannot be read: No such file"):
        check(tmp_path / "gone.json", tmp_path / "gone.json", THRESHOLD, "today")


def test_statistics_without_rounds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no raw rounds \(stats.data\) of decode.*save-data"):
        verdict(tmp_path, steady(0), steady(100), entry={"stats": {"mean": 0.01}})


def test_a_round_of_no_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="a round of 0 s of decode"):
        verdict(tmp_path, steady(0), {"decode": [0.01, 0.0]})


def test_a_benchmark_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    twice = [{"fullname": "decode", "stats": {"data": [0.01]}}] * 2
    with pytest.raises(RecordError, match="has decode twice"):
        verdict(tmp_path, steady(0), {}, benchmarks=twice)


times = st.lists(st.floats(1e-6, 10.0), min_size=2, max_size=200)


@given(times, st.integers(1, BATCHES))
def test_batch_means_lie_within_their_rounds(rounds_s: list[float], wanted: int) -> None:
    batches = min(wanted, len(rounds_s))
    means = batch_means(rounds_s, batches)
    assert len(means) == batches
    low, high = min(rounds_s), max(rounds_s)
    assert all(low * (1 - 1e-9) <= mean <= high * (1 + 1e-9) for mean in means)


def test_batches_keep_the_order_of_time() -> None:
    assert batch_means([1.0, 1.0, 5.0, 5.0, 9.0, 9.0], 3) == (1.0, 5.0, 9.0)


def test_a_burst_in_a_fifth_of_the_rounds_is_left_out() -> None:
    assert batch_means([1.0] * 8 + [50.0] * 2, 1) == (1.0,)
    assert batch_means([1.0] * 7 + [50.0] * 3, 1)[0] > 7.0


@given(times, times)
def test_swapping_the_sides_turns_every_change_round(base: list[float], other: list[float]) -> None:
    there, back = against(base, other), against(other, base)
    assert there == pytest.approx([-change for change in back], abs=1e-9)
    assert len(there) == min(BATCHES, len(base), len(other))


@given(times, st.floats(0.01, 1.0))
def test_a_planted_slowdown_adds_its_own_size(rounds_s: list[float], planted: float) -> None:
    plain = [change + math.log1p(planted) for change in halves(rounds_s)]
    assert halves(rounds_s, planted) == pytest.approx(plain, abs=1e-9)


@given(st.floats(-0.5, 0.5), st.integers(CROWD, 30))
def test_jobs_that_move_all_alike_do_not_move_them_apart(shift: float, count: int) -> None:
    assert job_spread([[shift, shift]] * count) == pytest.approx(0.0, abs=1e-12)


def test_too_few_benchmarks_show_no_spread_between_jobs() -> None:
    moved = [[0.1], [-0.2], [0.3], [-0.1], [0.2], [-0.3]]
    assert job_spread(moved[: CROWD - 1]) == 0.0
    assert job_spread(moved[:CROWD]) > 0.1


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


BENCHMARK = "def test_sum(benchmark):\n    benchmark.pedantic(sum, ([1, 2],), rounds=40)\n"


def test_what_pytest_benchmark_writes_is_read_and_its_own_gate_works(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(BENCHMARK)
    assert run_pytest(tmp_path, "test_it.py", "--benchmark-json=new.json").returncode == 0
    written = json.loads((tmp_path / "new.json").read_text())
    (entry,) = written["benchmarks"]
    data = entry["stats"]["data"]
    assert len(data) == 40
    entry["stats"] = {**entry["stats"], "data": [v / 1_000 for v in data], "mean": 1e-12}
    (tmp_path / "old.json").write_text(json.dumps(written))

    record = check(tmp_path / "old.json", tmp_path / "new.json", THRESHOLD, "today")
    assert record.changes[0].change is not None
    assert record.changes[0].change.value == pytest.approx(999)

    compare = ("test_it.py", "--benchmark-compare=old.json")
    slower = run_pytest(tmp_path, *compare, "--benchmark-compare-fail=mean:50%")
    assert "Performance has regressed" in slower.stdout + slower.stderr
    assert slower.returncode != 0
    assert run_pytest(tmp_path, *compare, "--benchmark-compare-fail=mean:1000").returncode == 0


def test_microbenchmarks_run_only_when_they_are_named(tmp_path: Path) -> None:
    benchmarks = tmp_path / "tests" / "benchmarks"
    benchmarks.mkdir(parents=True)
    shutil.copy(TESTS / "conftest.py", tmp_path / "tests")
    (tmp_path / "tests" / "test_other.py").write_text("def test_other():\n    pass\n")
    (benchmarks / "test_it.py").write_text(BENCHMARK)
    collect = ("--collect-only", "-q", "--import-mode=importlib")
    ordinary = run_pytest(tmp_path, *collect, "tests").stdout
    assert "test_other" in ordinary
    assert "test_sum" not in ordinary
    assert "test_sum" in run_pytest(tmp_path, *collect, "tests/benchmarks").stdout
    assert "test_sum" in run_pytest(tmp_path, *collect, "tests/benchmarks/test_it.py").stdout
