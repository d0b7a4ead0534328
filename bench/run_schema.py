"""What a run is made with: its configuration, images and machine, and the head of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bench.backends import Backend
from bench.device_schema import DeviceProfile, SweepSpec
from bench.trial_schema import TrialSpec, require


class ProfileMode(StrEnum):
    """Which variants of a run are profiled, in every phase.

    `auto`: the claim's baseline and candidate, `plain` and the fastest one.
    """

    NONE = "none"
    AUTO = "auto"
    ALL = "all"


@dataclass(frozen=True)
class ClaimSpec:
    """`candidate` is `target` times as fast as `baseline` per epoch."""

    target: float = 7.0
    baseline: str = "default"
    candidate: str = "in_model"

    def __post_init__(self) -> None:
        require(self.target > 0, f"the target of a claim must be above 0, found {self.target}")


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run does, after suite and command line were merged.

    Attributes:
        suite: name of the suite, or the path of the user's own.
        images: images taken from the folder before the split (seeded, by class); None is all.
        augment: False switches the augmentation off in every variant.
        trial_timeout_s: a trial that takes longer is killed and recorded as failed.
        profile: which variants are profiled after the timed trials; runs from before there were
            profiles have none.
        profile_steps: steps of each profile.
        backbone, weights: of phases with a pretrained network; empty if the run has none.
        start_epochs: epochs of the training whose weights a continuing phase begins with.
        until_accuracy: the validation accuracy to which time and epochs are counted; None is the
            best that every variant of a phase reached.
        audit_data: whether the images were looked through for what makes accuracies optimistic.
        device: what every trial of the run is emulated on; None is the machine's own, measured.
        backend: that Keras trains on, in every trial of the run.
        sweep: the emulated devices that are tried behind the trials, each a run of its own.
        explain: the variants whose speedup is taken apart; empty: the candidate and the fastest.
        noise_floor: whether every block has the baseline twice.
        service: address of the tf.data service that variants with `service_workers` use; empty
            where each trial starts its own.
    """

    suite: str
    data: str
    variants: tuple[str, ...]
    phases: tuple[str, ...]
    blocks: int
    epochs: int
    batch_size: int
    image_size: int
    images: int | None
    seed: int
    claim: ClaimSpec
    augment: bool = True
    skip_bad: bool = False
    trial_timeout_s: float = 900.0
    profile: ProfileMode = ProfileMode.NONE
    profile_steps: int = 8
    backbone: str = ""
    weights: str = ""
    start_epochs: int = 8
    until_accuracy: float | None = None
    audit_data: bool = False
    device: DeviceProfile | None = None
    backend: Backend = Backend.TENSORFLOW
    sweep: SweepSpec | None = None
    explain: tuple[str, ...] = ()
    noise_floor: bool = True
    service: str = ""


@dataclass(frozen=True)
class DataSummary:
    """The images of a run.

    `fingerprint` covers the paths (relative to the folder) and bytes of every image used.
    """

    root: str
    source: str
    fingerprint: str
    class_names: tuple[str, ...]
    train_images: int
    validation_images: int
    test_images: int
    image_sizes: Mapping[str, int]
    skipped: tuple[str, ...]
    converted: tuple[str, ...]


@dataclass(frozen=True)
class Environment:
    """The machine and the versions that a run was made with.

    `noise` is how unsteady the machine was just before the run: the relative spread (interquartile
    range over median) of a fixed piece of work, repeated.
    """

    platform: str
    cpu_model: str
    cores: int
    memory_bytes: int
    gpus: tuple[str, ...]
    backend: str
    python: str
    versions: Mapping[str, str]
    noise: float
    load_1min: float
    clock_resolution_ns: int


@dataclass(frozen=True)
class Shard:
    """A run's share that one machine makes: the `number`-th, from 1, of `of`."""

    number: int
    of: int

    def __post_init__(self) -> None:
        require(1 <= self.number <= self.of, f"there is no shard {self.number} of {self.of}")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True)
class RunPart:
    """What a merged run has from one of its shards: whole blocks, and where they were measured."""

    run_id: str
    created_at: str
    command: tuple[str, ...]
    shard: Shard
    blocks: tuple[int, ...]
    environment: Environment


@dataclass(frozen=True)
class RunRecord:
    """The head of a run folder (`run.json`): written before the first trial.

    `plan` is the ordered list of trial specs; trials are files of their own.
    `shard` is the share of the plan that this folder has; None is all of it. Configuration and plan
    are the whole run's in every shard. `parts` are the shards that a merged run was made from.
    """

    schema_version: int
    run_id: str
    created_at: str
    leafbench_version: str
    command: tuple[str, ...]
    config: RunConfig
    data: DataSummary
    environment: Environment
    plan: tuple[TrialSpec, ...]
    shard: Shard | None = None
    parts: tuple[RunPart, ...] = ()
