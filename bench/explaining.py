"""A run's speedup taken apart, from its records alone. No TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.errors import ConfigError, RecordError
from bench.reached import Reached, reached
from bench.results import compute
from bench.schema import RunRecord
from bench.store import read
from bench.values import suggestion
from bench.waterfall import Explanation


@dataclass(frozen=True)
class Explained:
    """The waterfalls of a run, what its best variants reach, and the records not to be read."""

    run: RunRecord
    causes: tuple[Explanation, ...]
    reached: tuple[Reached, ...]
    failed: int
    broken: tuple[RecordError, ...]


def of_run(folder: Path, phase: str | None = None) -> Explained:
    """The waterfalls of a run, of one phase if it is named.

    Raises:
        StoreError: there is no run, or its head cannot be read.
        ConfigError: the run has no such phase, or nothing of it that could be taken apart.
    """
    stored = read(folder)
    run = stored.run
    if phase is not None and phase not in run.config.phases:
        there = ", ".join(run.config.phases)
        hint = suggestion(phase, run.config.phases)
        raise ConfigError(f"{folder} has no phase {phase!r}; it has {there}.{hint}")
    results = compute(run, stored.trials, stored.proofs, stored.profiles)
    causes = tuple(item for item in results.causes if phase in (None, item.phase))
    if not any(item.waterfalls for item in causes):
        why = "; ".join(text for item in causes for text in item.obstacles)
        raise ConfigError(
            f"No speedup of {folder} can be taken apart: {why or 'no trial of it has a record'}. "
            f"Go on with the run (leafbench run --resume {folder}), or make one that has both ends."
        )
    failed = sum(trial.spec.phase in {item.phase for item in causes} for trial in results.failed)
    best = tuple(item for item in reached(results) if phase in (None, item.phase))
    return Explained(run, causes, best, failed, stored.broken)
