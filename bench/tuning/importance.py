"""Which hyperparameters matter: how the accuracies' variance falls to each. Pure arithmetic.

The idea is functional ANOVA (Hutter, Hoos and Leyton-Brown 2014, "An efficient approach for
assessing hyperparameter importance", ICML): fit a surface to the accuracies, and see how much of
its variance over the whole space each hyperparameter makes. They fit a forest to hundreds of runs.
A few dozen trainings do not carry a forest, so here the surface is additive: a line and a curve
(linear and quadratic term) for each hyperparameter on the scale on which it acts.

**Share.** The variance of a hyperparameter's part of the surface over the values that were tried,
each counted once, less what the fit makes of noise alone; over the variance of the whole, which is
all parts and what the surface leaves. It is taken over the space and not over the trainings,
because hyperparameters that were drawn at random go together by accident, and the sums of squares
of an ANOVA give what two share to neither.

**p.** The F test of leaving the hyperparameter out, with the distribution of F found by permuting
the residuals of the surface without it (Freedman and Lane 1983,
doi:10.1080/07350015.1983.10509354), so that nothing is asked of the noise's distribution. Four
hyperparameters are four chances to be fooled: p is multiplied by their number (Bonferroni).
Measured over 300 made-up studies of pure noise each, with 14, 20, 24 and 40 trainings: 3, 3, 4 and
6 in 100 named anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Residuals with fewer degrees of freedom say nothing about noise.
FEWEST_FREEDOM = 5
PERMUTATIONS = 1_999
LEVEL = 0.05
SEED = 20_140_621
_ROUNDING = 1e-12  # share of a sum of squares below which it is rounding

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """How much one hyperparameter matters.

    Attributes:
        share: of the accuracies' variance that it makes, 0 to 1; None if all trainings had the same
            value of it.
        p: of so much by chance, corrected for the number of hyperparameters.
        best: of the values tried, the one at which the fitted accuracy is highest.
        swing: fitted accuracy at `best` less that at the worst value tried.
    """

    name: str
    share: float | None = None
    p: float | None = None
    best: float | None = None
    swing: float | None = None

    @property
    def matters(self) -> bool:
        """Whether chance is ruled out; False is no proof that it does not matter."""
        return self.p is not None and self.p <= LEVEL


@dataclass(frozen=True)
class Decomposition:
    """All hyperparameters, the largest share first.

    Attributes:
        explained: share of the variance that all of them make together; None with `why`.
        why: why nothing can be told; empty if something can.
    """

    trainings: int
    explained: float | None
    importances: tuple[Importance, ...]
    why: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """Those that matter beyond chance."""
        return tuple(item.name for item in self.importances if item.matters)


def decompose(values: Mapping[str, Sequence[float]], accuracies: Sequence[float]) -> Decomposition:
    """Split the variance of `accuracies` among hyperparameters.

    Args:
        values: name -> its value in each training, on the scale on which it acts.
    """
    y = np.asarray(accuracies, dtype=np.float64)
    why = _too_little(y, len(values))
    if why:
        return Decomposition(len(y), None, tuple(map(Importance, values)), why)
    surface = _Surface({name: np.asarray(column) for name, column in values.items()}, y)
    found = [_importance(surface, index) for index in range(len(values))]
    found.sort(key=lambda item: -(item.share or 0.0))
    return Decomposition(len(y), float(surface.shares.sum()), tuple(found))


def _too_little(y: Array, hyperparameters: int) -> str:
    needed = 1 + 2 * hyperparameters + FEWEST_FREEDOM
    if len(y) < needed:
        return f"{len(y)} trainings with an accuracy are too few: it takes {needed}"
    return "all trainings reached the same accuracy" if np.ptp(y) == 0 else ""


class _Surface:
    """An additive surface over the hyperparameters' values, fitted to the accuracies."""

    def __init__(self, columns: Mapping[str, Array], y: Array) -> None:
        self.names = tuple(columns)
        self.values = tuple(np.unique(column) for column in columns.values())
        self.y = y
        self._blocks = tuple(_terms(column, column) for column in columns.values())
        self._grids = tuple(map(_terms, self.values, columns.values()))
        design = np.column_stack([np.ones(len(y)), *self._blocks])
        inverse = np.linalg.pinv(design)
        residuals = y - design @ inverse @ y
        freedom = len(y) - np.linalg.matrix_rank(design)
        self._weights = inverse @ y
        self._noise = float(residuals @ residuals) / freedom
        self._spread = self._noise * inverse @ inverse.T  # covariance of the weights
        self._ends = 1 + np.cumsum([0, *(block.shape[1] for block in self._blocks)])

    @property
    def shares(self) -> Array:
        """The share of each hyperparameter."""
        parts = np.array([self._variance(index) for index in range(len(self.names))])
        shares: Array = parts / (parts.sum() + self._noise)
        return shares

    def part(self, index: int) -> Array:
        """One hyperparameter's part of the fitted accuracy, at each of its values."""
        part: Array = self._grids[index] @ self._weights[self._own(index)]
        return part

    def terms(self, index: int) -> int:
        """How many terms a hyperparameter has: none if it had one value only."""
        return int(self._blocks[index].shape[1])

    def without(self, index: int) -> Array:
        """Orthonormal columns that span a surface without this hyperparameter."""
        return _basis([block for k, block in enumerate(self._blocks) if k != index], len(self.y))

    def whole(self) -> Array:
        """Orthonormal columns that span the surface."""
        return _basis(self._blocks, len(self.y))

    def _variance(self, index: int) -> float:
        """Of a part, less what it has from noise on average."""
        own = self._own(index)
        grid = self._grids[index] - self._grids[index].mean(axis=0)
        by_noise = np.trace(grid @ self._spread[own, own] @ grid.T) / len(grid)
        return max(0.0, float(self.part(index).var() - by_noise))

    def _own(self, index: int) -> slice:
        return slice(self._ends[index], self._ends[index + 1])


def _terms(at: Array, column: Array) -> Array:
    """Columns (values, 0 to 2) at some values: a line and a curve, as far as the column's distinct
    values carry them."""
    z = (at - column.mean()) / (float(np.ptp(column)) or 1.0)
    both = np.stack([z, z * z], axis=1)
    return both[:, : min(2, len(np.unique(column)) - 1)]


def _importance(surface: _Surface, index: int) -> Importance:
    name, part = surface.names[index], surface.part(index)
    if not surface.terms(index):
        return Importance(name)
    return Importance(
        name=name,
        share=float(surface.shares[index]),
        p=min(1.0, len(surface.names) * _p(surface, index)),
        best=float(surface.values[index][int(np.argmax(part))]),
        swing=float(np.ptp(part)),
    )


def _p(surface: _Surface, index: int) -> float:
    """How often permuted residuals gain as much by the hyperparameter as the accuracies do.

    What the smaller surface fits is in both surfaces and would cancel: the residuals alone will do.
    """
    without, whole = surface.without(index), surface.whole()
    residual = surface.y - without @ (without.T @ surface.y)
    rng = np.random.default_rng(SEED)
    permuted = rng.permuted(np.tile(residual[:, None], PERMUTATIONS), axis=0)
    drawn = _gain(without, whole, permuted)
    gained = _gain(without, whole, residual[:, None])[0]
    return float(1 + (drawn >= gained).sum()) / (1 + PERMUTATIONS)


def _basis(blocks: Sequence[Array], trainings: int) -> Array:
    """Orthonormal columns that span a constant and the blocks."""
    design = np.column_stack([np.ones(trainings), *blocks])
    left, sizes, _ = np.linalg.svd(design, full_matrices=False)
    basis: Array = left[:, sizes > 1e-9 * sizes[0]]
    return basis


def _gain(without: Array, whole: Array, ys: Array) -> Array:
    """F up to a constant: what the whole surface explains more, over what it leaves."""
    squares = (ys * ys).sum(axis=0)
    left = np.maximum(squares - ((whole.T @ ys) ** 2).sum(axis=0), _ROUNDING * squares)
    more = squares - ((without.T @ ys) ** 2).sum(axis=0) - left
    gain: Array = more / np.maximum(left, np.finfo(np.float64).tiny)
    return gain
