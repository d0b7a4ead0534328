"""Variants as points on the axes: in what two differ, and the finest ladder from one to another.

A ladder is a chain of variants in which every rung changes axes that no rung before it has changed.
The more rungs, the fewer axes each one changes, and a rung that changes a single axis has a single
cause. What cannot differ is not counted: an axis that a loader does not have (the device holds the
images, so nothing is mapped, cached or prefetched), or one that the images of a run leave idle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from leafmodel.errors import PipelineError
from leafmodel.pipelines.spec import Loader, PipelineSpec, axis_text

AXES = tuple(field.name for field in fields(PipelineSpec))
PIPELINE_AXES = frozenset(
    {
        *("map_parallelism", "cache", "prefetch", "autotune", "resize", "decode", "delivers"),
        "service_workers",
    }
)
# These keep images in a form of their own, or read them by other code: no step on the way to
# another loader.
ASIDE = frozenset(
    {Loader.RESIDENT, Loader.FEATURES, Loader.MEMORY_MAPPED, *(x for x in Loader if x.is_python)}
)
# The order in which a jump over several axes is taken apart.
ORDER = (
    *("loader", "resize", "decode", "map_parallelism", "prefetch", "cache"),
    *("augment", "augment_form", "delivers"),
)


@dataclass(frozen=True)
class Change:
    """What one axis is before and after, as a person writes it."""

    axis: str
    before: str
    after: str


def changes(
    before: PipelineSpec, after: PipelineSpec, idle: Collection[str] = ()
) -> tuple[Change, ...]:
    """The axes on which two pipelines differ, those in `idle` left out."""
    return tuple(
        Change(axis, *(axis_text(axis, getattr(side, axis)) for side in (before, after)))
        for axis in _differing(before, after, idle)
    )


def finest(
    points: Mapping[str, PipelineSpec],
    start: str,
    target: str,
    idle: Collection[str] = (),
    via: str = "",
) -> tuple[str, ...]:
    """The names on the finest ladder from `start` to `target`, both included.

    Most rungs first; then the smallest sum of squares of the axes that each changes; then one that
    passes `via`; then the order of `points`.
    """
    path = _Search(points, start, target, idle, via).onward(start)
    return path.names if path else (start, target)


def between(
    before: PipelineSpec, after: PipelineSpec, idle: Collection[str] = ()
) -> tuple[PipelineSpec, ...]:
    """Pipelines that part a jump over several axes into rungs of one, as far as they can exist."""
    parts: list[PipelineSpec] = []
    here = _with(before, after, idle) or before
    while len(left := _differing(here, after, idle)) > 1:
        step = next(_steps(here, after, left), None)
        if step is None:
            break
        parts.append(step)
        here = step
    return tuple(parts)


def without(spec: PipelineSpec, start: PipelineSpec, axis: str) -> PipelineSpec | None:
    """`spec` with one axis taken back to what it is in `start`; None if that cannot exist."""
    return _moved(spec, start, axis)


def same(spec: PipelineSpec, other: PipelineSpec, idle: Collection[str] = ()) -> bool:
    """Whether two pipelines do the same."""
    return not _differing(spec, other, idle)


def called(
    spec: PipelineSpec, listed: Mapping[str, PipelineSpec], idle: Collection[str] = ()
) -> str:
    """A listed name, or `name+axis=value` from the listed pipeline that is nearest."""

    def apart(name: str) -> list[str]:
        other = listed[name]
        return [a for a in AXES if a not in idle and getattr(other, a) != getattr(spec, a)]

    near = min(listed, key=lambda name: len(apart(name)))
    values = [f"{axis}={axis_text(axis, getattr(spec, axis))}" for axis in apart(near)]
    return "+".join([near, *values])


@dataclass(frozen=True)
class _Path:
    """A way to the target; the greater `rank`, the better."""

    rank: tuple[int, int, int, int]
    names: tuple[str, ...]


class _Search:
    """The best way on from each point to the target, found once each."""

    def __init__(
        self,
        points: Mapping[str, PipelineSpec],
        start: str,
        target: str,
        idle: Collection[str],
        via: str,
    ) -> None:
        self._points, self._idle, self._via = points, idle, via
        self._start, self._target = start, target
        self._order = {name: place for place, name in enumerate(points)}
        self._found: dict[str, _Path | None] = {target: _Path((0, 0, 0, 0), (target,))}

    def onward(self, name: str) -> _Path | None:
        """The best way on. It ends, since what has changed only grows."""
        if name not in self._found:
            there = [other for other in self._points if self._leads(name, other)]
            paths = [self._rung(name, on) for other in there if (on := self.onward(other))]
            self._found[name] = max(paths, key=lambda path: path.rank, default=None)
        return self._found[name]

    def _rung(self, name: str, on: _Path) -> _Path:
        axes = len(_differing(self._points[name], self._points[on.names[0]], self._idle))
        rungs, squares, passed, places = on.rank
        rank = (
            rungs + 1,
            squares - axes**2,
            passed + (name == self._via),
            places - self._order[name],
        )
        return _Path(rank, (name, *on.names))

    def _leads(self, name: str, other: str) -> bool:
        """Whether a rung may lead from one point to another.

        What has changed stays as it is. Only the rung that arrives at the target's loader may
        change it again, since a loader brings its own; but it takes nothing back.
        """
        start, target = self._points[self._start], self._points[self._target]
        here, there = self._points[name], self._points[other]
        if name == self._start and other == self._target:
            return True
        if there.loader in ASIDE - {start.loader, target.loader}:
            return False
        arrives = there.loader == target.loader != here.loader
        before, after = (_differing(start, spec, self._idle) for spec in (here, there))
        moved = [axis for axis in _differing(here, there, self._idle) if axis in before]
        if any(not arrives or getattr(there, x) == getattr(start, x) for x in moved):
            return False
        return arrives or set(before) < set(after)


def _differing(a: PipelineSpec, b: PipelineSpec, idle: Collection[str]) -> tuple[str, ...]:
    """The axes that both have, that can matter, and on which they differ."""
    left_out = _absent(a) | _absent(b) | frozenset(idle)
    return tuple(x for x in AXES if x not in left_out and getattr(a, x) != getattr(b, x))


def _absent(spec: PipelineSpec) -> frozenset[str]:
    """The axes that the loader does not have, whatever their values say."""
    absent = PIPELINE_AXES if spec.is_on_device else frozenset[str]()
    if spec.loader is Loader.MEMORY_MAPPED:
        absent |= {"cache"}
    return absent if spec.needs_frozen_backbone else absent | {"feature_passes"}


def _steps(here: PipelineSpec, target: PipelineSpec, left: Sequence[str]) -> Iterator[PipelineSpec]:
    """What `here` becomes with one of the axes that are left moved to the target's value."""
    known = [axis for axis in ORDER if axis in left]
    for axis in (*known, *(axis for axis in left if axis not in known)):
        moved = _moved(here, target, axis)
        if moved is not None:
            yield moved


def _moved(spec: PipelineSpec, to: PipelineSpec, axis: str) -> PipelineSpec | None:
    """`spec` with one axis from `to`; a loader comes with the axes that one of the two lacks."""
    carried = _absent(spec) | _absent(to) if axis == "loader" else frozenset[str]()
    return _with(spec, to, carried | {axis})


def _with(spec: PipelineSpec, to: PipelineSpec, axes: Collection[str]) -> PipelineSpec | None:
    try:
        return spec.evolve(**{axis: getattr(to, axis) for axis in axes})
    except PipelineError:
        return None
