"""Intervals from few blocks: pure functions of seconds, deterministic, no I/O.

**What a block contributes.** One trial gives one value: the *mean* of its steady epochs. The mean,
not the median, because it is what a user pays: an epoch that stalls now and then for ten seconds is
part of the variant's cost, and a median over four epochs would hide it.

**Ratios** are formed inside a block, on the log scale, so that a machine that slows down slows both
sides and swapping the sides inverts the interval exactly. The centre is the geometric mean of the
blocks' ratios: the median of a lognormal.

**The interval** comes from a bootstrap over blocks, then epochs. With three blocks a percentile
bootstrap is far too narrow (the "narrowness bias" of Hesterberg 2015, arXiv:1411.5279: its spread
is short by sqrt((n-1)/n), and it uses normal instead of Student quantiles). So each level only
supplies the *standard error* of the mean log ratio, scaled by sqrt(n/(n-1)) and multiplied by
Student's quantile with that level's degrees of freedom, and the wider of the two is taken. The
spread between blocks already holds the epochs' noise; adding both levels would count it twice
(Davison and Hinkley 1997, section 3.8; measured here: 99.5 % coverage instead of 95 % with three
blocks). The epochs' level is a floor, for blocks that by luck agree better than their own epochs
allow.

With fewer than three blocks there is no interval, and `Interval.why` says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from leafmodel import evaluate

CONFIDENCE = evaluate.CONFIDENCE
wilson = evaluate.wilson
MIN_BLOCKS = 3
# The standard error of a bootstrap standard error is 1/sqrt(2 draws): 1.6 % with 2,000.
DRAWS = 2_000
SEED = 20_240_229
# Nobody waits for more blocks than this: beyond it, no decision is foreseeable.
MAX_FORESEEABLE_BLOCKS = 200

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A centre with a 95 % interval, or the reason why there is none.

    Attributes:
        median: the centre (see the module); what a single number is taken from.
        low, high: the interval; both None where `why` says why.
        blocks: how many blocks it rests on.
    """

    median: float
    low: float | None
    high: float | None
    blocks: int
    why: str = ""

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None) or (self.low is None) != bool(self.why):
            raise ValueError("an interval has both ends, or neither and a reason")

    def contains(self, value: float) -> bool | None:
        """Whether `value` lies inside; None without an interval."""
        if self.low is None or self.high is None:
            return None
        return self.low <= value <= self.high


@dataclass(frozen=True)
class BlockTimes:
    """One trial's epochs in seconds: the first one, and the steady ones after it."""

    block: int
    first: float
    steady: tuple[float, ...]


def ratios(
    base: Sequence[BlockTimes], other: Sequence[BlockTimes], horizons: Sequence[int] = ()
) -> tuple[Interval | None, Mapping[int, Interval | None]]:
    """How many times as fast `other` is as `base`: over steady epochs, and amortised.

    The amortised cost at a horizon of k epochs is (first + (k-1) steady) / k. Only blocks in which
    both sides have what is needed count; None where no block has.
    """
    left, right = _paired(base, other)
    steady = [k for k in range(len(left)) if left[k].steady and right[k].steady]
    a = _side(tuple(left[k] for k in steady), SEED + 1)
    b = _side(tuple(right[k] for k in steady), SEED + 2)
    freedom = min(a.freedom, b.freedom)

    def at(epochs: int | None) -> Interval | None:
        return _interval(
            a.logs(epochs) - b.logs(epochs), a.draws(epochs) - b.draws(epochs), freedom
        )

    firsts = np.array([x.first / y.first for x, y in zip(left, right, strict=True)])
    once = _interval(np.log(firsts), np.empty((0, 0)), 0)
    return at(None), {k: once if k == 1 else at(k) for k in horizons}


def ratio(base: Sequence[BlockTimes], other: Sequence[BlockTimes]) -> Interval | None:
    """How many times as fast `other` is as `base` over steady epochs; None without any pair."""
    return ratios(base, other)[0]


def level(times: Sequence[BlockTimes]) -> Interval | None:
    """Seconds of a steady epoch; None without any."""
    side = _side(tuple(item for item in times if item.steady), SEED + 1)
    return _interval(side.logs(), side.draws(), side.freedom)


def geometric_mean(values: Sequence[float]) -> Interval | None:
    """The interval of what one positive value a block says; None without any."""
    return _interval(np.log(np.asarray(values, dtype=np.float64)), np.empty((0, 0)), 0)


def mean_interval(
    values: Sequence[float], *, resolution: float = 0.0, comparisons: int = 1
) -> Interval | None:
    """The same for values that may be negative: their mean, not on the log scale.

    Args:
        resolution: the smallest step in which a value can change. Values that agree by luck do not
            spread less than that.
        comparisons: how many such intervals are looked at together; each is widened so that all
            hold at once in 95 % of cases (Bonferroni; Dunn 1961, JASA 56).
    """
    blocks = len(values)
    if not blocks:
        return None
    array = np.asarray(values, dtype=np.float64)
    centre = float(np.mean(array))
    if blocks < MIN_BLOCKS:
        return Interval(centre, None, None, blocks, _too_few(blocks))
    error = max(float(np.std(array, ddof=1)), resolution) / math.sqrt(blocks)
    half = _student(blocks - 1, 1 - (1 - CONFIDENCE) / comparisons) * error
    return Interval(centre, centre - half, centre + half, blocks)


def amortised(times: Sequence[BlockTimes], epochs: int) -> float | None:
    """Seconds an epoch if `epochs` of them are trained: (first + (epochs-1) steady) / epochs."""
    usable = [item for item in times if epochs == 1 or item.steady]
    if not usable:
        return None
    costs = [(t.first + (epochs - 1) * float(np.mean(t.steady or 0.0))) / epochs for t in usable]
    return float(np.exp(np.mean(np.log(costs))))


def blocks_to_decide(interval: Interval, target: float) -> int | None:
    """Blocks in all after which an interval as noisy as this one would exclude `target`.

    Half the width shrinks as t(n-1)/sqrt(n) while centre and spread stay what they are. None if
    there is no interval to go by, or if it would take more than `MAX_FORESEEABLE_BLOCKS`.
    """
    if interval.low is None or interval.high is None:
        return None
    distance = abs(math.log(interval.median / target))
    n = interval.blocks
    spread = math.log(interval.high / interval.low) / 2 / _half_width(n)
    for blocks in range(n + 1, MAX_FORESEEABLE_BLOCKS + 1):
        if spread * _half_width(blocks) < distance:
            return blocks
    return None


class _Side:
    """One side of a ratio: a value a block, and what it could have been with other epochs.

    `freedom` is what the epochs' spread rests on: 0 if a block has one epoch only.
    """

    def __init__(self, times: Sequence[BlockTimes], seed: int) -> None:
        counts = np.array([len(item.steady) for item in times], dtype=np.int64)
        epochs = np.zeros((len(times), max([0, *counts])))
        for row, item in enumerate(times):
            epochs[row, : len(item.steady)] = item.steady
        self.first = np.array([item.first for item in times], dtype=np.float64)
        self.means: Array = epochs.sum(axis=1) / counts
        self.freedom = int((counts - 1).sum()) if len(times) and counts.min() > 1 else 0
        self.drawn = _draw_epochs(epochs, counts, seed)

    def logs(self, epochs: int | None = None) -> Array:
        return _log_cost(self.first, self.means, epochs)

    def draws(self, epochs: int | None = None) -> Array:
        return _log_cost(self.first, self.drawn, epochs)


@lru_cache(maxsize=32)
def _side(times: tuple[BlockTimes, ...], seed: int) -> _Side:
    """The baseline stands in every ratio: it is redrawn once."""
    return _Side(times, seed)


def _draw_epochs(epochs: Array, counts: NDArray[np.int64], seed: int) -> Array:
    """Means of epochs drawn with replacement inside each block: a row a draw, a column a block.

    The spread of a mean of m redrawn values is short by sqrt((m-1)/m); it is stretched by that.
    """
    blocks, width = epochs.shape
    rng = np.random.default_rng(seed)
    total = np.zeros((DRAWS, blocks))
    rows = np.arange(blocks)
    for column in range(width):
        picks = (rng.random((DRAWS, blocks), dtype=np.float32) * counts).astype(np.int64)
        drawn = epochs[rows, np.minimum(picks, counts - 1)]
        total += np.where(column < counts, drawn, 0.0)
    means = epochs.sum(axis=1) / counts
    stretch = np.sqrt(counts / np.maximum(counts - 1, 1))
    drawn_means: Array = means * np.exp(np.log(total / counts / means) * stretch)
    return drawn_means


def _log_cost(first: Array, steady: Array, epochs: int | None) -> Array:
    """Log of the seconds an epoch costs: steady, or amortised over `epochs`."""
    cost = steady if epochs is None else (first + (epochs - 1) * steady) / epochs
    logs: Array = np.log(cost)
    return logs


def _paired(
    base: Sequence[BlockTimes], other: Sequence[BlockTimes]
) -> tuple[list[BlockTimes], list[BlockTimes]]:
    left = {item.block: item for item in base}
    right = {item.block: item for item in other}
    blocks = sorted(left.keys() & right.keys())
    return [left[block] for block in blocks], [right[block] for block in blocks]


@cache
def _block_draws(blocks: int) -> NDArray[np.int64]:
    return np.random.default_rng(SEED).integers(0, blocks, size=(DRAWS, blocks))


def _student(freedom: int, confidence: float = CONFIDENCE) -> float:
    return float(stdtrit(freedom, 0.5 + confidence / 2))


def _half_width(blocks: int) -> float:
    """Half the interval's width for a spread of 1 between blocks."""
    return _student(blocks - 1) / math.sqrt(blocks)


def _interval(logs: Array, draws: Array, freedom: int) -> Interval | None:
    """The interval of exp(mean(logs)); `draws` are logs with redrawn epochs, a row a draw."""
    blocks = len(logs)
    if blocks == 0:
        return None
    centre = float(np.mean(logs))
    half = _half(logs, draws, freedom)
    if half is None:
        return Interval(math.exp(centre), None, None, blocks, _too_few(blocks))
    return Interval(math.exp(centre), math.exp(centre - half), math.exp(centre + half), blocks)


def _half(values: Array, draws: Array, freedom: int) -> float | None:
    """Half the interval's width for one value a block; None with too few blocks."""
    blocks = len(values)
    if blocks < MIN_BLOCKS:
        return None
    error = float(np.std(np.mean(values[_block_draws(blocks)], axis=1)))
    half = _student(blocks - 1) * error * math.sqrt(blocks / (blocks - 1))
    if freedom > 0:
        half = max(half, _student(freedom) * float(np.std(np.mean(draws, axis=1))))
    return half


def _too_few(blocks: int) -> str:
    return f"{blocks} block{'s'[: blocks - 1]} measured, an interval needs {MIN_BLOCKS}"


def median(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    return float(np.median(np.asarray(values, dtype=np.float64))) if len(values) else None


def mean(values: Sequence[Any]) -> float | None:
    """The mean; None of nothing."""
    return float(np.mean(np.asarray(values, dtype=np.float64))) if len(values) else None
