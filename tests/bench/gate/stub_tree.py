"""Stands in for a tree's `python -P -m bench.worker REQUEST`: trains nothing, by turns.

A step is said to take what the file `step_ms` in the tree says; `crash` there crashes.
"""

import sys
from dataclasses import replace
from pathlib import Path

from bench.codec import decode, encode
from bench.requests import ProofRequest, TrialRequest
from bench.schema import SCHEMA_VERSION, VariantProof
from bench.turns import await_turn
from leafmodel.pipelines.facts import ProofCheck, ProofStatus
from tests.bench.gate import made


def main(path: Path) -> None:
    if path.name.endswith(".proof.json"):
        _prove(decode(path.read_bytes(), ProofRequest, str(path)))
    else:
        _train(decode(path.read_bytes(), TrialRequest, str(path)), Path("step_ms").read_text())


def _prove(request: ProofRequest) -> None:
    for name, pipeline in request.pipelines.items():
        checks = (ProofCheck("is there", ProofStatus.OK, "it", "it"),)
        record = VariantProof(SCHEMA_VERSION, name, pipeline, (), checks, 1)
        (Path(request.out) / f"{name}.json").write_bytes(encode(record))


def _train(request: TrialRequest, step_ms: str) -> None:
    spec, done = request.spec, []
    print(f"@epoch 0 {spec.epochs}", flush=True)
    for number in range(spec.epochs):
        turn = await_turn(sys.stdin.buffer)
        if step_ms == "crash":
            raise RuntimeError("there is no layer called conv2d_9")
        done.append(made.epoch(number, float(step_ms) * (1 + turn.plant)))
        print(f"@epoch {number + 1} {spec.epochs}", flush=True)
    record = replace(made.trial(done), spec=spec)
    Path(request.out).write_bytes(encode(record))


main(Path(sys.argv[-1]))
