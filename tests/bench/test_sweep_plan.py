"""What [sweep] and --sweep may say, and the runs that come of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import plan, sweep_plan
from bench.backends import Backend
from bench.config import make_config
from bench.device_schema import SweepSpec
from bench.errors import ConfigError
from bench.report.provenance import run_command
from bench.results import compute
from bench.schema import ProfileMode, TrialKind
from bench.values import Given
from tests.bench.samples import data_summary, run_config, run_record, trial_record

CONFIG = run_config(blocks=3, epochs=4, backend=Backend.JAX, profile=ProfileMode.ALL)


def parsed(**table: Any) -> SweepSpec:
    return sweep_plan.parse(Given(table, "suite.toml, table [sweep]"), CONFIG)


def test_what_is_not_said_is_the_runs() -> None:
    assert parsed(steps=["1s", "5ms"]) == SweepSpec(("1s", "5ms"), (), 3, 4)
    given = parsed(steps="1s,5ms", variants=["plain"], blocks=2, epochs=5)
    assert given == SweepSpec(("1s", "5ms"), ("plain",), 2, 5)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "does not say which steps: add steps = "),
        ({"steps": ["51ms"]}, r"steps must name 2 times or more"),
        ({"steps": ["51ms", "fast"]}, "steps: step must be a time"),
        ({"steps": ["51ms", "-5ms"]}, "steps: step must be a time"),
        ({"steps": ["1s", "5ms"], "step": 1}, "unknown key 'step'. Did you mean 'steps'"),
        ({"steps": ["1s", "5ms"], "blocks": 0}, "blocks must be a whole number of 1 or more"),
        ({"steps": ["1s", "5ms"], "variants": ["plian"]}, "Unknown variant 'plian'"),
        ({"steps": ["1s", "5ms"], "variants": ["feature_cache"]}, "cannot compute: leave it out"),
        (
            {"steps": ["1s", "5ms"], "variants": ["in_model+steps_per_execution=4"]},
            "changes how a model is executed, and an emulated device executes none",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_where_it_stands(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parsed(**table)


def test_a_sweep_that_is_no_table_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"must be a table \(\[sweep\]\), found 7"):
        sweep_plan.parse(Given(7, "suite.toml, table [sweep]"), CONFIG)


def test_each_device_is_a_run_of_the_claims_variants_on_the_same_images_and_seed() -> None:
    config = run_config(
        data="photos",
        seed=9,
        backend=Backend.JAX,
        profile=ProfileMode.ALL,
        audit_data=True,
        sweep=SweepSpec(("1s", "5ms"), ("plain", "in_model"), 2, 5),
    )
    first, second = sweep_plan.parts(config, Path("run"))
    assert (first.step, second.step) == ("1s", "5ms")
    made = first.config
    assert made.variants == ("default", "in_model", "plain")
    assert (made.data, made.seed, made.blocks, made.epochs) == ("photos", 9, 2, 5)
    assert (made.profile, made.audit_data, made.sweep) == (ProfileMode.NONE, False, None)
    assert made.backend is Backend.TENSORFLOW
    assert not made.noise_floor
    assert made.device is not None
    assert made.device != second.config.device


def test_none_declines_a_suites_sweep_and_says_so() -> None:
    assert make_config("claim", {"sweep": "none"}).sweep == SweepSpec(())
    assert sweep_plan.parts(make_config("claim", {"sweep": "none"}), Path("run")) == ()


def test_other_steps_keep_the_rest_of_a_suites_sweep() -> None:
    ours = make_config("claim").sweep
    other = make_config("claim", {"sweep": "80ms,8ms"}).sweep
    assert ours is not None
    assert other is not None
    assert other.steps == ("80ms", "8ms")
    assert (other.variants, other.blocks) == (ours.variants, ours.blocks)
    assert make_config("smoke", {"sweep": "80ms,8ms"}).sweep == SweepSpec(("80ms", "8ms"), (), 1, 3)
    assert make_config("smoke").sweep is None


def test_a_sweep_and_a_device_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="leave one of the two out"):
        make_config("claim", {"sweep": "80ms,8ms", "device": "emulated:step=5ms"})
    assert make_config("claim", {"device": "emulated:step=5ms"}).sweep is None


def test_the_suite_claim_measures_every_rung_and_every_leave_one_out() -> None:
    config = make_config("claim")
    run = run_record(
        variants=config.variants,
        explain=config.explain,
        data=data_summary(image_sizes={"256x256": 115}),
    )
    run = replace(run, plan=plan.build(run.config))
    trials = [trial_record(spec, [2.0] * spec.epochs) for spec in run.plan]
    (found,) = compute(run, trials, ()).causes[0].longest
    assert found.names == (
        *("default", "plain", "parallel", "prefetch", "in_model", "in_model_cache", "fused_cache"),
    )
    assert all(len(rung.changes) == 1 for rung in found.rungs)
    assert {item.change.axis for item in found.left_out} == {
        *("map_parallelism", "prefetch", "cache", "augment", "augment_form"),
    }
    assert found.missing == ()
    assert [change.axis for change in found.inseparable] == ["loader"]


def test_the_suite_claim_has_as_many_trials_as_its_comment_counts() -> None:
    config = make_config("claim")
    assert len(plan.build(config)) == config.blocks * 15
    made = [plan.build(part.config) for part in sweep_plan.parts(config, Path("run"))]
    fed = [spec for specs in made for spec in specs if spec.kind is TrialKind.TRAIN]
    assert (len(made), len(fed)) == (3, 27)


@pytest.mark.parametrize("sweep", ["80ms,8ms", "none"])
def test_the_command_that_makes_a_run_again_has_its_sweep(sweep: str) -> None:
    words = run_command(make_config("claim", {"sweep": sweep}))
    assert words[words.index("--sweep") + 1] == sweep
    assert "--sweep" not in run_command(make_config("quick"))
