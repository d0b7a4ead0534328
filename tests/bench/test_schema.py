from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bench.codec import decode, encode
from bench.errors import RecordError
from bench.schema import (
    SCHEMA_VERSION,
    ClaimSpec,
    EpochRecord,
    Failure,
    FailureKind,
    TrialKind,
    TrialRecord,
    TrialSpec,
    TrialStatus,
    VariantProof,
    ceiling_variant,
)
from leafmodel.pipelines.facts import MadeOnce, ProofCheck, ProofStatus
from leafmodel.pipelines.spec import Augment, AugmentForm, Cache, PipelineSpec

SPEC = TrialSpec(
    name="b00-00-cache-cnn",
    kind=TrialKind.TRAIN,
    variant="cache",
    pipeline=PipelineSpec(cache=Cache.DECODED),
    phase="cnn",
    block=0,
    position=0,
    replica=0,
    epochs=2,
    batch_size=4,
    image_size=32,
    seed=1,
    timeout_s=60.0,
)
EPOCH = EpochRecord(
    epoch=0,
    epoch_ns=130,
    head_ns=10,
    tail_ns=20,
    step_ns=(60, 40),
    wait_ns=(5, 5),
    compute_ns=(50, 30),
    images=8,
    loss=0.5,
    accuracy=0.25,
    val_loss=None,
    val_accuracy=None,
    validation_ns=0,
)
RECORD = TrialRecord(
    schema_version=SCHEMA_VERSION,
    spec=SPEC,
    status=TrialStatus.OK,
    failure=None,
    started_at="2026-01-02T03:04:05+00:00",
    wall_ns=1_000,
    epochs=(EPOCH,),
)


def test_a_record_survives_the_round_trip() -> None:
    assert decode(encode(RECORD), TrialRecord, "x.json") == RECORD


def test_a_pipeline_from_before_there_was_a_form_augments_in_the_stock_form() -> None:
    fused = replace(SPEC, pipeline=SPEC.pipeline.evolve(augment_form=AugmentForm.FUSED))
    on_disk = json.loads(encode(replace(RECORD, spec=fused)))
    assert decode(json.dumps(on_disk).encode(), TrialRecord, "x.json").spec == fused
    del on_disk["spec"]["pipeline"]["augment_form"]
    assert decode(json.dumps(on_disk).encode(), TrialRecord, "x.json") == RECORD


def test_a_record_from_before_decoding_and_types_were_axes_still_reads() -> None:
    on_disk = json.loads(encode(RECORD))
    del on_disk["spec"]["pipeline"]["decode"], on_disk["spec"]["pipeline"]["delivers"]
    del on_disk["made_once"]
    assert decode(json.dumps(on_disk).encode(), TrialRecord, "x.json") == RECORD


@pytest.mark.parametrize(
    ("made_once", "training_ns"),
    [
        (None, [130, 230]),
        (MadeOnce(1_000, found=False, size_bytes=9), [130, 230]),
        (MadeOnce(1_000, found=True, size_bytes=9), [1_130, 1_230]),
    ],
)
def test_a_training_counts_what_another_trial_made_for_it(
    made_once: MadeOnce | None, training_ns: list[int]
) -> None:
    second = replace(EPOCH, epoch=1, epoch_ns=100, head_ns=0, tail_ns=0)
    trial = replace(RECORD, epochs=(EPOCH, second), made_once=made_once)
    assert [trial.training_ns(epochs) for epochs in (1, 2)] == training_ns
    assert decode(encode(trial), TrialRecord, "x.json") == trial


def test_the_fields_of_a_trial_on_disk() -> None:
    """Old runs must stay readable: a renamed field needs a new schema version and a migration."""
    on_disk = json.loads(encode(RECORD))
    assert sorted(on_disk) == [
        *("build_ns", "cpu_ns", "devices", "epochs", "failure", "first_batch_ns", "gpu"),
        *("loader_epoch_ns", "made_once"),
        *("other_cpu_ns", "peak_rss_bytes", "schema_version", "spec", "start_ns", "started_at"),
        *("status", "step_clock", "test_accuracy", "traces", "versions", "wall_ns"),
    ]
    assert sorted(on_disk["epochs"][0]) == [
        *("accuracy", "compute_ns", "epoch", "epoch_ns", "head_ns", "images", "loss", "step_ns"),
        *("tail_ns", "val_accuracy", "val_loss", "validation_ns", "wait_ns"),
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epoch_ns": 0}, "epoch_ns must be above 0"),
        ({"step_ns": ()}, "at least one step"),
        ({"step_ns": (60, -1)}, "step_ns must be above 0"),
        ({"images": 0}, "images must be above 0"),
        ({"wait_ns": (1,)}, "wait_ns must have one value a step"),
        ({"tail_ns": 21}, "add up to 131, epoch_ns says 130"),
        ({"compute_ns": (1, 2, 3)}, "compute_ns must have one value a step"),
    ],
)
def test_an_epoch_that_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(EPOCH, **changes)


def test_only_a_failed_record_has_a_failure_and_no_epochs() -> None:
    failure = Failure(FailureKind.CRASH, "it crashed", "the end of the log")
    failed = replace(RECORD, status=TrialStatus.FAILED, failure=failure, epochs=())
    assert decode(encode(failed), TrialRecord, "x.json") == failed
    with pytest.raises(ValueError, match="says why"):
        replace(RECORD, status=TrialStatus.FAILED)
    with pytest.raises(ValueError, match="has epochs"):
        replace(RECORD, epochs=())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (encode(RECORD)[:100], "cut off while being written"),
        (b"", "cut off while being written"),
        (b"[1, 2]", "not ours"),
        (b'{"a": 1}', "has no schema_version"),
        (b'{"schema_version": "1"}', "has no schema_version"),
        (b'{"schema_version": 1}', "not a valid TrialRecord.*spec"),
        (encode(RECORD).replace(b'"images": 8', b'"images": 0'), r"images must be above 0.*epochs"),
        (encode(RECORD).replace(b'"cnn"', b"7"), "Expected `str`, got `int`"),
    ],
)
def test_what_is_no_record_is_refused_with_the_files_name(data: bytes, says: str) -> None:
    with pytest.raises(RecordError, match=says) as caught:
        decode(data, TrialRecord, "trials/b00.json")
    assert "trials/b00.json" in str(caught.value)


def test_a_newer_schema_is_refused_with_what_to_do() -> None:
    newer = encode(replace(RECORD, schema_version=SCHEMA_VERSION + 1))
    with pytest.raises(RecordError, match="install the leafbench that wrote it, or a newer one"):
        decode(newer, TrialRecord, "x.json")


@pytest.mark.parametrize("key", ["epochs", "batch_size", "image_size", "timeout_s"])
def test_a_trial_of_nothing_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} must be above 0"):
        replace(SPEC, **{key: 0})


def test_a_claim_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        ClaimSpec(target=0)


def test_a_proof_without_checks_proves_nothing() -> None:
    proof = VariantProof(SCHEMA_VERSION, "plain", PipelineSpec(), (), (), 0)
    check = ProofCheck("prefetch", ProofStatus.OK, "none", "none")
    assert not proof.ok
    assert replace(proof, checks=(check,)).ok
    assert replace(proof, checks=(replace(check, status=ProofStatus.DIFFERS),)).ok
    failed = replace(check, status=ProofStatus.FAILED)
    assert not replace(proof, checks=(check, failed)).ok


@pytest.mark.parametrize(
    ("augment", "name"),
    [
        (Augment.MODEL, "ceiling_model"),
        (Augment.PIPELINE, "ceiling_none"),
        (Augment.NONE, "ceiling_none"),
    ],
)
def test_augmentation_in_the_pipeline_leaves_the_model_bare(augment: Augment, name: str) -> None:
    assert ceiling_variant(augment) == name


def test_a_fused_augmentation_in_the_model_has_a_ceiling_of_its_own() -> None:
    assert ceiling_variant(Augment.MODEL, AugmentForm.FUSED) == "ceiling_fused"
    assert ceiling_variant(Augment.PIPELINE, AugmentForm.FUSED) == "ceiling_none"


def test_a_name_that_is_not_utf_8_is_refused_by_name_and_without_a_traceback() -> None:
    with pytest.raises(RecordError, match=r"'leaves\\udcff' is not: rename"):
        encode(replace(RECORD, started_at="leaves\udcff"))
