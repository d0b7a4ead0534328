"""Findings about the machine: what disturbed the measurement, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bench.compare import NS_PER_S, steady_epochs
from bench.evidence import Evidence, Finding, Severity
from bench.measures import other_load
from bench.shards import machine_of

# Everything else on the machine used more than 5 % of it: as much as many effects measured here.
OTHER_LOAD_SHARE = 0.05
# The blocks' mean speed differs by more than this between the fastest and the slowest block.
DRIFT_SHARE = 0.10
# A fixed piece of work, repeated before the run, had a relative spread above this.
NOISY_MACHINE = 0.05


def find(evidence: Evidence) -> Iterator[Finding]:
    """Everything that made the machine unsteady."""
    for check in _CHECKS:
        yield from check(evidence)


def _other_load(evidence: Evidence) -> Iterator[Finding]:
    loads = [
        (other_load(trial, machine_of(evidence.run, trial.spec.block).cores), trial.spec.name)
        for trial in evidence.good
    ]
    loud = [load for load in loads if load[0] > OTHER_LOAD_SHARE]
    if loud:
        worst, name = max(loud)
        yield Finding(
            "other-load",
            Severity.WARNING,
            f"other programs used more than {OTHER_LOAD_SHARE:.0%} of the machine in {len(loud)} "
            f"of {len(loads)} trials, at most {worst:.0%}",
            name,
            "stop them and run again; blocks and intervals absorb only part of it",
            cost_share=worst,
        )


def _noisy_machine(evidence: Evidence) -> Iterator[Finding]:
    noise = evidence.run.environment.noise
    if noise > NOISY_MACHINE:
        yield Finding(
            "noisy-machine",
            Severity.WARNING,
            f"a fixed piece of work varied by {noise:.0%} just before the run",
            "the machine",
            "stop other programs, fix the clock frequency, or use more blocks",
            cost_share=noise,
        )


def _drift(evidence: Evidence) -> Iterator[Finding]:
    """Each trial against its variant's mean over blocks; averaged inside a block."""
    levels: dict[tuple[str, str, int], dict[int, float]] = {}
    for trial in evidence.good:
        steady = [epoch.epoch_ns / NS_PER_S for epoch in steady_epochs(trial)]
        if steady:
            key = trial.spec.variant, trial.spec.phase, trial.spec.replica
            levels.setdefault(key, {})[trial.spec.block] = float(np.log(np.mean(steady)))
    blocks: dict[int, list[float]] = {}
    for row in levels.values():
        centre = float(np.mean(list(row.values())))
        for block, value in row.items():
            blocks.setdefault(block, []).append(value - centre)
    effects = {block: float(np.mean(values)) for block, values in blocks.items()}
    if not effects:
        return
    slow, fast = max(effects, key=effects.__getitem__), min(effects, key=effects.__getitem__)
    spread = float(np.expm1(effects[slow] - effects[fast]))
    if spread > DRIFT_SHARE:
        yield Finding(
            "drift",
            Severity.WARNING,
            f"everything was {spread:.0%} slower in block {slow} than in block {fast}; ratios are "
            "formed inside blocks, plain seconds are not",
            "the run",
            "let the machine cool or quiet down; trust ratios more than seconds",
            cost_share=spread,
        )


def _noise_floor(evidence: Evidence) -> Iterator[Finding]:
    for phase, floor in evidence.noise_floor.items():
        if floor is not None and floor.contains(1.0) is False:
            yield Finding(
                "noise-floor",
                Severity.PROBLEM,
                f"the baseline against itself came out as {floor.median:.3f}x, with an interval "
                "that leaves out 1: the run shows differences that are not there",
                f"{evidence.run.config.claim.baseline}, {phase}",
                "take smaller differences than this as none; run again with more blocks",
                cost_share=abs(floor.median - 1),
            )


_CHECKS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    _other_load,
    _noisy_machine,
    _drift,
    _noise_floor,
)
