"""Made-up runs as they are held against each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bench.gate.summary_files import Summary, parse
from bench.report.summary import summary_json
from bench.results import compute
from tests.bench.samples import proof_records, run_record, trial_records

SECONDS = {"default": 10.0, "in_model": 8.0, "ceiling_none": 7.0, "ceiling_model": 7.6}


def made(
    where: str = "one",
    seconds: Mapping[str, float] = SECONDS,
    *,
    created_at: str = "2026-01-02T03:04:05Z",
    blocks: int = 6,
    noise: float = 0.004,
    seed: int = 7,
    **run: Any,
) -> Summary:
    """A run of default and in_model."""
    record = run_record(blocks=blocks, **run)
    trials = trial_records(record, seconds, block_noise=noise, epoch_noise=noise, seed=seed)
    summary = json.loads(summary_json(compute(record, trials, proof_records(record))))
    summary["created_at"] = created_at
    summary["findings"] = []
    return parse(json.dumps(summary).encode(), where)
