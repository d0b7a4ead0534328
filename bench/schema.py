"""The records that a run is made of: frozen, self-validating, with units in their names.

Everything later (statistics, comparison, report, gate) works from these values alone. Each kind of
record is a JSON file with a `schema_version`; `bench.codec` writes and reads them.
"""

from __future__ import annotations

from bench.run_schema import (
    ClaimSpec,
    DataSummary,
    Environment,
    ProfileMode,
    RunConfig,
    RunPart,
    RunRecord,
    Shard,
)
from bench.trial_schema import (
    EpochRecord,
    Failure,
    FailureKind,
    GpuUse,
    StartRecord,
    StartSpec,
    TrialKind,
    TrialRecord,
    TrialSpec,
    TrialStatus,
    VariantProof,
    ceiling_variant,
    require,
)

__all__ = [
    "SCHEMA_VERSION",
    "ClaimSpec",
    "DataSummary",
    "Environment",
    "EpochRecord",
    "Failure",
    "FailureKind",
    "GpuUse",
    "ProfileMode",
    "RunConfig",
    "RunPart",
    "RunRecord",
    "Shard",
    "StartRecord",
    "StartSpec",
    "TrialKind",
    "TrialRecord",
    "TrialSpec",
    "TrialStatus",
    "VariantProof",
    "ceiling_variant",
    "require",
]

SCHEMA_VERSION = 1
