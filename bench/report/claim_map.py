"""The claim map as sentences and tables: formatting only. Everything in it is emulated."""

from __future__ import annotations

from typing import Any

from bench.claim_map import ClaimMap, MapPoint
from bench.mapping import Sweep
from bench.plan import as_file_name
from bench.report import formats
from bench.report.emulated import MARK
from bench.report.plain import interval
from bench.schema import ClaimSpec

MAP_VERSION = 1
HEADER = (
    f"The device trains, images/s ({MARK})",
    "Times as fast",
    "Expected of the loaders alone",
    "Most that any pipeline could give",
)
BANNER = (
    "> **Emulated**, not measured on devices: real pipelines, on real files and cores, feed a "
    "device that only takes time. No model was trained."
)
HOW_TO_READ = (
    "*Times as fast*: with its 95% interval, from one emulated run each. *Expected*: what a "
    "two-stage queue gives where each pipeline makes a batch as fast as it does with no model; "
    "between two emulated speeds the line takes that shape, where it is known, scaled to what was "
    "measured at both. "
    "The last column: the same baseline against the device's own time."
)
SPEEDS = "Device speeds are of full batches without augmentation."


def figure_name(found: ClaimMap, claim: ClaimSpec) -> str:
    """Of a phase's figure, named for the candidate where it is not the claim's own."""
    own = found.claim.candidate == claim.candidate
    named = (found.phase,) if own else (found.phase, found.claim.candidate)
    return f"claim-map-{'-'.join(map(as_file_name, named))}.png"


def markdown(sweep: Sweep) -> str:
    """The maps of a sweep, ending in a newline."""
    claim = sweep.config.claim
    target = formats.target(claim.target)
    parts = [
        f"# For which devices is {claim.candidate} {target} times as fast as {claim.baseline}?",
        BANNER,
    ]
    for item in sweep.maps:
        parts += [f"## {item.phase}"] if len(sweep.maps) > 1 else []
        parts += [
            *one(item, figure_name(item, claim)),
            *([known_table(item)] if item.known else []),
        ]
    runs = ", ".join(f"`{run}`" for run in sweep.runs)
    parts.append(f"{HOW_TO_READ} {SPEEDS} Runs: {runs}.")
    return "\n\n".join(parts) + "\n"


def one(found: ClaimMap, figure: str) -> list[str]:
    """One map as Markdown: what it says, its figure, its table."""
    return [
        " ".join(sentences(found)),
        f"![Speedup against device speed]({figure})",
        formats.table(HEADER, rows(found)),
    ]


def sentences(found: ClaimMap) -> list[str]:
    """For which devices the claim holds, and what bounds it at each end."""
    return [_verdict(found), _ends(found)]


def rows(found: ClaimMap) -> list[list[str]]:
    """A row a device speed, the slowest first."""
    return [_row(found, point) for point in found.points]


def known_table(found: ClaimMap) -> str:
    """The devices of the profiles that come with leafbench, by their speed."""
    lines = [
        [item.name, " to ".join(dict.fromkeys(map(formats.rate, (item.low, item.high))))]
        for item in found.known
    ]
    return formats.text_table(["Device profile", "Images/s"], lines)


def summary(sweep: Sweep) -> dict[str, Any]:
    """The maps as plain values, for programs."""
    return {
        "schema_version": MAP_VERSION,
        "emulated": True,
        "runs": sweep.runs,
        "claim": sweep.config.claim,
        "maps": [plain(item) for item in sweep.maps],
    }


def plain(found: ClaimMap) -> dict[str, Any]:
    """One map as plain values, for programs."""
    return {
        "phase": found.phase,
        "batch_size": found.batch_size,
        "verdict": " ".join(sentences(found)),
        "crossing_images_per_s": found.crossing,
        "loaders": found.loaders,
        "points": [_point(found, point) for point in found.points],
        "known_devices": found.known,
    }


def _point(found: ClaimMap, point: MapPoint) -> dict[str, Any]:
    return {
        "images_per_s": point.images_per_s,
        "speedup": interval(point.speedup),
        "expected": found.expected(point.images_per_s),
        "ceiling": interval(point.ceiling),
    }


def _row(found: ClaimMap, point: MapPoint) -> list[str]:
    return [
        formats.rate(point.images_per_s),
        formats.times_interval(point.speedup),
        formats.times(found.expected(point.images_per_s)),
        formats.times_interval(point.ceiling),
    ]


def _verdict(found: ClaimMap) -> str:
    claim, where = found.claim, found.crossing
    target = f"{formats.target(claim.target)} times as fast as {claim.baseline}"
    swept = (
        f"{formats.rate(found.slowest.images_per_s)} to {formats.rate(found.fastest.images_per_s)}"
    )
    with_ = "With these cores and files, and an emulated device,"
    if where.at is None:
        return (
            f"{with_} {claim.candidate} is not {target} on any device of the sweep ({swept} "
            f"images/s); on the fastest it is {formats.times_interval(found.fastest.speedup)}."
        )
    if where.at <= found.slowest.images_per_s:
        swept = f"on every device of the sweep ({swept} images/s)"
        return f"{with_} {claim.candidate} is {target} {swept}."
    return (
        f"{with_} {claim.candidate} is {target} where the device trains more than about "
        f"{formats.rate(where.at)} images/s{_band(found)}."
    )


def _band(found: ClaimMap) -> str:
    """By the interval's ends: below the one refuted, above the other supported."""
    where = found.crossing
    if where.earliest is None:
        return " (too few blocks for an interval)"
    refuted = f"refuted below {formats.rate(where.earliest)}"
    if where.earliest <= found.slowest.images_per_s:
        refuted = "refuted nowhere in the sweep"
    if where.latest is None:
        return f" ({refuted}, supported nowhere in the sweep)"
    return f" ({refuted}, supported from {formats.rate(where.latest)})"


def _ends(found: ClaimMap) -> str:
    slow, loaders = found.slowest, found.loaders
    text = (
        f"At {formats.rate(slow.images_per_s)} images/s, where the device sets the pace, it is "
        f"{formats.times_interval(slow.speedup)}"
    )
    if slow.ceiling is not None:
        text += f", and no pipeline could give more than {formats.times(slow.ceiling.median)}"
    if loaders is None:
        return f"{text}. What the pipelines alone would give was not timed."
    return (
        f"{text}. However fast the device, it tends to {formats.times(loaders.speedup)}: the "
        "pipelines alone."
    )
