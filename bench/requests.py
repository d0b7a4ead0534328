"""What a worker is asked: the files of a run, and the trial or the proofs to make from them.

Scratch, not results: these live in a run's `work/` and are gone when it ends (all but the split).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.backends import Backend
from bench.profile_schema import ProfileSpec
from bench.schema import StartSpec, TrialSpec
from leafmodel.pipelines.spec import PipelineSpec

# In the worker's environment: the parent's `time.perf_counter_ns()` when it started the process.
SPAWNED_VARIABLE = "LEAFBENCH_SPAWNED_NS"


@dataclass(frozen=True)
class WorkerFiles:
    """The images of a run as a worker needs them: absolute path and label, in the split's order."""

    schema_version: int
    class_names: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    validation: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class TrialRequest:
    """What the worker reads: run this trial on these images, write the record to `out`.

    `files` is the path of a `WorkerFiles`; `work` a folder for scratch files of the run; `start`
    the weights to begin with, empty for a phase that begins anew.
    """

    schema_version: int
    spec: TrialSpec
    files: str
    work: str
    out: str
    start: str = ""


@dataclass(frozen=True)
class StartRequest:
    """What the worker reads: train this starting point; weights to `weights`, record to `out`."""

    schema_version: int
    spec: StartSpec
    files: str
    work: str
    weights: str
    out: str


@dataclass(frozen=True)
class ProofRequest:
    """What the worker reads: prove each variant on these images, write `out`/<variant>.json."""

    schema_version: int
    pipelines: Mapping[str, PipelineSpec]
    batch_size: int
    image_size: int
    seed: int
    files: str
    work: str
    out: str
    backend: Backend = Backend.TENSORFLOW
    service: str = ""


@dataclass(frozen=True)
class ProfileRequest:
    """What the worker reads: run this trial with the profiler on in its window.

    The trial's record goes to `out`, a `Capture` to `capture`, the trace below `logdir` where
    TensorBoard's profile plugin finds it.
    """

    schema_version: int
    profile: ProfileSpec
    files: str
    work: str
    out: str
    capture: str
    logdir: str
    start: str = ""


@dataclass(frozen=True)
class ReadingRequest:
    """What the reading process reads: a trace, and what it must hold to be the one that was made.

    `steps` are the profiled steps' numbers; begin and end are the capture's, on the real-time
    clock; `devices` says whether the run's machine has an accelerator. A `ReadingOutcome` goes to
    `out`.
    """

    schema_version: int
    trace: str
    steps: tuple[int, ...]
    begin_real_ns: int
    end_real_ns: int
    devices: bool
    out: str
