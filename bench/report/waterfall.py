"""Where the factor comes from, as tables and sentences: formatting only."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.device_schema import SweepSpec
from bench.ladder import Change
from bench.plan import as_file_name
from bench.report import formats
from bench.report.formats import joined
from bench.report.provenance import run_command
from bench.results import RunResults
from bench.schema import RunConfig
from bench.stats import Interval
from bench.waterfall import Explanation, Interaction, LeftOut, Rung, Waterfall, own_rungs

HEADER = ("What changes", "Variant", "Times as fast", "Since the start", "Beyond chance")
OUT_HEADER = ("Without", "Variant", "Factor lost", "On the ladder")
AXES = {"map_parallelism": "parallel map", "augment": "augmentation"}
GENERATOR = "image_data_generator"
LOADERS = {
    GENERATOR: "ImageDataGenerator",
    "tf_data": "tf.data",
    "keras_directory": "image_dataset_from_directory",
    "features": "cached features",
    "memory_mapped": "memory-mapped file",
}
SHOWN = {True: "not shown", False: "yes", None: "no interval"}
HOW_TO_READ = (
    "*Times as fast*: a variant over the one in the row above it, per steady epoch, with its 95% "
    "interval, each for itself.",
    "A factor holds at its place on the ladder; in another order the same causes may share the "
    "total out differently.",
    "*Factor lost*: how many times as fast the variant on top is as the same one without that "
    "cause.",
    "*Not shown*: the interval holds 1, so chance alone could be the factor.",
)


def causes(results: RunResults) -> str:
    """The report's section: the claim's speedup and the fastest one's, in factors, by phase."""
    if not results.causes:
        return ""
    parts = ["## Where the factor comes from"]
    for item in results.causes:
        parts += [f"### {item.phase}"] if len(results.causes) > 1 else []
        parts += [f"No waterfall: {why}." for why in item.obstacles]
        parts += [part for found in item.longest for part in _markdown(results.run.config, found)]
    parts += [" ".join(notes(results.causes))]
    command = missing_command(results.run.config, results.causes)
    if command:
        parts += [f"A run that measures what is missing:\n\n```sh\n{command}\n```"]
    return "\n\n".join(part for part in parts if part)


def file_name(found: Waterfall) -> str:
    """Of the figure."""
    return f"waterfall-{as_file_name(found.phase)}-{as_file_name(found.target)}.png"


def rows(found: Waterfall) -> list[list[str]]:
    """The ladder: the start, a row a rung, the total."""
    return [
        ["start", found.baseline, "", "1", ""],
        *(
            [
                label(rung),
                rung.after,
                formats.times_interval(rung.factor),
                formats.times(rung.so_far.median),
                SHOWN[rung.factor.contains(1.0)],
            ]
            for rung in found.rungs
        ),
        [
            "all together",
            found.target,
            formats.times_interval(found.total),
            formats.times(found.total.median),
            SHOWN[found.total.contains(1.0)],
        ],
    ]


def out_rows(found: Waterfall) -> list[list[str]]:
    """The leave-one-outs, each beside its rung."""
    return [_out_row(found, item) for item in found.left_out]


def label(rung: Rung) -> str:
    """What a rung changes: `loader: ImageDataGenerator to tf.data`."""
    return "; ".join(map(_change, rung.changes)) or "nothing: the same pipeline here"


def axis_words(axis: str) -> str:
    """An axis as people call it."""
    return AXES.get(axis, axis.replace("_", " "))


def value_words(value: str) -> str:
    """A value of an axis as people call it."""
    return LOADERS.get(value, value)


def sentences(config: RunConfig, found: Waterfall) -> list[str]:
    """What the ladder says, and what it does not."""
    return [
        _total(config, found),
        _largest(found),
        *_shown(found),
        *_several(found),
        *_basis(found),
        *([_interaction(found.interaction)] if found.interaction else []),
    ]


def notes(explained: Sequence[Explanation]) -> list[str]:
    """How to read all of it, and what no ladder here says; nothing without a ladder."""
    shown = [found for item in explained for found in item.longest]
    if not shown:
        return []
    said = [*_loader(shown), *_inseparable(shown), *_missing(shown)]
    return [*HOW_TO_READ, *said]


def missing_command(config: RunConfig, explained: Sequence[Explanation]) -> str:
    """The command of a run that has every rung and leave-one-out; empty if this one has."""
    shown = [found for item in explained for found in item.longest]
    missing = [item.variant for found in shown for item in found.missing]
    if not missing:
        return ""
    known = [name for found in shown for name in (*found.names, *_left_out_names(found))]
    variants = tuple(dict.fromkeys([*known, *missing]))
    phases = tuple(dict.fromkeys(found.phase for found in shown))
    declined = SweepSpec(()) if config.sweep else None  # what is missing is no device
    made = replace(config, variants=variants, phases=phases, sweep=declined)
    return shlex.join(run_command(made))


def _markdown(config: RunConfig, found: Waterfall) -> Iterator[str]:
    yield f"![From {found.baseline} to {found.target}, by cause](figures/{file_name(found)})"
    yield formats.table(HEADER, rows(found))
    if found.left_out:
        yield f"Taken from {found.target}, one at a time:"
        yield formats.table(OUT_HEADER, out_rows(found))
    yield " ".join(sentences(config, found))


def _out_row(found: Waterfall, item: LeftOut) -> list[str]:
    own = own_rungs(found.rungs, item.change.axis)
    on_ladder = formats.times_interval(own[0].factor) if len(own) == 1 else "not alone"
    return [_change(item.change), item.variant, formats.times_interval(item.factor), on_ladder]


def _change(change: Change) -> str:
    before, after = (value_words(text) for text in (change.before, change.after))
    return f"{axis_words(change.axis)}: {before} to {after}"


def _total(config: RunConfig, found: Waterfall) -> str:
    is_named = found.target in (config.claim.candidate, *config.explain)
    role = "" if is_named else " (chosen as the fastest here, which flatters it a little)"
    return (
        f"{found.target}{role} is {formats.times(found.total.median).rstrip('x')} times as fast as "
        f"{found.baseline} ({_interval(found.total)}). The factors multiply to that exactly: all "
        f"come from the same {formats.plural(found.blocks, 'block')}."
    )


def _interval(factor: Interval) -> str:
    if factor.low is None:
        return formats.span(factor)
    holds = ", which holds 1: not shown" if factor.contains(1.0) else ""
    return f"95% interval {formats.span(factor)}{holds}"


def _largest(found: Waterfall) -> str:
    rung = found.largest
    factor = f"{formats.times(rung.factor.median)} ({_interval(rung.factor)})"
    return f"The largest factor is {_axes(rung)}: {factor}."


def _shown(found: Waterfall) -> Iterator[str]:
    """Which factors are beyond chance."""
    known = [rung for rung in found.rungs if rung.factor.low is not None]
    shown = [rung for rung in known if rung.factor.contains(1.0) is False]
    named = [f"{_axes(rung)} {formats.times(rung.factor.median)}" for rung in shown]
    if known:
        yield f"Beyond chance: {joined(named) if named else 'none of the factors'}."


def _several(found: Waterfall) -> Iterator[str]:
    for rung in found.rungs:
        if len(rung.changes) > 1:
            yield (
                f"From {rung.before} to {rung.after} {len(rung.changes)} axes change at once: what "
                "each of them gives cannot be told from this run."
            )


def _axes(rung: Rung) -> str:
    """`cache`; `loader (tf.data) and resize together`: a loader may change twice."""
    names = [
        f"{axis_words(item.axis)} ({value_words(item.after)})"
        if item.axis == "loader"
        else axis_words(item.axis)
        for item in rung.changes
    ]
    if not names:
        return "the step between equal pipelines"
    return f"{joined(names)}{' together' if names[1:] else ''}"


def _basis(found: Waterfall) -> Iterator[str]:
    for item in found.dropped:
        yield (
            f"{item.variant} is no rung: it was timed in {item.blocks} of the "
            f"{formats.plural(found.shared, 'block')} that both ends have."
        )
    left = found.shared - found.blocks
    if left:
        verb = "is" if left == 1 else "are"
        yield f"{left} of the {found.shared} blocks {verb} left out, which a rung lacks."
    if found.unproved:
        yield f"Not proved to be what the name says: {joined(found.unproved)}."


def _interaction(found: Interaction) -> str:
    """Rungs over leave-one-outs: above 1 causes stand in for each other, below 1 they need it."""
    axes = joined([axis_words(axis) for axis in found.axes])
    text = f"Interaction, the rungs of {axes} over their leave-one-outs: "
    text += formats.times_interval(found.factor)
    if found.factor.low is None or found.factor.high is None:
        return f"{text}."
    if found.factor.contains(1.0):
        return f"{text}, which holds 1: none is shown."
    if found.factor.low > 1:
        return f"{text}: others stand in for them, so they give less on top than on their rungs."
    return f"{text}: they need others, so they give more on top than on their rungs."


def _loader(shown: Sequence[Waterfall]) -> Iterator[str]:
    changes = [change for found in shown for rung in found.rungs for change in rung.changes]
    if any(item.axis == "loader" and item.before == GENERATOR for item in changes):
        yield (
            "The loader's factor holds all that ImageDataGenerator brings, its augmentation by "
            "SciPy included."
        )


def _inseparable(shown: Sequence[Waterfall]) -> Iterator[str]:
    """A sentence a target, though several phases have it."""
    targets: dict[str, dict[str, None]] = {}
    for found in shown:
        names = (axis_words(change.axis) for change in found.inseparable)
        targets.setdefault(found.target, {}).update(dict.fromkeys(names))
    for target, axes in targets.items():
        if axes:
            yield (
                f"No pipeline is {target} without its {joined(list(axes), 'or its')}, all else "
                "kept, so what that alone gives it cannot be measured."
            )


def _missing(shown: Sequence[Waterfall]) -> Iterator[str]:
    told: dict[str, dict[str, None]] = {}
    for item in (item for found in shown for item in found.missing):
        told.setdefault(item.tells, {})[item.variant] = None
    wanted = [f"{tells} ({joined(list(names))})" for tells, names in told.items()]
    if wanted:
        yield f"Not measured, and not guessed: {joined(wanted)}."


def _left_out_names(found: Waterfall) -> list[str]:
    return [item.variant for item in found.left_out]
