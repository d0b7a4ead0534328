"""From the folders of emulated runs to claim maps: reads, and refuses what is not one sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from bench import devices, stats
from bench.claim_map import (
    LEAST_POINTS,
    ClaimMap,
    KnownDevice,
    Loaders,
    MapPoint,
    crossing,
    shape_of,
)
from bench.device_schema import NS_PER_S, DeviceProfile, End
from bench.environment import must_match
from bench.errors import ConfigError
from bench.results import BOUND, RunResults, compute
from bench.schema import RunConfig, RunRecord
from bench.store import read
from bench.values import Given
from leafmodel.pipelines.spec import PipelineSpec


@dataclass(frozen=True)
class Sweep:
    """The maps of a sweep, a phase each, and the runs that it is made of, in the order given."""

    maps: tuple[ClaimMap, ...]
    runs: tuple[str, ...]
    config: RunConfig


def of_runs(folders: Sequence[Path]) -> Sweep:
    """The claim maps of emulated runs that differ in nothing but their device's step.

    Raises:
        StoreError: a folder is no run, or a record of it cannot be read.
        ConfigError: too few runs, a measured one, runs that differ in something else, or nothing
            timed that could be compared; says which.
    """
    if len(folders) < LEAST_POINTS:
        raise ConfigError(
            f"A claim map needs {LEAST_POINTS} emulated runs or more, found {len(folders)}: make "
            "several with leafbench run --device emulated:step=..., each with another step."
        )
    return of_results({str(folder): results(folder) for folder in folders})


def of_results(runs: Mapping[str, RunResults]) -> Sweep:
    """The claim maps of runs, named for messages by where they lie.

    Raises:
        ConfigError: as `of_runs`.
    """
    _require_one_sweep(runs)
    first = next(iter(runs.values()))
    maps = tuple(_map(list(runs.values()), phase) for phase in first.run.config.phases)
    return Sweep(maps, tuple(run.run.run_id for run in runs.values()), first.run.config)


def results(folder: Path, candidate: str | None = None) -> RunResults:
    """A run computed, with another candidate of its claim if one is named.

    Raises:
        StoreError: no run is there, or a record of it cannot be read.
    """
    stored = read(folder)
    if stored.broken:
        raise stored.broken[0]
    run = stored.run if candidate is None else claiming(stored.run, candidate)
    return compute(run, stored.trials, stored.proofs)


def claiming(run: RunRecord, candidate: str) -> RunRecord:
    """The same run with another candidate in its claim."""
    claim = replace(run.config.claim, candidate=candidate)
    return replace(run, config=replace(run.config, claim=claim))


def _require_one_sweep(runs: Mapping[str, RunResults]) -> None:
    where, first = next(iter(runs.items()))
    for other, results in runs.items():
        if results.run.config.device is None:
            raise ConfigError(
                f"{other} was measured on this machine's own device: a claim map is made of "
                "emulated runs alone (leafbench run --device)."
            )
        unlike = list(_differences(first, results))
        if unlike:
            raise ConfigError(
                f"{where} and {other} are not one sweep, since more than the device's step "
                f"differs: {', '.join(unlike)}. Make them on one machine with the same options."
            )


def _differences(ours: RunResults, theirs: RunResults) -> Iterator[str]:
    for key, mine, other in zip(_KEYS, _facts(ours), _facts(theirs), strict=True):
        if mine != other:
            yield f"{key} ({mine} against {other})"
    for item in must_match(ours.run.environment, theirs.run.environment):
        yield f"{item.key} ({item.ours} against {item.theirs})"


_KEYS = (
    *("images", "phases", "batch_size", "image_size", "augment", "seed", "claim"),
    *("the batches that run ahead", "the device's transfer"),
)


def _facts(results: RunResults) -> tuple[Any, ...]:
    config = results.run.config
    device = config.device
    return (
        *(results.run.data.fingerprint, config.phases, config.batch_size, config.image_size),
        *(config.augment, config.seed, config.claim),
        *((device.ahead, device.transfer) if device else (None, None)),
    )


def _map(runs: Sequence[RunResults], phase: str) -> ClaimMap:
    config = runs[0].run.config
    points = sorted((_point(run, phase) for run in runs), key=lambda point: point.images_per_s)
    speeds = [point.images_per_s for point in points]
    if len(set(speeds)) < len(speeds):
        raise ConfigError(
            f"Two of these runs have devices of one speed in phase {phase}: leave one of them out."
        )
    loaders = _loaders(runs, phase)
    return ClaimMap(
        phase=phase,
        claim=config.claim,
        batch_size=config.batch_size,
        points=tuple(points),
        crossing=crossing(points, config.claim.target, shape_of(loaders, config.batch_size)),
        loaders=loaders,
        known=tuple(_known(config, phase)),
    )


def _point(results: RunResults, phase: str) -> MapPoint:
    audit = next((item for item in results.claims if item.phase == phase), None)
    if audit is None or audit.speedup is None:
        why = "; ".join(audit.reasons) if audit else "no trial of it has a record"
        raise ConfigError(
            f"Run {results.run.run_id} has no speedup in phase {phase} ({why}): go on with it "
            "(leafbench run --resume), or leave it out."
        )
    device = next(
        spec.device
        for spec in results.run.plan
        if spec.variant == BOUND and spec.phase == phase and spec.device
    )
    size = results.run.config.batch_size
    return MapPoint(size * NS_PER_S / device.compute_ns(size), audit.speedup, audit.ceiling)


def _loaders(runs: Sequence[RunResults], phase: str) -> Loaders | None:
    """Median seconds a batch of both pipelines alone; None where one was not timed."""
    run = runs[0].run
    if run.config.device is None:
        return None
    batches = ceil(run.data.train_images / run.config.batch_size)
    medians = []
    for name in (run.config.claim.baseline, run.config.claim.candidate):
        found = [item for results in runs if (item := results.find(name, phase))]
        drained = [item.loader_epoch_s for item in found if item.loader_epoch_s]
        medians.append(stats.median(drained))
    base, other = medians
    if base is None or other is None:
        return None
    return Loaders(base / batches, other / batches, batches, run.config.device.ahead)


def _known(config: RunConfig, phase: str) -> Iterator[KnownDevice]:
    """The profiles that come with leafbench, as far as they know the phase at this size."""
    for name in devices.profile_names():
        profile = devices.device(Given(name, "--device"))
        try:
            slow, fast = (_speed(config, profile, phase, end) for end in (End.SLOW, End.FAST))
        except ConfigError:  # it says nothing of this phase or size: it has no place on the map
            continue
        yield KnownDevice(name, slow, fast)


def _speed(config: RunConfig, profile: DeviceProfile, phase: str, end: End) -> float:
    times = devices.times(replace(profile, end=end), phase, PipelineSpec(), config.image_size)
    return config.batch_size * NS_PER_S / times.compute_ns(config.batch_size)
