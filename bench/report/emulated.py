"""What marks a run on an emulated device, wherever its numbers are shown. Formatting only.

Every table's first heading, every figure and the opening of the report say so; a run is emulated or
measured as a whole, so nothing is marked number by number. A run on another backend than TensorFlow
is marked in the same places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.backends import Backend
from bench.device_schema import FREE, Cost, DeviceProfile, End, Range
from bench.report import formats
from bench.results import RunResults
from bench.schema import RunConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARK = "emulated run"
_HEADING = re.compile(r"^\|([^|\n]*)\|(?=.*\n\|:--)", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """Where a run's numbers hold, in words: in the question, in the answer, what bounds them."""

    asked: str
    opening: str
    here: str
    bound: str


MEASURED = Place("here", "On this machine", "here", "the model's own arithmetic")


def place(config: RunConfig) -> Place:
    """Where the numbers of a run hold."""
    if config.device is None:
        return _measured(config.backend)
    title = config.device.title
    return Place(
        "with an emulated device",
        f"With this machine's cores and files and an {title},",
        "against that device",
        "the emulated device itself",
    )


def _measured(backend: Backend) -> Place:
    if backend is Backend.TENSORFLOW:
        return MEASURED
    keras = f"with Keras on {backend.label}"
    return replace(MEASURED, asked=f"here, {keras}", opening=f"On this machine, {keras},")


def mark(config: RunConfig) -> str:
    """What makes a run's numbers unlike others'; empty if it was measured on TensorFlow."""
    if config.device is not None:
        return MARK
    return "" if config.backend is Backend.TENSORFLOW else f"Keras on {config.backend.label}"


def marked(config: RunConfig, text: str) -> str:
    """Markdown whose tables say in their first heading how the run is marked, if it is."""
    if not mark(config):
        return text
    return _HEADING.sub(lambda found: f"| {heading(config, found[1].strip())} |", text)


def heading(config: RunConfig, text: str) -> str:
    """The first heading of a table, marked if the run is."""
    said = mark(config)
    return f"{text} ({said})" if text and said else text or said


def stamp(config: RunConfig, figures: Mapping[str, Figure]) -> None:
    """Write on every figure how the run is marked, if it is."""
    title = f": {config.device.title}" if config.device else ""
    if mark(config):
        for figure in figures.values():
            figure.supxlabel(f"{mark(config)}{title}", fontsize=9, style="italic")


def banner(config: RunConfig) -> str:
    """The paragraph before any number; empty for a measured run."""
    if config.device is None:
        return ""
    return (
        f"> **Emulated**, not measured on a device: {config.device.title}. The input pipelines are "
        "real, on real files and cores; the device only takes time. No model was trained, so there "
        "is no accuracy. [Below](#the-emulated-device): what the device takes, and where each "
        "number is from."
    )


def words() -> str:
    """What the opening's table means; nothing there was learnt, and no model ran."""
    return (
        "A *steady epoch* is any but the first, which also fills caches. The *ceiling* is the "
        "device's own time for batches that it already has, with augmentation in the same place; "
        "at 100% a pipeline never lets the device wait. *Waiting*: the device has nothing to do. "
        f"In brackets: 95% interval. {formats.NOTHING} means not measured."
    )


def device(results: RunResults) -> str:
    """The section on the device: every number with its source; nothing for a measured run."""
    profile = results.run.config.device
    if profile is None:
        return ""
    batches = "1 batch" if profile.ahead == 1 else f"{profile.ahead} batches"
    rows = [row for what, ranges in _times(profile) for row in _rows(what, ranges)]
    return "\n\n".join(
        [
            "## The emulated device",
            f"`{profile.name}`: {profile.summary}. Where a time is a range, {_END[profile.end]} is "
            f"used. While the next batch is made, up to {batches} may be handed over and not done. "
            "A step begins where the device was done with the one before; *waiting* is the time "
            "that the device had nothing to do. The ceilings of this run are the device's own time "
            "for batches that it already has, known exactly.",
            formats.text_table(["Time", "Low", "High", "Source"], rows),
        ]
    )


_END = {
    End.FAST: "its fast end",
    End.MIDDLE: "the geometric mean of its ends",
    End.SLOW: "its slow end",
}
_MEGABYTE = 1e6


def _times(profile: DeviceProfile) -> Iterator[tuple[str, dict[str, Range]]]:
    """What takes time, and by which measures."""
    for item in profile.steps:
        size = f"{item.image_size} pixels" if item.image_size else ""
        named = [part for part in (item.phase, item.precision, size) if part]
        yield f"training ({', '.join(named) or 'any'})", _measures(item.cost)
    for form, cost in profile.augmentation.items():
        yield f"augmentation in the model ({form})", _measures(cost)
    transfer, byte = profile.transfer, profile.transfer.byte_s
    megabyte = replace(byte, low=_MEGABYTE * byte.low, high=_MEGABYTE * byte.high)
    yield "transfer", {"step": transfer.step_s, "megabyte": megabyte}


def _measures(cost: Cost) -> dict[str, Range]:
    return {"step": cost.step_s, "image": cost.image_s}


def _rows(what: str, ranges: Mapping[str, Range]) -> Iterator[list[str]]:
    """A row for each measure that says something; one where all are free."""
    said = {measure: time for measure, time in ranges.items() if time.source != FREE.source}
    if not said:
        yield [what, "0 ms", "0 ms", FREE.source]
    for measure, time in said.items():
        ends = (f"{1e3 * end:.4g} ms" for end in (time.low, time.high))
        yield [f"{what}, a {measure}".replace("a image", "an image"), *ends, time.source]
