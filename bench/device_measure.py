"""A measured run becomes a profile of its device: the compute ceilings, an image at a time.

The ceiling is an epoch of the model on a batch that lies on the device already, so it holds no
input. Divided by the images it is the time of one in batches of that size; what a step costs
whatever its batch cannot be told from one batch size, and is in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bench.device_file import PRECISIONS, rate
from bench.device_file import ahead as ahead_of
from bench.device_schema import FREE, Cost, DeviceProfile, End, Range, StepCost, Transfer
from bench.errors import ConfigError
from bench.measures import VariantResult
from bench.results import BOUND, RunResults
from bench.schema import ceiling_variant
from bench.values import Given
from leafmodel.pipelines.spec import Augment, AugmentForm
from leafmodel.training.improvements import Improvement
from leafmodel.training.phases import phase as named_phase

AHEAD_ON_GPU = 2
NO_TRANSFER = Range(0.0, 0.0, "a CPU trains where its batch lies already")


def profile(
    results: RunResults, bytes_per_s: float | None = None, ahead: int | None = None
) -> DeviceProfile:
    """The profile of the device that a run was measured on.

    Args:
        bytes_per_s: host to device, which no ceiling tells; needed for a GPU and for no CPU.
        ahead: batches that run ahead; None is none on a CPU, where `fit` waits for every step, and
            two on a GPU, assumed.

    Raises:
        ConfigError: the run is emulated, its ceilings were not measured, or the rate is missing.
    """
    run = results.run
    if run.config.device is not None:
        raise ConfigError(
            f"Run {run.run_id} was emulated ({run.config.device.title}): it measured no device. "
            "Give a run without --device."
        )
    steps = tuple(_steps(results))
    if not steps:
        raise ConfigError(
            f"Run {run.run_id} has no compute ceiling with a steady epoch, so what its device "
            "needs is unknown: go on with it (leafbench run --resume), or give another run."
        )
    on_gpu = bool(run.environment.gpus)
    return DeviceProfile(
        name=_device_name(results),
        summary=f"{_device_name(results)}, measured in run {run.run_id}",
        end=End.MIDDLE,
        ahead=_ahead(ahead, on_gpu=on_gpu),
        steps=steps,
        transfer=_transfer(results, bytes_per_s) if on_gpu else Transfer(step_s=NO_TRANSFER),
        augmentation=dict(_augmentation(results)),
    )


def text(found: DeviceProfile) -> str:
    """The profile as a TOML file that `bench.device_file` reads back as the same value."""
    lines = [f"summary = {_quoted(found.summary)}", f"ahead = {found.ahead}"]
    for item in found.steps:
        lines += ["", "[[steps]]"]
        lines += [f"phase = {_quoted(item.phase)}"] if item.phase else []
        lines += [f"precision = {_quoted(item.precision)}"] if item.precision else []
        lines += [f"image_size = {item.image_size}"] if item.image_size else []
        lines += _cost("steps", item.cost)
    byte = found.transfer.byte_s
    a_second = byte
    if byte.source != FREE.source:
        a_second = Range(1 / byte.high, 1 / byte.low, byte.source)
    lines += ["", *_range("transfer.step_s", found.transfer.step_s)]
    lines += _range("transfer.bytes_per_s", a_second)
    for form, cost in found.augmentation.items():
        lines += ["", *_cost(f"augmentation.{form}", cost)]
    return "\n".join(lines) + "\n"


def _ahead(asked: int | None, *, on_gpu: bool) -> int:
    if asked is None:
        return AHEAD_ON_GPU if on_gpu else 0
    return ahead_of(Given(asked, "--ahead"))


def _device_name(results: RunResults) -> str:
    machine = results.run.environment
    return ", ".join(machine.gpus) or f"{machine.cpu_model}, {machine.cores} cores"


def _steps(results: RunResults) -> Iterator[StepCost]:
    sizes = {spec.phase: spec.image_size for spec in results.run.plan}
    for phase in results.phases:
        found = results.find(BOUND, phase)
        if found is None or found.steady_epoch_s is None:
            continue
        epoch = found.steady_epoch_s
        low, high = (end or epoch.median for end in (epoch.low, epoch.high))
        time = Range(low / found.images, high / found.images, _source(results, found))
        precision = PRECISIONS[named_phase(phase).has(Improvement.MIXED_PRECISION)]
        yield StepCost(phase, precision, sizes[phase], Cost(image_s=time))


def _augmentation(results: RunResults) -> Iterator[tuple[AugmentForm, Cost]]:
    """What each form adds to the ceiling, in the first phase that has both; never less than 0."""
    for form in AugmentForm:
        for phase in results.phases:
            bare = results.find(BOUND, phase)
            with_it = results.find(ceiling_variant(Augment.MODEL, form), phase)
            extra_s = _difference_s(bare, with_it)
            if with_it is not None and extra_s is not None:
                source = f"{_source(results, with_it)}, less the same without augmentation"
                yield form, Cost(image_s=Range(extra_s, extra_s, source))
                break


def _difference_s(bare: VariantResult | None, with_it: VariantResult | None) -> float | None:
    if not (bare and with_it and bare.steady_epoch_s and with_it.steady_epoch_s):
        return None
    return max(0.0, with_it.steady_epoch_s.median - bare.steady_epoch_s.median) / bare.images


def _transfer(results: RunResults, bytes_per_s: float | None) -> Transfer:
    if bytes_per_s is None:
        raise ConfigError(
            f"How fast batches travel to {_device_name(results)} is in no ceiling: give it with "
            "--bytes-per-s, as the device's own tools measure it (NVIDIA's nvbandwidth)."
        )
    byte_s = 1 / rate(Given(bytes_per_s, "--bytes-per-s"))
    return Transfer(byte_s=Range(byte_s, byte_s, "given with --bytes-per-s"))


def _source(results: RunResults, found: VariantResult) -> str:
    run = results.run
    return (
        f"measured: {found.variant} of run {run.run_id}, phase {found.phase}, "
        f"{found.trials} trials, batches of {run.config.batch_size}"
    )


def _cost(table: str, cost: Cost) -> list[str]:
    return [*_range(f"{table}.step_s", cost.step_s), *_range(f"{table}.image_s", cost.image_s)]


def _range(table: str, time: Range) -> list[str]:
    """Nothing where it is free: leaving it out says so."""
    if time.source == FREE.source:
        return []
    same = time.low == time.high
    ends = [f"value = {time.low!r}"] if same else [f"low = {time.low!r}", f"high = {time.high!r}"]
    return [f"[{table}]", *ends, f"source = {_quoted(time.source)}"]


def _quoted(words: str) -> str:
    """A basic string of TOML: it takes JSON's escapes, and wants one for DEL besides."""
    return json.dumps(words, ensure_ascii=False).replace("\x7f", "\\u007f")
