"""Two profiles against each other: by which causes their steps differ, and by how much of it.

A step's causes add up to it, so the changes by cause add up to the change of the step. The noise
of a change is half the 95 % interval of a difference of means with unequal variances (Welch 1947,
Biometrika 34): from the spread of steps inside each of the two trainings, taken as independent. It
says nothing about how far another training would differ, which only blocks of trials tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from bench import store
from bench.errors import ConfigError
from bench.profile_measures import NS_PER_S, ProfileResult, measure
from bench.profile_schema import HAND_OVER, IDLE, STAGES, Place, ProfileReading, ProfileRecord
from bench.shards import profiling_machine
from bench.stats import CONFIDENCE
from bench.values import suggestion

Cause = tuple[Place, str]
Array = NDArray[np.float64]
# What nobody was at work in: a change there has no operation or stage to look at.
UNATTRIBUTED: tuple[Cause, ...] = ((Place.IDLE, IDLE), (Place.INPUT, HAND_OVER))


@dataclass(frozen=True)
class CauseChange:
    """A cause's part of a mean step in both profiles.

    Attributes:
        change_s: b less a.
        noise_s: half the 95 % interval of the change; None with fewer than two steps on a side.
        beyond_noise: whether the interval leaves out 0; None without one.
        attributed: False where nobody was at work, so that the change has no known cause.
    """

    place: Place
    name: str
    a_s: float
    b_s: float
    change_s: float
    noise_s: float | None
    beyond_noise: bool | None
    attributed: bool


@dataclass(frozen=True)
class StageChange:
    """A pipeline stage's thread time in a mean step, waited for or not; `change_s` is b less a."""

    stage: str
    a_s: float
    b_s: float
    change_s: float


@dataclass(frozen=True)
class TraceDiff:
    """Two profiles, compared.

    Attributes:
        a, b: `variant, phase`.
        step: the whole mean step, as the sum of the causes.
        causes: the largest change first; their changes add up to that of the step.
        unattributed_s: the part of the step's change in which nobody was at work.
        stages: of both pipelines, in their order.
    """

    a: str
    b: str
    batch_size: int
    a_steps: int
    b_steps: int
    a_step_s: float
    b_step_s: float
    change_s: float
    noise_s: float | None
    beyond_noise: bool | None
    unattributed_s: float
    causes: tuple[CauseChange, ...]
    stages: tuple[StageChange, ...]


def of_run(folder: Path, a: str, b: str) -> TraceDiff:
    """The difference of two profiles of a run.

    Raises:
        StoreError: there is no run.
        ConfigError: no such profile, it could not be read, or the batch sizes differ.
    """
    stored = store.read(folder)
    profiles = measure(stored.profiles, {}, profiling_machine(stored.run).cores)
    unread = [record for record in stored.profiles if record.reading is None]
    for name in (a, b):
        _require_read(unread, profiles, name)
    return diff(lookup(profiles, a), lookup(profiles, b))


def lookup(profiles: Sequence[ProfileResult], name: str) -> ProfileResult:
    """The profile called `variant`, `variant,phase` or `variant-phase`.

    Raises:
        ConfigError: none is called so, or several phases of the variant are.
    """
    exact = [item for item in profiles if name in _names(item.variant, item.phase)]
    found = exact or [item for item in profiles if item.variant == name]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{item.variant},{item.phase}" for item in found or profiles)
    if found:
        raise ConfigError(f"{name!r} was profiled in several phases: name one of {there}.")
    if not profiles:
        raise ConfigError(f"There is no profile {name!r}: no step of this run was profiled.")
    known = [n for item in profiles for n in (item.variant, *_names(item.variant, item.phase))]
    raise ConfigError(f"There is no profile {name!r}; there are {there}.{suggestion(name, known)}")


def diff(a: ProfileResult, b: ProfileResult) -> TraceDiff:
    """What of a step changes from `a` to `b`.

    Raises:
        ConfigError: their steps are not of equally many images.
    """
    if a.batch_size != b.batch_size:
        raise ConfigError(
            f"A step of {_called(a)} has {a.batch_size} images and one of {_called(b)} "
            f"{b.batch_size}: only steps of equal batches can be compared."
        )
    noise_s = _noise_s(_step_ns(a.reading), _step_ns(b.reading))
    causes = _causes(a, b)
    change_s = b.step_s - a.step_s
    return TraceDiff(
        a=_called(a),
        b=_called(b),
        batch_size=a.batch_size,
        a_steps=a.steps,
        b_steps=b.steps,
        a_step_s=a.step_s,
        b_step_s=b.step_s,
        change_s=change_s,
        noise_s=noise_s,
        beyond_noise=_beyond(change_s, noise_s),
        unattributed_s=math.fsum(row.change_s for row in causes if not row.attributed),
        causes=causes,
        stages=tuple(_stages(a, b)),
    )


def _causes(a: ProfileResult, b: ProfileResult) -> tuple[CauseChange, ...]:
    """A row a cause that either has; the largest change first, equal ones by name."""
    keys = {(part.place, part.name) for item in (a, b) for part in item.parts}
    rows = [_cause(key, _spent_ns(a.reading, key), _spent_ns(b.reading, key)) for key in keys]
    return tuple(sorted(rows, key=lambda row: (-abs(row.change_s), row.place, row.name)))


def _cause(key: Cause, a: Array, b: Array) -> CauseChange:
    a_s, b_s = (float(side.sum()) / (len(side) * NS_PER_S) for side in (a, b))
    noise_s = _noise_s(a, b)
    beyond = _beyond(b_s - a_s, noise_s)
    return CauseChange(*key, a_s, b_s, b_s - a_s, noise_s, beyond, key not in UNATTRIBUTED)


def _spent_ns(reading: ProfileReading, key: Cause) -> Array:
    """The cause's time in each step; whole numbers."""
    spent = [
        sum(share.wall_ns for share in step.shares if (share.place, share.name) == key)
        for step in reading.steps
    ]
    return np.array(spent, dtype=np.float64)


def _step_ns(reading: ProfileReading) -> Array:
    return np.array([step.step_ns for step in reading.steps], dtype=np.float64)


def _noise_s(a: Array, b: Array) -> float | None:
    """Half the interval of the difference of means, in seconds; from nanoseconds of each step."""
    if min(len(a), len(b)) < 2:
        return None
    parts = [float(side.var(ddof=1)) / len(side) for side in (a, b)]
    total = sum(parts)
    if total == 0.0:
        return 0.0
    # Satterthwaite's degrees of freedom.
    squares = [part**2 / (len(side) - 1) for part, side in zip(parts, (a, b), strict=True)]
    student = float(stdtrit(total**2 / sum(squares), 0.5 + CONFIDENCE / 2))
    return student * math.sqrt(total) / NS_PER_S


def _beyond(change_s: float, noise_s: float | None) -> bool | None:
    return None if noise_s is None else abs(change_s) > noise_s


def _stages(a: ProfileResult, b: ProfileResult) -> Iterator[StageChange]:
    busy_a = {work.stage: work.busy_s for work in a.work}
    busy_b = {work.stage: work.busy_s for work in b.work}
    for stage in STAGES:
        if stage in busy_a or stage in busy_b:
            a_s, b_s = busy_a.get(stage, 0.0), busy_b.get(stage, 0.0)
            yield StageChange(stage, a_s, b_s, b_s - a_s)


def _require_read(
    unread: Sequence[ProfileRecord], profiles: Sequence[ProfileResult], name: str
) -> None:
    """Say why a profile cannot be compared that was made and could not be read."""
    others = {item.variant for item in profiles}
    for record in unread:
        trial = record.spec.trial
        names = {trial.variant, *_names(trial.variant, trial.phase)} - others
        if name in names and record.failure is not None:
            raise ConfigError(f"The profile {name!r} was not read: {record.failure.message}")


def _names(variant: str, phase: str) -> tuple[str, str]:
    return f"{variant},{phase}", f"{variant}-{phase}"


def _called(item: ProfileResult) -> str:
    return f"{item.variant}, {item.phase}"
