"""Variants whose model is executed otherwise: which can be, and that they are reported apart."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import plan
from bench.compare import fastest
from bench.config import make_config
from bench.errors import ConfigError
from bench.gate.asked import Asked
from bench.report import beyond
from bench.report.markdown import markdown
from bench.report.summary import summary_json
from bench.report.tables import csv_text, verdict_rows
from bench.results import RunResults, compute
from bench.schema import ProfileMode, RunConfig, TrialKind
from bench.variants import VARIANTS, pipeline_variant, variant
from leafmodel.training.execution import AS_USUAL, Execution, Precision
from tests.bench import samples

MIXED = "in_model+precision=mixed_bfloat16"
COMPILED = "cache_prefetch+jit_compile=true"
LISTED = f"default,in_model,cache_prefetch,{MIXED},{COMPILED}"
SECONDS = {"default": 20.0, "in_model": 10.0, "cache_prefetch": 12.0, MIXED: 4.0, COMPILED: 24.0}
CEILINGS = {
    "ceiling_none": 8.0,
    "ceiling_model": 9.0,
    "ceiling_model+precision=mixed_bfloat16": 3.6,
    "ceiling_none+jit_compile=true": 23.0,
}


def config(variants: str = LISTED, **overrides: object) -> RunConfig:
    return make_config("smoke", {"variants": variants, "blocks": 3, **overrides})


@pytest.fixture(scope="module")
def results() -> RunResults:
    chosen = config(epochs=4)
    run = replace(samples.run_record(), config=chosen, plan=plan.build(chosen))
    trials = samples.trial_records(run, SECONDS | CEILINGS)
    return compute(run, trials, samples.proof_records(run))


def test_a_variant_says_how_its_model_is_executed_beside_its_axes() -> None:
    found = variant("in_model+precision=mixed_bfloat16+prefetch=8+steps_per_execution=4")
    assert found.execution == Execution(4, Precision.MIXED_BFLOAT16)
    assert found.pipeline == VARIANTS["in_model"].pipeline.evolve(prefetch=8)
    assert found.usual == "in_model+prefetch=8"


def test_a_pipeline_alone_is_executed_as_usual() -> None:
    assert variant("in_model+prefetch=8").execution == AS_USUAL
    assert pipeline_variant("in_model+prefetch=8").usual == ""
    with pytest.raises(ConfigError, match="leafbench run alone measures: give in_model"):
        pipeline_variant(MIXED)


@pytest.mark.parametrize(
    ("variants", "overrides", "says"),
    [
        (f"default,in_model,{MIXED}", {"candidate": MIXED}, "name in_model in the claim"),
        (f"default,in_model,{COMPILED}", {}, "nothing to compare it with.*,cache_prefetch"),
        (LISTED, {"device": "emulated:step=10ms"}, "an emulated device executes nothing"),
        ("default,in_model,in_model+jit_compile=true", {}, "a model that augments cannot be"),
        (LISTED, {"backend": "jax"}, "on JAX every step is compiled already"),
        (
            "default,in_model,in_model+steps_per_execution=2",
            {"backend": "jax"},
            "one by one whatever",
        ),
        (
            "default,in_model,in_model+steps_per_execution=2",
            {"backend": "torch"},
            "PyTorch has no steps_per_execution",
        ),
        ("default,in_model,in_model+precision=float8", {}, "one of float32, mixed_bfloat16"),
    ],
)
def test_what_cannot_be_in_a_run_is_refused(
    variants: str, overrides: dict[str, object], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        config(variants, **overrides)


def test_without_augmentation_every_model_can_be_compiled() -> None:
    chosen = config("default,in_model,in_model+jit_compile=true", augment=False)
    assert "ceiling_none+jit_compile=true" in {spec.variant for spec in plan.build(chosen)}


def test_precision_is_for_every_backend() -> None:
    assert MIXED in config(f"default,in_model,{MIXED}", backend="jax").variants


def test_a_gate_refuses_them() -> None:
    asked = Asked("HEAD", Path(), (), suite="smoke", overrides={"variants": MIXED})
    with pytest.raises(ConfigError, match="leafbench run alone measures"):
        asked.config()


def test_each_execution_has_ceilings_of_its_own_and_no_more_than_it_needs() -> None:
    ceilings = [spec for spec in plan.build(config()) if spec.kind is TrialKind.CEILING]
    assert {spec.variant for spec in ceilings} == set(CEILINGS)
    mixed = next(spec for spec in ceilings if "precision" in spec.variant)
    assert mixed.execution == Execution(precision=Precision.MIXED_BFLOAT16)


def test_profiles_are_of_pipelines() -> None:
    chosen = replace(config(), profile=ProfileMode.ALL)
    profiled = {spec.trial.variant for spec in plan.profiles(chosen, {})}
    assert profiled == {"default", "in_model", "cache_prefetch"}


def test_the_fastest_pipeline_is_a_pipeline(results: RunResults) -> None:
    trials = samples.trial_records(results.run, SECONDS | CEILINGS)
    assert fastest(trials) == {"cnn": "in_model"}
    found = results.fastest("cnn")
    assert found is not None
    assert found.variant == "in_model"


def test_they_have_no_part_in_the_claims_table_and_ceilings(results: RunResults) -> None:
    assert [item.variant for item in results.variants] == ["default", "in_model", "cache_prefetch"]
    assert [item.variant for item in results.ceilings] == ["ceiling_none", "ceiling_model"]
    assert not any("=" in row[0] for row in verdict_rows(results))
    ladders = [ladder for cause in results.causes for ladder in cause.longest]
    assert ladders
    assert not any("=" in name for ladder in ladders for name in ladder.names)


def test_each_is_held_against_its_own_pipeline_and_its_own_ceiling(results: RunResults) -> None:
    mixed, compiled = results.beyond
    assert (mixed.variant, compiled.variant) == (MIXED, COMPILED)
    assert mixed.speedup is not None
    assert mixed.speedup.median == pytest.approx(2.5, rel=0.05)
    assert mixed.ceiling_s == pytest.approx(3.6, rel=0.05)
    assert compiled.comparison is not None
    assert compiled.comparison.baseline == "cache_prefetch"
    assert compiled.comparison.speedup is not None
    assert compiled.comparison.speedup.median == pytest.approx(0.5, rel=0.05)


def test_the_report_has_them_in_a_table_of_their_own(results: RunResults) -> None:
    head, _, behind = markdown(results).partition(f"## {beyond.TITLE}")
    assert MIXED not in head.split("## Fairness")[0]
    table = behind.split("\n\n")[1].splitlines()
    assert [line.split("|")[1].strip() for line in table[2:]] == [MIXED, COMPILED]
    assert table[2].split("|")[3].strip().startswith("2.5")


def test_the_terminal_has_it_too(results: RunResults) -> None:
    (header, *rows), *others = beyond.terminal_tables(results)
    assert header[0] == "variant"
    assert [row[0] for row in rows] == [MIXED, COMPILED]
    assert others == []


def test_a_run_without_them_has_no_such_section() -> None:
    run = samples.run_record()
    plain = compute(run, samples.trial_records(run), samples.proof_records(run))
    assert beyond.terminal_tables(plain) == []
    assert beyond.TITLE not in markdown(plain)
    assert json.loads(summary_json(plain))["beyond"] == []


def test_programs_read_what_each_is_compared_with(results: RunResults) -> None:
    found = json.loads(summary_json(results))["beyond"]
    assert [item["compared_with"] for item in found] == ["in_model", "cache_prefetch"]
    assert found[0]["execution"]["precision"] == "mixed_bfloat16"
    rows = {row["variant"]: row for row in csv.DictReader(csv_text(results).splitlines())}
    assert rows[MIXED]["compared_with"] == "in_model"
    assert rows["in_model"]["compared_with"] == "default"
