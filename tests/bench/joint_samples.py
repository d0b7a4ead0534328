"""Made-up joint verdicts: a measured audit beside a map of given points."""

from __future__ import annotations

from bench.claim import ClaimAudit, audit
from bench.claim_map import ClaimMap, Loaders, MapPoint, crossing
from bench.joint import Joint
from bench.schema import ClaimSpec
from bench.stats import Interval

BATCH = 32
TARGET = 7.0
REFUTED = Interval(1.2, 1.1, 1.3, 3)
CEILING = Interval(1.4, 1.35, 1.45, 3)


def around(centre: float, spread: float = 0.1) -> Interval:
    return Interval(centre, centre / (1 + spread), centre * (1 + spread), 3)


def no_interval(centre: float) -> Interval:
    return Interval(centre, None, None, 1, "one block")


def audited(
    speedup: Interval | None = REFUTED, ceiling: Interval | None = None, candidate: str = "in_model"
) -> ClaimAudit:
    return audit(ClaimSpec(TARGET, "default", candidate), "cnn", speedup, ceiling)


def joint(
    points: dict[float, Interval],
    alone: float | None = 20.0,
    measured: ClaimAudit | None = None,
    baseline_images_per_s: float = 190.0,
) -> Joint:
    """`points`: images/s -> speedup; `alone`: the speedup of the pipelines without a model."""
    made = tuple(MapPoint(speed, speedup, None) for speed, speedup in sorted(points.items()))
    base_s = BATCH / baseline_images_per_s
    loaders = None if alone is None else Loaders(base_s, base_s / alone, 3, 2)
    found = measured or audited()
    where = crossing(made, TARGET)
    return Joint(found, ClaimMap("cnn", found.claim, BATCH, made, where, loaders))
