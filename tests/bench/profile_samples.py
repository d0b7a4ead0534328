"""Made-up profiles for tests. Nothing here is a measurement.

profile_record("plain", {"input/augment": 0.2, "model/convolution": 0.4, "idle/idle": 0.05})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench import profile_schema as profiles
from bench.profile_schema import Place
from bench.schema import SCHEMA_VERSION, TrialKind
from tests.bench.samples import SECOND, trial_record, trial_spec

# Seconds of a step of 32 images by cause, near what two cores give.
PLAIN: Mapping[str, float] = {
    "input/read": 0.005,
    "input/decode": 0.020,
    "input/augment": 0.180,
    "input/batch": 0.003,
    "input/hand-over": 0.004,
    "model/convolution": 0.300,
    "model/optimiser": 0.040,
    "idle/idle": 0.008,
}
IN_MODEL: Mapping[str, float] = {
    "input/hand-over": 0.002,
    "model/augmentation": 0.120,
    "model/convolution": 0.330,
    "model/optimiser": 0.040,
    "idle/idle": 0.008,
}


def window(**changes: Any) -> profiles.ProfileWindow:
    """Eight steps of the second epoch."""
    return profiles.ProfileWindow(**({"epoch": 1, "first_step": 3, "steps": 8} | changes))


def profile_spec(variant: str = "plain", **changes: Any) -> profiles.ProfileSpec:
    """A profile of `variant`; changes go to the trial's spec."""
    values = {"kind": TrialKind.PROFILE, "epochs": 2, "batch_size": 32} | changes
    spec = trial_spec(variant, **values)
    return profiles.ProfileSpec(
        trial=trial_spec(variant, **values | {"name": f"{variant}-{spec.phase}"}), window=window()
    )


def shares(seconds: Mapping[str, float]) -> tuple[profiles.Share, ...]:
    """`{"input/decode": 0.02}` as shares of a step."""
    parted = ((*key.split("/"), value) for key, value in seconds.items())
    return tuple(profiles.Share(Place(place), name, round(s * SECOND)) for place, name, s in parted)


def steps(
    seconds: Mapping[str, float], numbers: Sequence[int] = tuple(range(3, 11))
) -> tuple[profiles.StepReading, ...]:
    """Equal steps, one behind the other."""
    parts = shares(seconds)
    step_ns = sum(part.wall_ns for part in parts)
    wait_ns = sum(part.wall_ns for part in parts if part.place is Place.INPUT)
    return tuple(
        profiles.StepReading(number, index * step_ns, step_ns, wait_ns, parts)
        for index, number in enumerate(numbers)
    )


def stage(
    name: str, busy_s: float, *, parallelism: float = 1.0, calls: int = 256
) -> profiles.StageReading:
    """A stage's work in the whole window."""
    busy_ns = round(busy_s * SECOND)
    thread = "tf_data_private_threadpool/1"
    wall_ns = round(busy_ns / parallelism)
    return profiles.StageReading(name, busy_ns, wall_ns, calls, {thread: busy_ns})


def reading(seconds: Mapping[str, float] = PLAIN, **changes: Any) -> profiles.ProfileReading:
    """A reading whose steps are parted as `seconds` says; its stages work just while waited for."""
    made = steps(seconds)
    names = [key.split("/")[1] for key in seconds if key.startswith("input/")]
    stages = tuple(
        stage(name, seconds[f"input/{name}"] * len(made))
        for name in profiles.STAGES
        if name in names
    )
    spans = tuple(
        span
        for step in made[:3]
        for span in (
            profiles.Span("step", step.begin_ns, step.begin_ns + step.step_ns),
            profiles.Span("wait", step.begin_ns, step.begin_ns + step.wait_ns),
            profiles.Span(
                "model/compute", step.begin_ns + step.wait_ns, step.begin_ns + step.step_ns
            ),
            *(
                profiles.Span(f"input/{s.stage}", step.begin_ns, step.begin_ns + step.wait_ns)
                for s in stages
            ),
        )
    )
    values: dict[str, Any] = {
        "steps": made,
        "stages": stages,
        "operations": (
            profiles.OperationReading(
                "augment/random_zoom/ImageProjectiveTransformV3",
                Place.INPUT,
                "augment",
                SECOND // 2,
                256,
            ),
            profiles.OperationReading("cnn/conv2d/Conv2D", Place.MODEL, "convolution", SECOND, 8),
        ),
        "spans": spans,
        "analyser": tuple(
            profiles.AnalyserStep(s.number, s.step_ns, s.wait_ns) for s in made[1:-1]
        ),
        "analyser_note": "",
        "allocator_peak_bytes": 1_070_000_000,
        "devices": (),
        "events": 40_000,
    }
    return profiles.ProfileReading(**(values | changes))


def profile_record(
    variant: str = "plain",
    seconds: Mapping[str, float] = PLAIN,
    *,
    failure: profiles.ProfileFailure | None = None,
    **changes: Any,
) -> profiles.ProfileRecord:
    """A profile that was read, or the `failure`; the meter of its trial agrees with the reading.

    `changes` are fields of the record.
    """
    spec = profile_spec(variant)
    read = None if failure else reading(seconds)
    wait = sum(value for key, value in seconds.items() if key.startswith("input/"))
    total = sum(seconds.values())
    epoch_args = {
        "wait_share": wait / total,
        "compute_share": 0.98 * (1 - wait / total),
        "images": 13 * 32,
        "steps": 13,
        "head_s": 0.0,
        "tail_s": 0.0,
    }
    trial = trial_record(
        spec.trial, (14 * total, 13 * total), val_accuracy=(None, None), epoch_args=epoch_args
    )
    values: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "spec": spec,
        "trial": trial,
        "trace": f"tensorboard/{spec.trial.name}/plugins/profile/2026_01_02_03_04_05/a.xplane.pb",
        "trace_bytes": 2_000_000,
        "reading": read,
        "failure": failure,
    }
    return profiles.ProfileRecord(**(values | changes))


# A generator that works ahead on a thread of its own, and the rest of its work that is waited for.
DEFAULT: Mapping[str, float] = {
    "input/python": 0.020,
    "input/augment": 0.070,
    "input/hand-over": 0.005,
    "model/convolution": 0.300,
    "model/normalisation": 0.022,
    "model/activation": 0.014,
    "model/pooling": 0.011,
    "model/dense": 0.004,
    "model/optimiser": 0.040,
    "model/copy": 0.003,
    "idle/idle": 0.010,
}
IN_MODEL_CACHE: Mapping[str, float] = {**IN_MODEL, "model/convolution": 0.310}
PROFILED: Mapping[str, Mapping[str, float]] = {
    "default": DEFAULT,
    "plain": PLAIN,
    "in_model": IN_MODEL,
    "in_model_cache": IN_MODEL_CACHE,
}
# The pipeline's thread time for a step, in seconds, hidden or not, and its mean threads.
WORK: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "default": {"python": (0.080, 1.0), "augment": (0.300, 1.0), "prefetch": (0.001, 1.0)},
    "plain": {"read": (0.005, 1.0), "decode": (0.020, 1.0), "augment": (0.180, 1.0)},
    "in_model": {"read": (0.009, 1.7), "decode": (0.031, 1.9), "convert": (0.002, 1.0)},
    "in_model_cache": {"cache": (0.0004, 1.0), "shuffle": (0.0003, 1.0), "convert": (0.002, 1.0)},
}


def span(lane: str, begin_s: float, end_s: float) -> profiles.Span:
    """Something at work on a lane, in seconds."""
    return profiles.Span(lane, round(begin_s * SECOND), round(end_s * SECOND))


def step_spans(
    seconds: Mapping[str, float], work: Mapping[str, tuple[float, float]], begin_s: float
) -> tuple[profiles.Span, ...]:
    """A step from `begin_s` on: wait, augmentation, the rest of the model; its stages one behind
    the other, from the step's begin on, as many at once as they have threads."""
    total = sum(seconds.values())
    wait = sum(value for key, value in seconds.items() if key.startswith("input/"))
    augmented = begin_s + wait + seconds.get("model/augmentation", 0.0)
    idle = seconds.get("idle/idle", 0.0)
    made = [span("step", begin_s, begin_s + total), span("wait", begin_s, begin_s + wait)]
    made.append(span("model/compute", augmented, begin_s + total - idle))
    if augmented > begin_s + wait:
        made.append(span("model/augmentation", begin_s + wait, augmented))
    at = begin_s
    for name, (busy_s, threads) in work.items():
        made.append(span(f"input/{name}", at, at + busy_s / threads))
        at += busy_s / threads
    return tuple(made)


def profiled(variant: str, **changes: Any) -> profiles.ProfileRecord:
    """The profile of a variant in `PROFILED`, its stages at work as `WORK` says."""
    seconds, work = PROFILED[variant], WORK[variant]
    total = sum(seconds.values())
    spans = (piece for n in range(3) for piece in step_spans(seconds, work, n * total))
    made = reading(
        seconds,
        stages=tuple(
            stage(name, 8 * busy_s, parallelism=threads) for name, (busy_s, threads) in work.items()
        ),
        spans=tuple(spans),
    )
    return profile_record(variant, seconds, **({"reading": made} | changes))


def profiled_records(*variants: str) -> tuple[profiles.ProfileRecord, ...]:
    """The profiles of some of `PROFILED`; of all, if none is named."""
    return tuple(profiled(variant) for variant in variants or PROFILED)
