"""A cache behind the augmentation, planted in a real pipeline, and what a report says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from bench.evidence import Severity
from bench.results import compute
from bench.schema import SCHEMA_VERSION, VariantProof
from bench.variants import VARIANTS
from leafmodel.data.folder import scan
from leafmodel.pipelines import build as builders
from leafmodel.pipelines import proof, tf_data
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.spec import PipelineSpec
from tests.bench.samples import proof_records, run_record, trial_records


def frozen(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """Augment, then cache, then shuffle: another order each epoch, always the same images."""
    honest = builders.build(spec, given)
    dataset = honest.dataset.unbatch().cache()
    dataset = dataset.shuffle(len(given.files), reshuffle_each_iteration=True)
    dataset = dataset.batch(given.batch_size).prefetch(2)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(given.steps))
    dataset = dataset.with_options(tf_data.options(spec))
    return Pipeline(source=dataset, front=(), drain=lambda: iter(dataset), dataset=dataset)


def test_frozen_augmentation_is_caught_as_such(
    make_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = scan(make_folder({"ash": 4, "elm": 4}, size=16))
    given = PipelineInput(folder.training, folder.class_names, 4, 16, 5, tmp_path / "work")
    spec = VARIANTS["cache_prefetch"].pipeline
    monkeypatch.setattr(proof, "build", frozen)
    found = proof.prove(spec, given)
    run = run_record(variants=("default", "cache_prefetch", "in_model"))
    lie = VariantProof(
        SCHEMA_VERSION, "cache_prefetch", spec, found.stages, found.checks, found.images_checked
    )
    proofs = [*proof_records(run, without=["cache_prefetch"]), lie]
    findings = compute(run, trial_records(run), proofs).findings
    named = [item for item in findings if item.code == "frozen-augmentation"]
    assert {item.where for item in named} == {"cache_prefetch"}
    assert {item.severity for item in named} == {Severity.PROBLEM}
    said = " ".join(item.what for item in named)
    assert "augmented once, not anew in every epoch" in said
    assert "differs by 0.0 grey levels between two epochs" in said


def test_an_honest_cache_is_not_accused() -> None:
    run = run_record(variants=("default", "cache_prefetch", "in_model"))
    findings = compute(run, trial_records(run), proof_records(run)).findings
    assert not [item for item in findings if item.code == "frozen-augmentation"]
