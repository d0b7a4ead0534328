"""What a profile says of its (variant, phase): where a step goes, and three accounts of its wait.

Pure arithmetic over `ProfileRecord`s. Seconds are means over the profiled steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.measures import VariantResult, boundary_gaps
from bench.profile_schema import (
    OperationReading,
    Place,
    ProfileReading,
    ProfileRecord,
    ProfileWindow,
    StepReading,
)
from bench.schema import EpochRecord, TrialRecord

NS_PER_S = 1_000_000_000
# Two accounts of one wait that are this near are one account (share of step time).
AGREEMENT = 0.02
AUGMENTATION = "augmentation"
OTHER = "other"


@dataclass(frozen=True)
class Part:
    """One cause's part of a mean step; the parts of a step add up to it."""

    place: Place
    name: str
    seconds: float


@dataclass(frozen=True)
class Work:
    """A pipeline stage's work for a mean step, waited for or not.

    `busy_s` is thread time, `wall_s` time in which any thread was at it.
    """

    stage: str
    busy_s: float
    wall_s: float
    parallelism: float


@dataclass(frozen=True)
class WaitAccounts:
    """The input wait as a share of step time, by independent means; None where one has no answer.

    Attributes:
        meter: our meter in the profiled trial, over the profiled steps.
        events: our reading of the raw events, over the same steps.
        analyser: xprof's input pipeline analyser, over the steps that it counts.
        analyser_events: our reading of the raw events over those steps.
        timed: our meter in the timed trials, steady epochs: other steps, hence no part of the
            agreement, but what the report's other tables say.
    """

    meter: float | None
    events: float
    analyser: float | None
    analyser_events: float | None
    timed: float | None

    @property
    def difference(self) -> float | None:
        """The largest difference between accounts of the same steps; None with one account."""
        pairs = ((self.meter, self.events), (self.analyser, self.analyser_events))
        found = [abs(a - b) for a, b in pairs if a is not None and b is not None]
        return max(found, default=None)

    @property
    def agree(self) -> bool | None:
        """Whether all accounts of the same steps are one; None if there is but one."""
        return None if self.difference is None else self.difference <= AGREEMENT


@dataclass(frozen=True)
class ProfileResult:
    """A profile, computed.

    Attributes:
        batch_size: images a step.
        steps: profiled.
        step_s: mean.
        parts: of the mean step, largest first; they add up to `step_s`.
        work: of the pipeline's stages, in their order.
        gaps_s: epoch boundaries of the profiled trial.
        outside_steps: share of the timed trials' steady epochs before their first step and behind
            their last one, where a profile of steps does not look; None where none was timed.
        cores: of the machine.
    """

    variant: str
    phase: str
    batch_size: int
    steps: int
    step_s: float
    parts: tuple[Part, ...]
    work: tuple[Work, ...]
    wait: WaitAccounts
    operations: tuple[OperationReading, ...]
    allocator_peak_bytes: int | None
    gaps_s: tuple[float, ...]
    outside_steps: float | None
    cores: int
    record: ProfileRecord
    reading: ProfileReading

    def share(self, place: Place, name: str | None = None) -> float:
        """Of the step: everything at a place, or one cause there."""
        chosen = (p for p in self.parts if p.place is place and name in (None, p.name))
        return sum(part.seconds for part in chosen) / self.step_s

    def per_image_s(self, seconds: float) -> float:
        """A step's seconds as an image's."""
        return seconds / self.batch_size

    def self_s(self, operation: OperationReading) -> float:
        """An operation's self time in a mean step."""
        return operation.self_ns / (self.steps * NS_PER_S)

    @property
    def work_s(self) -> float:
        """Thread time of all the pipeline's stages in a mean step."""
        return sum(work.busy_s for work in self.work)

    @property
    def awaited(self) -> Part | None:
        """What the step waits for longest; None if it never waits."""
        waits = (part for part in self.parts if part.place is Place.INPUT and part.seconds)
        return max(waits, key=lambda part: part.seconds, default=None)

    @property
    def rest_of_model(self) -> float:
        """The model's part of the step without its augmentation."""
        return self.share(Place.MODEL) - self.share(Place.MODEL, AUGMENTATION)


def merged(parts: Iterable[Part], least_s: float) -> tuple[Part, ...]:
    """The parts with those below `least_s` added up as `other` of their place; idle is one part."""
    kept: dict[tuple[Place, str], float] = {}
    for part in parts:
        keeps = part.seconds >= least_s or part.place is Place.IDLE
        name = part.name if keeps else OTHER
        kept[part.place, name] = kept.get((part.place, name), 0.0) + part.seconds
    return tuple(Part(place, name, seconds) for (place, name), seconds in kept.items())


def measure(
    records: Sequence[ProfileRecord], timed: Mapping[tuple[str, str], VariantResult], cores: int
) -> tuple[ProfileResult, ...]:
    """The profiles that were read, in order; those that failed are told by findings.

    `timed` are the results of the timed trials by (variant, phase).
    """
    return tuple(
        _measure(record, record.reading, timed.get(_key(record)), cores)
        for record in records
        if record.reading is not None
    )


def _key(record: ProfileRecord) -> tuple[str, str]:
    return record.spec.trial.variant, record.spec.trial.phase


def _measure(
    record: ProfileRecord, reading: ProfileReading, timed: VariantResult | None, cores: int
) -> ProfileResult:
    variant, phase = _key(record)
    steps = len(reading.steps)
    return ProfileResult(
        variant=variant,
        phase=phase,
        batch_size=record.spec.trial.batch_size,
        steps=steps,
        step_s=sum(step.step_ns for step in reading.steps) / (steps * NS_PER_S),
        parts=_parts(reading.steps),
        work=tuple(
            Work(
                stage.stage,
                stage.busy_ns / (steps * NS_PER_S),
                stage.wall_ns / (steps * NS_PER_S),
                stage.parallelism,
            )
            for stage in reading.stages
        ),
        wait=_accounts(record, reading, timed.input_wait_share if timed else None),
        operations=reading.operations,
        allocator_peak_bytes=reading.allocator_peak_bytes,
        gaps_s=boundary_gaps(record.trial),
        outside_steps=_outside_steps(timed),
        cores=cores,
        record=record,
        reading=reading,
    )


def _outside_steps(timed: VariantResult | None) -> float | None:
    parts = timed.breakdown if timed else None
    return parts.boundary_s / parts.epoch_s if parts else None


def _parts(steps: Sequence[StepReading]) -> tuple[Part, ...]:
    total: dict[tuple[Place, str], int] = {}
    for step in steps:
        for share in step.shares:
            key = share.place, share.name
            total[key] = total.get(key, 0) + share.wall_ns
    scale = 1 / (len(steps) * NS_PER_S)
    parts = [Part(place, name, ns * scale) for (place, name), ns in total.items()]
    return tuple(sorted(parts, key=lambda part: -part.seconds))


def _accounts(record: ProfileRecord, reading: ProfileReading, timed: float | None) -> WaitAccounts:
    counted = {step.number for step in reading.analyser}
    same = [step for step in reading.steps if step.number in counted]
    return WaitAccounts(
        meter=_metered(record.trial, record.spec.window),
        events=_wait_share(reading.steps),
        analyser=_analysed(reading),
        analyser_events=_wait_share(same) if same else None,
        timed=timed,
    )


def _wait_share(steps: Sequence[StepReading]) -> float:
    return sum(step.wait_ns for step in steps) / sum(step.step_ns for step in steps)


def _analysed(reading: ProfileReading) -> float | None:
    step_ns = sum(step.step_ns for step in reading.analyser)
    return sum(step.input_ns for step in reading.analyser) / step_ns if step_ns else None


def _metered(trial: TrialRecord, window: ProfileWindow) -> float | None:
    """Our meter's wait over its step time, in the profiled steps; None where it has no stamps."""
    epoch = _epoch(trial, window.epoch)
    if epoch is None or epoch.wait_ns is None:
        return None
    chosen = slice(window.first_step, window.first_step + window.steps)
    step_ns = sum(epoch.step_ns[chosen])
    return sum(epoch.wait_ns[chosen]) / step_ns if step_ns else None


def _epoch(trial: TrialRecord, number: int) -> EpochRecord | None:
    return next((epoch for epoch in trial.epochs if epoch.epoch == number), None)
