"""The campaign's report: counts with intervals, a figure, and what each number rests on."""

from __future__ import annotations

import gzip
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.codec import decode
from bench.gate.blocks import BlockRecord
from bench.gate.metrics import KINDS, Metric
from bench.gate.schema import Verdict, VerdictRecord
from bench.report.canvas import GREY, clean, figure, legend_above, png
from bench.report.formats import joined, percent, seconds, table
from bench.stats import wilson
from bench.store import write_whole
from bench.turns import Place
from benchmarks.gate_campaign import noise
from benchmarks.gate_campaign.plan import SIZES, cases
from benchmarks.gate_campaign.simulate import (
    Simulated,
    Simulations,
    compare_fail,
    fixed_threshold,
)

SAME, NEIGHBOUR = "same", "same-neighbour"
REPORT, FIGURE = "REPORT.md", "decisions.png"


Decision = tuple[VerdictRecord, Sequence[BlockRecord]]


@dataclass(frozen=True)
class Made:
    """A live decision, and what others would have said of the same blocks.

    Attributes:
        epoch_change: by how much the head's steady epochs were longer, as it was measured.
    """

    kind: str
    verdict: Verdict
    spent_s: float
    epoch_change: float | None
    fixed_threshold: bool
    compare_fail: bool


def write(out: Path, live: Mapping[str, Decision], simulated: Path) -> None:
    """Write the report and its figure into `out`."""
    made = [_live(name, *decision) for name, decision in live.items()]
    found = None
    if simulated.exists():
        found = decode(gzip.decompress(simulated.read_bytes()), Simulations, str(simulated))
    records = [record for record, _ in live.values()]
    write_whole(out / FIGURE, _figure(made, found.decisions if found else ()))
    equal = [blocks for name, (_, blocks) in live.items() if name.partition("-")[2] == SAME]
    memories = {metric: noise.memory(equal, metric) for metric in Metric} if equal else {}
    write_whole(out / REPORT, markdown(made, found, records, memories).encode())


def markdown(
    made: Sequence[Made],
    found: Simulations | None,
    records: Sequence[VerdictRecord],
    memories: Mapping[Metric, noise.Memory],
) -> str:
    """The report; `records` are the live verdicts, for machines and versions.

    Args:
        memories: of blocks between equal code.
    """
    parts = [_INTRODUCTION.format(**_facts(records)), f"![decisions]({FIGURE})"]
    told = _LIVE.format(made=len(made), planned=len(cases()))
    parts += ["## Live decisions", _live_table(made), told, _METHODS]
    if memories:
        parts.append(_remembered(memories))
    if found:
        told = _SIMULATED.format(quiet=found.quiet, neighbour=found.neighbour)
        parts += ["## Simulated decisions", told, _simulated_table(found)]
    return "\n\n".join(parts) + "\n"


def kinds(made: Iterable[Made | Simulated]) -> list[str]:
    """The kinds that were made, equal code first, then by size and place."""
    known = {item.kind for item in made}
    planted = [f"{place}-{round(size * 100)}" for size in SIZES for place in Place]
    return [kind for kind in (SAME, NEIGHBOUR, *planted) if kind in known]


def title(kind: str) -> str:
    """What a kind is called in a table."""
    if kind == SAME:
        return "equal code"
    if kind == NEIGHBOUR:
        return "equal code, busy neighbour"
    place, _, size = kind.rpartition("-")
    return f"{size} % slower, {place}"


_INTRODUCTION = """\
# How often is the gate wrong?

`leafbench check`, tried on {machine}, shared with other work, with the
suite `gate` and a budget of {budget} a decision; leafbench {version}, each commit against itself:
{commit}. The head is made slower by holding its whole process for a share of each step's time
(`model`: behind the update; `pipeline`: before the batch) or of the epoch's (`boundary`). Rerun:
`python -m benchmarks.gate_campaign live`, then `simulate`, then `report`; `live` goes on where it
was stopped."""

_LIVE = """\
{made} of the {planned} planned decisions are made. `called` is the share called a regression, with
its 95 % interval (Wilson 1927); `measured` is by how much the head's epochs were longer, the median
of the decisions' own estimates; `time` is the median of a decision. Raw epochs and the verdict of
each decision are in `live/`."""

_MEMORY = """\
The method takes blocks to be independent. How much a block between equal code remembers of the one
before it (autocorrelation at lag 1, within checks, without a neighbour, {pairs} pairs of blocks):
{told}. Chance alone stays within {chance:.2f} of nothing in 95 % of such recordings."""

_SIMULATED = """\
The gate's own loop over the recorded blocks of the live decisions between equal code:
{quiet.blocks} blocks of {quiet.checks} checks, and {neighbour.blocks} blocks of {neighbour.checks}
checks beside a busy neighbour. A simulated check begins at a random block of one of them and goes
on with others drawn whole, each in the order of time; which side is the head is drawn. All rest on
so few recorded checks, so the interval of `called` is the one that as many independent decisions
would have: it says how well the share is known, not how exactly it was simulated."""

_METHODS = """\
`medians` is a fixed threshold of 5 % on the medians of the same epochs; `compare-fail`
is pytest-benchmark's rule `mean:5%`, a second job's epochs against a first one's. Every method is
given the blocks that the gate took for its own decision."""


def _remembered(memories: Mapping[Metric, noise.Memory]) -> str:
    told = ", ".join(f"{KINDS[metric].title} {own.lag_1:+.2f}" for metric, own in memories.items())
    fewest = min(memories.values(), key=lambda own: own.pairs)
    return _MEMORY.format(told=told, pairs=fewest.pairs, chance=fewest.chance)


def _facts(records: Sequence[VerdictRecord]) -> dict[str, str]:
    return {
        "machine": _machine(records),
        "budget": _listed(seconds(record.budget_s) for record in records),
        "version": _listed(record.leafbench_version for record in records),
        "commit": _listed(f"`{record.head.commit[:10]}`" for record in records),
    }


def _machine(records: Sequence[VerdictRecord]) -> str:
    known = [record.environment for record in records if record.environment]
    if not known:
        return "one machine"
    cores = _listed(f"{machine.cores}" for machine in known)
    return f"{cores} CPU cores ({_listed(machine.cpu_model for machine in known)}), no GPU"


def _listed(texts: Iterable[str]) -> str:
    """Each of them once, in the order of time."""
    return joined(list(dict.fromkeys(texts)))


def _live(name: str, record: VerdictRecord, blocks: Sequence[BlockRecord]) -> Made:
    epoch = next((item.change for item in record.changes if item.metric == Metric.EPOCH), None)
    kind = name.partition("-")[2]
    return Made(
        kind,
        record.verdict,
        record.spent_s or 0.0,
        epoch.value if epoch else None,
        fixed_threshold(blocks),
        compare_fail(blocks),
    )


def _live_table(made: Sequence[Made]) -> str:
    header = ("head", "decisions", *map(str, Verdict), "called", *_OTHERS, "measured", "time")
    groups = [(kind, [item for item in made if item.kind == kind]) for kind in kinds(made)]
    return table(header, [_live_row(kind, own) for kind, own in groups])


def _live_row(kind: str, own: Sequence[Made]) -> tuple[str, ...]:
    counts = {verdict: sum(item.verdict is verdict for item in own) for verdict in Verdict}
    middle = statistics.median(item.spent_s for item in own)
    shown = map(str, counts.values())
    called = _share(counts[Verdict.REGRESSION], len(own), len(own))
    changes = [item.epoch_change for item in own if item.epoch_change is not None]
    measured = f"{statistics.median(changes):+.1%}" if changes else "-"
    others = _others(own)
    return (title(kind), str(len(own)), *shown, called, *others, measured, seconds(middle))


def _simulated_table(found: Simulations) -> str:
    header = ("head", "decisions", "called", "pass", *_OTHERS, "time")
    rows = []
    for kind in kinds(found.decisions):
        recording = found.neighbour if kind == NEIGHBOUR else found.quiet
        own = [item for item in found.decisions if item.kind == kind]
        rows.append(_simulated_row(kind, own, recording.checks))
    return table(header, rows)


def _simulated_row(kind: str, own: Sequence[Simulated], independent: int) -> tuple[str, ...]:
    count = len(own)
    return (
        title(kind),
        f"{count:,}",
        _share(sum(map(_regression, own)), count, min(count, independent)),
        percent(sum(item.verdict is Verdict.PASS for item in own) / count),
        *_others(own),
        seconds(statistics.median(item.spent_s for item in own)),
    )


_OTHERS = ("medians", "compare-fail")


def _others(own: Sequence[Made | Simulated]) -> tuple[str, str]:
    """The shares that other methods call a regression, in the order of `_OTHERS`."""
    medians = sum(item.fixed_threshold for item in own)
    compared = sum(item.compare_fail for item in own)
    return percent(medians / len(own)), percent(compared / len(own))


def _share(part: int, whole: int, independent: int) -> str:
    """A share, and its interval if so many of the whole are independent."""
    low, high = wilson(part / whole, independent)
    return f"{part / whole:.1%} ({low:.1%} to {high:.1%})"


def _figure(made: Sequence[Made], found: Sequence[Simulated]) -> bytes:
    """Share called by size of the slowdown, for each method; and how long decisions took."""
    drawn = figure(3.6)
    left, right = drawn.subplots(1, 2)
    for name, called in _METHOD.items() if found else ():
        left.plot(_PERCENT, _by_size(found, called), marker="o", label=name)
    left.plot(_PERCENT, _by_size(made, _regression), "k^", markersize=8, label="gate, live")
    left.set(xlabel="head slower by, %", ylabel="called a regression", ylim=(-0.03, 1.03))
    left.axvline(5, color=GREY, linestyle=":", zorder=0)
    legend_above(left, columns=2)  # within the axes, its marks would look like decisions
    for item in made:
        right.plot(100 * _size(item.kind), item.spent_s / 60, "k^", alpha=0.4)
    right.axhline(15, color=GREY, linestyle=":", zorder=0)
    right.set(xlabel="head slower by, %", ylabel="live decision, minutes", ylim=(0, 16))
    for axes in (left, right):
        axes.set_xlim(-1, 100 * max(SIZES) + 1)
        clean(axes)
    return png(drawn)


def _regression(item: Made | Simulated) -> bool:
    return item.verdict is Verdict.REGRESSION


_METHOD: Mapping[str, Callable[[Any], bool]] = {
    "gate, simulated": _regression,
    "medians, fixed 5 %": lambda item: bool(item.fixed_threshold),
    "compare-fail mean:5%": lambda item: bool(item.compare_fail),
}
_PERCENT = [0.0, *(100 * size for size in SIZES)]


def _by_size(made: Sequence[Any], called: Callable[[Any], bool]) -> list[float]:
    """The share called without a neighbour, a value a size; not a number where nothing was made."""
    quiet = [item for item in made if item.kind != NEIGHBOUR]
    groups = [[item for item in quiet if _size(item.kind) == size] for size in (0.0, *SIZES)]
    return [sum(map(called, group)) / len(group) if group else math.nan for group in groups]


def _size(kind: str) -> float:
    return 0.0 if kind.startswith(SAME) else int(kind.rpartition("-")[2]) / 100
