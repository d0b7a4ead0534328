"""The records that a profile is made of: what was asked, what was captured, what was read from it.

A profile is one trial apart from the timed ones, with the profiler on for a few steps. It explains
and is never used for a speedup. Times inside a profile are nanoseconds from the begin of its first
step, by the profiler's clock.

A step's time is parted without rest: at every instant its model waits for input, or computes, or
does neither. `Share`s say so, and add up to the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bench.schema import TrialRecord, TrialSpec, require

# Steps before the profiled ones in the same epoch: the first fetches are slower than the rest.
WARM_STEPS = 3
# Two steps behind the window, so that writing the trace is over before the epoch ends.
STEPS_BEHIND = 2
# A profiled step writes up to 0.3 MB and costs 7 MB to parse; more steps explain nothing more.
MOST_STEPS = 40
# xprof's analyser leaves out the first and the last step of six or more, so it needs some.
FEWEST_STEPS = 3


class ProfileFailureKind(StrEnum):
    """Why there is no profile, or none that can be read."""

    TRIAL = "trial"  # the training itself failed
    BUSY = "profiler busy"
    NOT_WRITTEN = "not written"
    NO_STEP = "no step"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class ProfileFailure:
    """What was expected, what was found, and what to do, in one or two whole sentences."""

    kind: ProfileFailureKind
    message: str


@dataclass(frozen=True)
class ProfileWindow:
    """Which steps are profiled: `steps` of them, from `first_step` of `epoch` on (both from 0)."""

    epoch: int
    first_step: int
    steps: int

    def __post_init__(self) -> None:
        require(
            FEWEST_STEPS <= self.steps <= MOST_STEPS,
            f"profiled steps must be from {FEWEST_STEPS} to {MOST_STEPS}, found {self.steps}",
        )
        require(self.first_step > 0, "the profiler starts at the end of an earlier step")

    @property
    def numbers(self) -> tuple[int, ...]:
        """The profiled steps' numbers, as the trace has them."""
        return tuple(range(self.first_step, self.first_step + self.steps))

    @property
    def steps_needed(self) -> int:
        """Steps that an epoch must have for this window."""
        return self.first_step + self.steps + STEPS_BEHIND


@dataclass(frozen=True)
class ProfileSpec:
    """A trial of kind `profile`, and its window. Its name is `<variant>-<phase>`."""

    trial: TrialSpec
    window: ProfileWindow


@dataclass(frozen=True)
class Capture:
    """What the profiler left: `trace` is the path of its file, begin and end real-time clock."""

    schema_version: int
    trace: str | None
    begin_real_ns: int
    end_real_ns: int
    failure: ProfileFailure | None


class Place(StrEnum):
    """Where an instant of a step goes.

    `input`: the step waits for its batch; the share's name is the pipeline stage at work meanwhile
    (`hand-over` where none is). `model`: an operation of the training step runs; the name is its
    kind. `idle`: neither (dispatch, Python, callbacks).
    """

    INPUT = "input"
    MODEL = "model"
    IDLE = "idle"


# Stages of a pipeline, in the order that data takes. `python`: reading, decoding and batching by a
# Python generator, which the profiler cannot part. `other`: an operation of no named stage.
STAGES = (
    "read",
    "decode",
    "resize",
    "python",
    "cache",
    "shuffle",
    "convert",
    "augment",
    "batch",
    "prefetch",
    "other",
)
HAND_OVER = "hand-over"
# Kinds of a model's operations.
KINDS = (
    "augmentation",
    "convolution",
    "normalisation",
    "activation",
    "pooling",
    "dense",
    "optimiser",
    "copy",
    "other",
)
IDLE = "idle"


@dataclass(frozen=True)
class Share:
    """Wall time of a step that goes to one cause; where several ran at once, they divide it."""

    place: Place
    name: str
    wall_ns: int


@dataclass(frozen=True)
class StepReading:
    """One profiled step.

    Attributes:
        number: as in the trace.
        begin_ns: from the first step's begin.
        step_ns: begin to begin; the last one begin to end.
        wait_ns: the step was inside the fetch of its next batch.
        shares: add up to `step_ns`; those of `input` to `wait_ns`.
    """

    number: int
    begin_ns: int
    step_ns: int
    wait_ns: int
    shares: tuple[Share, ...]

    def __post_init__(self) -> None:
        total_ns = sum(share.wall_ns for share in self.shares)
        require(total_ns == self.step_ns, f"shares add up to {total_ns}, step_ns {self.step_ns}")
        input_ns = sum(s.wall_ns for s in self.shares if s.place is Place.INPUT)
        require(input_ns == self.wait_ns, f"input shares are {input_ns}, wait_ns {self.wait_ns}")


@dataclass(frozen=True)
class StageReading:
    """The work of one pipeline stage within the window, whether or not the model waited for it.

    Attributes:
        busy_ns: self time, summed over threads.
        wall_ns: time in which at least one thread was at it.
        calls: operations or elements.
        threads: thread -> its part of `busy_ns`.
    """

    stage: str
    busy_ns: int
    wall_ns: int
    calls: int
    threads: Mapping[str, int]

    @property
    def parallelism(self) -> float:
        """Mean number of threads at work while any is."""
        return self.busy_ns / self.wall_ns if self.wall_ns else 0.0


@dataclass(frozen=True)
class OperationReading:
    """An operation's self time within the window, on the host's threads.

    `kind` is a kind of the model's operations, or a stage of the pipeline.
    """

    name: str
    place: Place
    kind: str
    self_ns: int
    calls: int


@dataclass(frozen=True)
class Span:
    """Something at work on a lane of the timeline; near spans of one lane are joined.

    Lanes: `step`, `wait`, `input/<stage>`, `model/augmentation`, `model/compute`.
    """

    lane: str
    begin_ns: int
    end_ns: int


@dataclass(frozen=True)
class AnalyserStep:
    """A step as xprof's input pipeline analyser sees it."""

    number: int
    step_ns: int
    input_ns: int


@dataclass(frozen=True)
class ProfileReading:
    """All that leafbench reads from a trace.

    Attributes:
        steps: in order.
        stages: of the pipeline, in the order of `STAGES`; only those with any work.
        operations: the longest by self time, model and pipeline together.
        spans: the first steps' timeline.
        analyser: xprof's own account, without the steps that it leaves out.
        analyser_note: why it is empty; "" if it is not.
        allocator_peak_bytes: the largest peak of the host's or device's allocators; None if the
            trace has none.
        devices: accelerators in the trace, by name; their operations are not parted by kind.
        events: read.
    """

    steps: tuple[StepReading, ...]
    stages: tuple[StageReading, ...]
    operations: tuple[OperationReading, ...]
    spans: tuple[Span, ...]
    analyser: tuple[AnalyserStep, ...]
    analyser_note: str
    allocator_peak_bytes: int | None
    devices: tuple[str, ...]
    events: int

    def __post_init__(self) -> None:
        require(len(self.steps) > 0, "a reading has steps")


@dataclass(frozen=True)
class ReadingOutcome:
    """What the reading process answers: a reading, or why there is none."""

    schema_version: int
    reading: ProfileReading | None
    failure: ProfileFailure | None

    def __post_init__(self) -> None:
        one = (self.reading is None) != (self.failure is None)
        require(one, "an outcome is either a reading or a failure")


@dataclass(frozen=True)
class ProfileRecord:
    """One profile of a run (`profiles/<variant>-<phase>.json`).

    Attributes:
        trial: the profiled training, with the meter that every trial carries. It has the steps'
            waits once more, from the step's own stamps.
        trace: path of the profiler's file, from the run folder.
        trace_bytes: its size.
        reading, failure: one of them, or both missing parts of it told by the failure.
    """

    schema_version: int
    spec: ProfileSpec
    trial: TrialRecord
    trace: str | None
    trace_bytes: int
    reading: ProfileReading | None
    failure: ProfileFailure | None

    def __post_init__(self) -> None:
        one = (self.reading is None) != (self.failure is None)
        require(one, "a profile is either read or says why not")
