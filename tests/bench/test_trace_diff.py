"""The causes of a difference add up to it, and say which of them are beyond the noise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from bench import console
from bench.cli import main
from bench.codec import encode
from bench.errors import ConfigError, StoreError
from bench.profile_measures import ProfileResult, measure
from bench.profile_schema import KINDS, STAGES, ProfileFailure, ProfileFailureKind, StepReading
from bench.report import diff_tables
from bench.report.profile_tables import ms
from bench.requests import WorkerFiles
from bench.schema import SCHEMA_VERSION
from bench.store import Store
from bench.trace_diff import TraceDiff, diff, lookup, of_run
from tests.bench.profile_samples import (
    IN_MODEL,
    PLAIN,
    profile_record,
    profiled_records,
    reading,
    shares,
)
from tests.bench.samples import run_record

BUSY = ProfileFailure(ProfileFailureKind.BUSY, "Another profiler runs: stop it, and run again.")


def measured(*records: Any) -> tuple[ProfileResult, ...]:
    return measure(records, {}, 2)


def of_steps(each: list[dict[str, float]], variant: str = "plain") -> ProfileResult:
    """A profile of steps that are not alike."""
    begin_ns, steps = 0, []
    for number, seconds in enumerate(each, 3):
        parts = shares(seconds)
        step_ns = sum(part.wall_ns for part in parts)
        wait_ns = sum(part.wall_ns for part in parts if part.place == "input")
        steps.append(StepReading(number, begin_ns, step_ns, wait_ns, parts))
        begin_ns += step_ns
    made = reading(each[0], steps=tuple(steps), analyser=())
    (found,) = measured(profile_record(variant, each[0], reading=made))
    return found


def rows(found: TraceDiff) -> dict[str, Any]:
    return {f"{row.place}/{row.name}": row for row in found.causes}


@pytest.fixture
def found() -> TraceDiff:
    _, plain, in_model, _ = measured(*profiled_records())
    return diff(plain, in_model)


def test_the_largest_change_comes_first_whatever_its_sign(found: TraceDiff) -> None:
    first, second, third, *_ = found.causes
    assert [(row.place, row.name) for row in (first, second, third)] == [
        ("input", "augment"),
        ("model", "augmentation"),
        ("model", "convolution"),
    ]
    assert [row.change_s for row in (first, second, third)] == pytest.approx([-0.18, 0.12, 0.03])
    sizes = [abs(row.change_s) for row in found.causes]
    assert sizes == sorted(sizes, reverse=True)


def test_the_changes_add_up_to_that_of_the_step(found: TraceDiff) -> None:
    assert found.change_s == pytest.approx(sum(IN_MODEL.values()) - sum(PLAIN.values()))
    assert sum(row.change_s for row in found.causes) == pytest.approx(found.change_s, abs=1e-12)
    assert sum(row.a_s for row in found.causes) == pytest.approx(found.a_step_s, abs=1e-12)
    assert sum(row.b_s for row in found.causes) == pytest.approx(found.b_step_s, abs=1e-12)


def test_where_nobody_was_at_work_no_cause_is_known(found: TraceDiff) -> None:
    flagged = {name for name, row in rows(found).items() if not row.attributed}
    assert flagged == {"idle/idle", "input/hand-over"}
    assert found.unattributed_s == pytest.approx(0.002 - 0.004)


def test_stages_are_compared_by_their_work_hidden_or_not(found: TraceDiff) -> None:
    assert [row.stage for row in found.stages] == ["read", "decode", "convert", "augment"]
    changes = [row.change_s for row in found.stages]
    assert changes == pytest.approx([0.004, 0.011, 0.002, -0.18])


def test_a_profile_against_itself_has_no_difference() -> None:
    (plain,) = measured(*profiled_records("plain"))
    found = diff(plain, plain)
    assert found.change_s == found.unattributed_s == 0
    assert not any(row.change_s or row.beyond_noise for row in (*found.causes,))
    assert found.beyond_noise is False


def test_noise_is_that_of_welch() -> None:
    rng = np.random.default_rng(3)
    a_s, b_s = rng.normal(0.30, 0.02, 8), rng.normal(0.33, 0.005, 5)
    a = of_steps([{"model/dense": value, "idle/idle": 0.01} for value in a_s])
    b = of_steps([{"model/dense": value, "idle/idle": 0.02} for value in b_s])
    found = diff(a, b)
    low, high = ttest_ind(b_s, a_s, equal_var=False).confidence_interval(0.95)
    row = rows(found)["model/dense"]
    assert row.change_s == pytest.approx((low + high) / 2, rel=1e-5)
    assert row.noise_s == pytest.approx((high - low) / 2, rel=1e-5)
    assert row.beyond_noise == (low > 0)
    assert (found.a_steps, found.b_steps) == (8, 5)
    assert rows(found)["idle/idle"].beyond_noise is True


def test_a_change_within_the_noise_is_not_beyond_it() -> None:
    a = of_steps([{"model/dense": 0.3 + 0.05 * (k % 2)} for k in range(8)])
    b = of_steps([{"model/dense": 0.31 + 0.05 * (k % 2)} for k in range(8)])
    (row,) = diff(a, b).causes
    assert row.beyond_noise is False
    assert row.noise_s > row.change_s > 0


def test_one_step_has_no_noise() -> None:
    found = diff(of_steps([{"model/dense": 0.3}]), of_steps([{"model/dense": 0.4}] * 3))
    (row,) = found.causes
    assert (row.noise_s, row.beyond_noise, found.noise_s, found.beyond_noise) == (None,) * 4
    assert "no noise known" in diff_tables.total(found)
    assert diff_tables.cause_rows(found)[0][4] == "–"
    assert diff_tables.unattributed(found).startswith("All of it")


def test_a_cause_that_only_one_has_is_nothing_in_the_other() -> None:
    found = diff(of_steps([{"model/dense": 0.3}] * 3), of_steps([{"model/pooling": 0.2}] * 3))
    assert {n: (r.a_s, r.b_s) for n, r in rows(found).items()} == {
        "model/dense": (0.3, 0.0),
        "model/pooling": (0.0, 0.2),
    }


def test_steps_of_other_batches_are_not_compared() -> None:
    plain, in_model = measured(*profiled_records("plain", "in_model"))
    with pytest.raises(ConfigError, match="A step of plain, cnn has 32 images and one of in_mod"):
        diff(plain, replace(in_model, batch_size=64))


def in_phase(item: ProfileResult, phase: str) -> ProfileResult:
    return replace(item, phase=phase)


def test_profiles_are_found_by_name() -> None:
    plain, in_model = measured(*profiled_records("plain", "in_model"))
    for name in ("plain", "plain,cnn", "plain-cnn"):
        assert lookup((plain, in_model), name) is plain
    tuned = in_phase(plain, "tuned")
    with pytest.raises(ConfigError, match="several phases: name one of plain,cnn, plain,tuned"):
        lookup((plain, tuned), "plain")
    assert lookup((plain, tuned), "plain,tuned") is tuned
    with pytest.raises(ConfigError, match=r"there are plain,cnn, in_model,cnn\. Did you mean 'pl"):
        lookup((plain, in_model), "plane")
    with pytest.raises(ConfigError, match="no step of this run was profiled"):
        lookup((), "plain")


step = st.dictionaries(
    st.sampled_from(
        [f"input/{name}" for name in (*STAGES, "hand-over")]
        + [f"model/{name}" for name in KINDS]
        + ["idle/idle"]
    ),
    st.floats(1e-6, 10.0),
    min_size=1,
)
several = st.lists(step, min_size=1, max_size=6)


@settings(deadline=None, max_examples=100)
@given(several, several)
def test_whatever_the_steps_the_changes_add_up(
    a_steps: list[dict[str, float]], b_steps: list[dict[str, float]]
) -> None:
    a, b = of_steps(a_steps), of_steps(b_steps)
    found, back = diff(a, b), diff(b, a)
    assert sum(row.change_s for row in found.causes) == pytest.approx(found.change_s, abs=1e-9)
    assert found.change_s == pytest.approx(b.step_s - a.step_s, abs=1e-12)
    for name, row in rows(found).items():
        assert row.change_s == row.b_s - row.a_s
        assert rows(back)[name].change_s == -row.change_s
        assert rows(back)[name].noise_s == pytest.approx(row.noise_s)
    flagged = sum(row.change_s for row in found.causes if not row.attributed)
    assert found.unattributed_s == pytest.approx(flagged, abs=1e-12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with two profiles, and one that could not be read."""
    store = Store.create(tmp_path / "run")
    run = run_record(variants=("default", "plain", "in_model"))
    store.write_run(run, WorkerFiles(SCHEMA_VERSION, ("Apple",), (("Apple/1.jpg", 0),), (), ()))
    for record in profiled_records("plain", "in_model"):
        store.write_profile(record)
    store.write_profile(profile_record("default", failure=BUSY))
    store.close()
    return tmp_path / "run"


def test_a_run_is_read(folder: Path, found: TraceDiff) -> None:
    assert of_run(folder, "plain", "in_model-cnn") == found


def test_what_cannot_be_compared_is_said(folder: Path) -> None:
    with pytest.raises(ConfigError, match="'default' was not read: Another profiler runs"):
        of_run(folder, "plain", "default")
    with pytest.raises(ConfigError, match="There is no profile 'cache'"):
        of_run(folder, "cache", "plain")
    with pytest.raises(StoreError, match="not a run of leafbench"):
        of_run(folder / "nowhere", "plain", "in_model")


def test_it_can_be_encoded(found: TraceDiff) -> None:
    values = json.loads(encode(found))
    assert (values["a"], values["b"]) == ("plain, cnn", "in_model, cnn")
    assert values["causes"][0]["name"] == "augment"
    assert sum(row["change_s"] for row in values["causes"]) == pytest.approx(values["change_s"])


def test_the_table_says_all_of_it(found: TraceDiff, capsys: pytest.CaptureFixture[str]) -> None:
    console.trace_diff(found, False)
    said = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in said.splitlines()]
    nothing = ms(0.0)
    assert lines[0] == (
        "A: plain, cnn (8 steps). B: in_model, cnn (8 steps). Where a mean step of 32 images goes:"
    )
    assert "cause A, ms B, ms change, ms ± noise, ms" in lines
    assert f"input: augment 180 {nothing} -180 {nothing} beyond noise" in lines
    assert f"model: augmentation {nothing} 120 +120 {nothing} beyond noise" in lines
    assert f"idle 8.00 8.00 {nothing} {nothing} not attributed" in lines
    assert (
        f"Step: 560 ms in A, 500 ms in B. The difference, -60.0 ms (± {nothing} ms), is the sum "
        "of the changes."
    ) in said
    assert (
        "Of it, -2.00 ms cannot be attributed: nobody was at work (input: hand-over and idle)."
    ) in said
    assert "decode 20.0 31.0 +11.0" in lines


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, ms(0.0)), (-1e-9, ms(1e-9)), (-0.0123, "-12.3"), (1.5, "+1,500")],
)
def test_changes_have_a_sign(seconds: float, text: str) -> None:
    assert diff_tables.signed_ms(seconds) == text


def test_the_command_prints_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "diff", str(folder), "plain", "in_model"]) == 0
    said = capsys.readouterr()
    assert "input: augment" in said.out
    assert "is the sum of the changes" in said.out
    assert said.err == ""


def test_the_command_answers_a_program(
    folder: Path, found: TraceDiff, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", "diff", str(folder), "plain", "in_model", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(encode(found))


def test_a_mistake_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "diff", str(folder), "plane", "in_model"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "leafbench: There is no profile 'plane'; there are in_model,cnn, plain,cnn. "
        "Did you mean 'plain'?\n"
    )
    assert main(["trace", "diff", str(folder), "plain"]) == 2
    assert "Missing argument 'B'" in capsys.readouterr().err
