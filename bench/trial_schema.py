"""What one trial is asked to do and what it measured: frozen, self-validating, raw.

Clocks: `_ns` are differences of the monotonic clock (`time.perf_counter_ns`), except `wait_ns` and
`compute_ns`, which come from stamps that the training step itself takes (see `bench.timing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bench.backends import Backend
from bench.device_schema import DeviceTimes
from leafmodel.pipelines.facts import MadeOnce, ProofCheck, ProofStatus
from leafmodel.pipelines.spec import Augment, AugmentForm, PipelineSpec
from leafmodel.training.execution import AS_USUAL, Execution


class TrialKind(StrEnum):
    """What a trial does.

    `foreign` is a training that is not ours, recorded by `bench.recorder`: of its spec only name,
    variant, phase and epochs are known, and the rest, its pipeline above all, says nothing.
    """

    TRAIN = "train"
    CEILING = "ceiling"
    PROFILE = "profile"
    FOREIGN = "foreign"


class TrialStatus(StrEnum):
    """How a trial ended. A failed trial is a record like any other."""

    OK = "ok"
    FAILED = "failed"


class FailureKind(StrEnum):
    """Why a trial failed."""

    ERROR = "error"
    CRASH = "crash"
    TIMEOUT = "timeout"
    MEMORY = "memory"


def require(condition: bool, message: str) -> None:
    """Refuse a record that contradicts itself; `bench.codec` names the file."""
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True)
class TrialSpec:
    """One fresh process to run: everything that decides what it does.

    `name` is unique in a run and sorts in the order of execution (`b02-03-in_model-cnn`).
    `replica` is 0, or 1 for the second trial of the same variant in a block (the noise floor).
    A profiled trial is in no block: its name is `<variant>-<phase>`.
    A ceiling trial has the variant name `ceiling_model` or `ceiling_none`, after the place of the
    augmentation (`ceiling_fused` where the model augments in fused form), and a pipeline like that.
    Where the model is not executed as usual, its ceiling's name says so, too.
    `service` is the address of a tf.data service that runs already, where the pipeline uses one;
    empty for one that the trial starts for itself.
    `backbone` and `weights` are empty where the phase trains a network from zero.
    With a `device` the trial trains nothing: its real pipeline feeds one that only takes time, and
    its ceiling is that device's own time.
    """

    name: str
    kind: TrialKind
    variant: str
    pipeline: PipelineSpec
    phase: str
    block: int
    position: int
    replica: int
    epochs: int
    batch_size: int
    image_size: int
    seed: int
    timeout_s: float
    backbone: str = ""
    weights: str = ""
    device: DeviceTimes | None = None
    backend: Backend = Backend.TENSORFLOW
    execution: Execution = AS_USUAL
    service: str = ""

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size", "image_size", "timeout_s"):
            require(getattr(self, key) > 0, f"{key} must be above 0, found {getattr(self, key)}")


@dataclass(frozen=True)
class StartSpec:
    """The training, made once for a run, whose weights all trials of a continuing phase begin with.

    `phase` is the phase before it: a new head on the frozen backbone, trained without augmentation
    on features that are computed once.
    """

    phase: str
    backbone: str
    weights: str
    epochs: int
    batch_size: int
    image_size: int
    seed: int
    timeout_s: float
    backend: Backend = Backend.TENSORFLOW


@dataclass(frozen=True)
class StartRecord:
    """A starting point as it was trained; its weights lie beside it.

    Attributes:
        weights_sha256: of the file of weights, so that one that was changed is trained again.
        wall_ns: of training, features included.
        val_accuracy: on the validation images, after the last epoch.
    """

    schema_version: int
    spec: StartSpec
    weights_sha256: str
    wall_ns: int
    val_accuracy: float


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of training, raw.

    Attributes:
        epoch: from 0; epoch 0 includes tracing and cache filling.
        epoch_ns: from the epoch's begin to its end, iterator handling included, validation not.
            Epoch 0 begins with the call of `fit`, so that nothing prepared there is hidden.
        head_ns: from the epoch's begin to its first step's begin.
        tail_ns: from the last step's end to the epoch's end. An iterator that takes long to be
            destroyed shows here. The gap at a boundary is one epoch's tail and the next one's head.
        step_ns: begin to begin, the last one begin to end; one a step. With head and tail they add
            up to `epoch_ns`.
        wait_ns: for each step, from its begin until its batch was there; None where not metered.
        compute_ns: for each step, from its batch being there until the weights were updated.
        images: images trained on.
        loss, accuracy: training, averaged over the epoch; None where it is no finite number (a
            diverged training is still a timing).
        val_loss, val_accuracy: on the validation images, after the epoch.
        validation_ns: time that validation took; not part of `epoch_ns`.
    """

    epoch: int
    epoch_ns: int
    head_ns: int
    tail_ns: int
    step_ns: tuple[int, ...]
    wait_ns: tuple[int, ...] | None
    compute_ns: tuple[int, ...] | None
    images: int
    loss: float | None
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    validation_ns: int

    def __post_init__(self) -> None:
        require(self.epoch_ns > 0, f"epoch_ns must be above 0, found {self.epoch_ns}")
        require(len(self.step_ns) > 0, "an epoch has at least one step")
        require(min(self.step_ns) > 0, "every step takes time: step_ns must be above 0")
        require(self.images > 0, f"images must be above 0, found {self.images}")
        for key in ("wait_ns", "compute_ns"):
            values = getattr(self, key)
            require(
                values is None or len(values) == len(self.step_ns),
                f"{key} must have one value a step",
            )
        parts_ns = self.head_ns + sum(self.step_ns) + self.tail_ns
        require(
            parts_ns == self.epoch_ns,
            f"head, steps and tail add up to {parts_ns}, epoch_ns says {self.epoch_ns}",
        )


@dataclass(frozen=True)
class Failure:
    """Why a trial has no measurement, with the end of what it printed."""

    kind: FailureKind
    message: str
    log_tail: str


@dataclass(frozen=True)
class GpuUse:
    """What a GPU did while a trial trained, sampled every `period_ms` by its driver's own tool.

    A series is empty where the driver does not tell.

    Attributes:
        busy_percent: share of the time in which a kernel ran.
        memory_bytes: in use, by whatever process.
        clock_mhz: of its multiprocessors.
    """

    period_ms: int
    busy_percent: tuple[int, ...]
    memory_bytes: tuple[int, ...]
    clock_mhz: tuple[int, ...]


@dataclass(frozen=True)
class TrialRecord:
    """What one trial measured.

    Attributes:
        started_at: UTC, ISO 8601.
        wall_ns: from the start of the process to its end, seen from outside.
        start_ns: from the start of the process until TensorFlow was imported.
        build_ns: building pipeline and model.
        first_batch_ns: from the call of `fit` until the first step had its batch, tracing included.
        epochs: raw epochs; empty in a failed record.
        loader_epoch_ns: epochs of the same pipeline drained with no model, after training.
        test_accuracy: after the last epoch, where there is a test set.
        peak_rss_bytes: of the trial's process, and what its worker processes hold at its end.
        cpu_ns: CPU time that the trial's process and its workers used, from its start to its
            record.
        other_cpu_ns: CPU time that everything else on the machine used meanwhile.
        traces: 1, and one more for every time the training step was traced after the first epoch.
        step_clock: `begin_to_begin` (host) or how else steps were timed.
        versions: package -> version, as imported in the trial.
        devices: that the backend found in the trial's process, each with its name.
        gpu: what the GPU did meanwhile; None without one.
        made_once: what the trial shares with others of its run; None if it shares nothing.
    """

    schema_version: int
    spec: TrialSpec
    status: TrialStatus
    failure: Failure | None
    started_at: str
    wall_ns: int
    start_ns: int = 0
    build_ns: int = 0
    first_batch_ns: int = 0
    epochs: tuple[EpochRecord, ...] = ()
    loader_epoch_ns: tuple[int, ...] = ()
    test_accuracy: float | None = None
    peak_rss_bytes: int = 0
    cpu_ns: int = 0
    other_cpu_ns: int = 0
    traces: int = 0
    step_clock: str = "begin_to_begin"
    versions: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    gpu: GpuUse | None = None
    made_once: MadeOnce | None = None

    def __post_init__(self) -> None:
        failed = self.status is TrialStatus.FAILED
        require(failed == (self.failure is not None), "a failed record, and only it, says why")
        require(failed or len(self.epochs) > 0, "a record that is ok has epochs")

    def training_ns(self, epochs: int) -> int:
        """Of the first so many epochs, as if this trial had made itself all that it uses.

        What it found ready took another trial's first epoch; which one that was says nothing of
        the variant.
        """
        spared = self.made_once.build_ns if self.made_once and self.made_once.found else 0
        return spared + sum(epoch.epoch_ns for epoch in self.epochs[:epochs])


@dataclass(frozen=True)
class VariantProof:
    """That a variant is what its name says, or why it is not; made before it is timed.

    `stages` are the stages of the dataset's own graph, in the order that data takes.
    """

    schema_version: int
    variant: str
    pipeline: PipelineSpec
    stages: tuple[str, ...]
    checks: tuple[ProofCheck, ...]
    images_checked: int

    @property
    def ok(self) -> bool:
        """Whether the variant may be timed."""
        return bool(self.checks) and all(c.status is not ProofStatus.FAILED for c in self.checks)


def ceiling_variant(
    augment: Augment, form: AugmentForm = AugmentForm.STOCK, execution: Execution = AS_USUAL
) -> str:
    """The variant name under which the compute ceiling for this augmentation is recorded."""
    place = "none" if augment is not Augment.MODEL else _PLACES.get(form, str(form))
    return "+".join([f"ceiling_{place}", *execution.changes])


_PLACES = {AugmentForm.STOCK: "model"}
