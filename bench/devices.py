"""Devices that only take time: what `--device` says becomes a `DeviceProfile`, and that the times
of a trial.

A device is written out (`emulated:step=51ms,transfer=2ms,augment=1ms,ahead=2`), or is a profile:
one that comes with leafbench by its name, or a TOML file by its path. A profile's numbers may be
ranges; `NAME:fast` and `NAME:slow` take their ends, `NAME` the middle.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench import values
from bench.device_file import LONGEST_S, PRECISIONS, ahead, read_profile, require_some_time
from bench.device_schema import (
    Cost,
    DeviceProfile,
    DeviceTimes,
    End,
    Range,
    StepCost,
    Transfer,
)
from bench.errors import ConfigError
from bench.toml_files import refuse_unknown
from bench.values import Given, refused
from leafmodel.pipelines.spec import Augment, AugmentForm, PipelineSpec
from leafmodel.training.improvements import Improvement
from leafmodel.training.phases import phase as named_phase

PROFILES_FOLDER = Path(__file__).parent / "device_profiles"
WRITTEN_OUT = "emulated:"
DEFAULT_AHEAD = 2
_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


def profile_names() -> tuple[str, ...]:
    """The profiles that come with leafbench."""
    return tuple(sorted(path.stem for path in PROFILES_FOLDER.glob("*.toml")))


def profile_summary(name: str) -> str:
    """The sentence that introduces a profile that comes with leafbench."""
    return device(Given(name, name)).summary


def device(given: Given) -> DeviceProfile:
    """The device that was asked for.

    Raises:
        ConfigError: there is no such profile, or it has missing, negative or absurd numbers.
    """
    name = values.text(given).strip()
    if name.startswith(WRITTEN_OUT):
        return _written_out(name, Given(name.removeprefix(WRITTEN_OUT), given.where))
    base, end = _end(name)
    return read_profile(name, end, _path(base, given))


def times(profile: DeviceProfile, phase: str, pipeline: PipelineSpec, size: int) -> DeviceTimes:
    """What the device takes to train a phase on batches of this pipeline.

    Args:
        size: side of the images in pixels.

    Raises:
        ConfigError: the profile says nothing of that phase, precision, size or augmentation.
    """
    step = _step(profile, phase, size)
    extra = Cost()
    if pipeline.augment is Augment.MODEL:
        extra = _augmentation(profile, pipeline.augment_form)
    end, transfer = profile.end, profile.transfer
    return DeviceTimes(
        name=profile.name,
        step_s=step.step_s.at(end) + extra.step_s.at(end),
        image_s=step.image_s.at(end) + extra.image_s.at(end),
        transfer_s=transfer.step_s.at(end),
        byte_s=transfer.byte_s.at(end),
        ahead=profile.ahead,
    )


def _step(profile: DeviceProfile, phase: str, size: int) -> Cost:
    mixed = named_phase(phase).has(Improvement.MIXED_PRECISION)
    wanted = (phase, PRECISIONS[mixed], size)
    for item in profile.steps:
        known = (item.phase, item.precision, item.image_size)
        if all(not have or have == want for have, want in zip(known, wanted, strict=True)):
            return item.cost
    listed = "; ".join(
        f"{item.phase or 'any phase'}, {item.precision or 'any precision'}, "
        + (f"{item.image_size} pixels" if item.image_size else "any size")
        for item in profile.steps
    )
    raise ConfigError(
        f"The device {profile.name} has no step time for phase {phase} in {wanted[1]} on images "
        f"of {size} pixels. It has: {listed}. Choose one of these with --phases and --image-size, "
        "add a table [[steps]] to a profile of your own, or write the device out: "
        "--device emulated:step=51ms."
    )


def _augmentation(profile: DeviceProfile, form: AugmentForm) -> Cost:
    if form not in profile.augmentation:
        raise ConfigError(
            f"The device {profile.name} does not say what {form} augmentation in the model costs "
            f"it: add a table [augmentation.{form}] to a profile of your own, leave out variants "
            "that augment in the model, or give --no-augment."
        )
    return profile.augmentation[form]


def _written_out(name: str, given: Given) -> DeviceProfile:
    """`step=51ms,transfer=2ms`: times of a whole step, equal for every phase and form."""
    table: dict[str, str] = {}
    for part in filter(None, str(given.value).split(",")):
        key, _, value = (word.strip() for word in part.partition("="))
        if key in table:
            raise ConfigError(f"{given.where} gives {key} twice: give it once.")
        table[key] = value
    refuse_unknown(table, ("step", "transfer", "augment", "ahead"), f"{given.where} {name}")
    if "step" not in table:
        raise ConfigError(
            f"{given.where} {name} does not say how long a step takes: write "
            f"{WRITTEN_OUT}step=51ms, and if you like transfer=2ms, augment=1ms, ahead=2."
        )
    costs = {
        key: Cost(step_s=_duration(Given(text, f"{given.where}: {key}")))
        for key, text in table.items()
        if key != "ahead"
    }
    queued = table.get("ahead", str(DEFAULT_AHEAD))
    made = DeviceProfile(
        name=name,
        summary="written out on the command line",
        end=End.MIDDLE,
        ahead=ahead(Given(int(queued) if queued.isdecimal() else queued, f"{given.where}: ahead")),
        steps=(StepCost("", "", 0, costs["step"]),),
        transfer=Transfer(costs.get("transfer", Cost()).step_s),
        augmentation=dict.fromkeys(AugmentForm, costs.get("augment", Cost())),
    )
    require_some_time(costs["step"], f"{given.where}: step")
    return made


def _duration(given: Given) -> Range:
    """`51ms`, `0.051s`, `800us`."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(s|ms|us)", str(given.value).strip())
    if not found or (value := float(found[1]) * _UNITS[found[2]]) > LONGEST_S:
        raise refused(given, "a time of at most an hour, such as 51ms, 0.051s or 800us")
    return Range(value, value, "given on the command line")


def _end(name: str) -> tuple[str, End]:
    """The profile's name or path, and which end of its ranges is meant."""
    base, colon, word = name.rpartition(":")
    if colon and word in list(End):
        return base, End(word)
    return name, End.MIDDLE


def _path(name: str, given: Given) -> Path:
    if name in profile_names():
        return PROFILES_FOLDER / f"{name}.toml"
    path = Path(name)
    if path.is_file():
        return path
    raise ConfigError(
        f"{given.where}: there is no device {name!r}.{values.suggestion(name, profile_names())} "
        f"Known: {', '.join(profile_names())} (with :fast or :slow behind for an end of their "
        f"ranges); your own is given as the path of a TOML file, or written out as in "
        f"{WRITTEN_OUT}step=51ms."
    )
