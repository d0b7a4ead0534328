"""The worker's proofs: is each variant's pipeline what its spec says? A record a variant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.codec import encode
from bench.given import read_files, training_input
from bench.requests import ProofRequest
from bench.schema import SCHEMA_VERSION, VariantProof
from bench.store import write_whole
from leafmodel.errors import LeafmodelError
from leafmodel.pipelines.facts import ProofCheck, ProofStatus
from leafmodel.pipelines.proof import Proof, prove
from leafmodel.pipelines.service import explained
from leafmodel.pipelines.spec import PipelineSpec


def prove_all(request: ProofRequest, on_proof: Callable[[int, int], None]) -> None:
    """Prove the pipelines one by one; a record of each to `request.out`.

    Args:
        on_proof: told how many are proved, and how many there are.

    Raises:
        RecordError: the list of images cannot be read.
    """
    files = read_files(request.files)
    for number, (name, pipeline) in enumerate(request.pipelines.items(), 1):
        given = training_input(files, request, request.work)
        try:
            with explained(pipeline):
                proof = prove(pipeline, given)
        except LeafmodelError as error:  # the other variants are still to be proved
            proof = Proof((), (_unbuildable(error),), 0)
        record = _record(name, pipeline, proof)
        write_whole(Path(request.out) / f"{name}.json", encode(record))
        on_proof(number, len(request.pipelines))


def _record(name: str, pipeline: PipelineSpec, proof: Proof) -> VariantProof:
    return VariantProof(
        schema_version=SCHEMA_VERSION,
        variant=name,
        pipeline=pipeline,
        stages=proof.stages,
        checks=proof.checks,
        images_checked=proof.images_checked,
    )


def _unbuildable(error: LeafmodelError) -> ProofCheck:
    return ProofCheck("can be built", ProofStatus.FAILED, "a pipeline", str(error))
