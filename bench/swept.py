"""Reads the sweep of a run: its emulated runs become claim maps and joint verdicts.

What is missing, half done or not of this run is left out and said; it never stops the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench import mapping, sweep_plan
from bench.changes import image_changes
from bench.claim import ClaimAudit
from bench.claim_map import LEAST_POINTS, ClaimMap, KnownDevice
from bench.environment import must_match
from bench.errors import BenchError
from bench.joint import Joint, Swept
from bench.results import BOUND, RunResults, compute
from bench.schema import RunRecord
from bench.shards import profiling_machine
from bench.store import StoredRun
from bench.sweep_plan import Part

THIS_MACHINE = "this machine, measured"


def read_sweep(folder: Path, stored: StoredRun, measured: RunResults) -> Swept | None:
    """What the sweep of the run in `folder` says; None for a run without one."""
    config = stored.run.config
    parts = sweep_plan.parts(config, folder)
    if config.sweep is None or not parts:
        return None
    looked = [(part, *_look(part, stored.run)) for part in parts]
    notes = [f"A step of {part.step}: {said}." for part, _, said in looked if said]
    usable = [part for part, is_usable, _ in looked if is_usable]
    joints: list[Joint] = []
    if len(usable) < LEAST_POINTS:
        notes.append(
            f"{len(usable)} of {len(parts)} devices can be used, and a map needs {LEAST_POINTS}."
        )
    else:
        for candidate in sweep_plan.swept_variants(config, config.sweep)[1:]:
            try:
                joints += _joints(candidate, usable, stored, measured)
            except BenchError as error:
                notes.append(f"No map for {candidate}: {error}")
    runs = tuple((part.step, part.folder.relative_to(folder).as_posix()) for part in usable)
    return Swept(tuple(joints), runs, len(parts), tuple(notes))


def _look(part: Part, run: RunRecord) -> tuple[bool, str]:
    """Whether a device's run can be a point of the map, and what is to be said of it."""
    if not (part.folder / "run.json").is_file():
        return False, "not begun"
    try:
        results = mapping.results(part.folder)
    except BenchError as error:
        return False, str(error).rstrip(".")
    unlike = list(_differences(part, run, results.run))
    if unlike:
        return False, f"its run is not a part of this one ({'; '.join(unlike)})"
    failed = f", {len(results.failed)} of them failed" if results.failed else ""
    said = f"{results.recorded} of {len(results.run.plan)} trials{failed}"
    if any(audit.speedup is None for audit in results.claims):
        return False, f"{said}, too few for a speedup"
    return True, said if results.missing or results.failed else ""


def _differences(part: Part, run: RunRecord, emulated: RunRecord) -> Iterator[str]:
    if emulated.config != part.config:
        yield "it was made with other options"
    yield from image_changes(run.data, emulated.data)
    for item in must_match(profiling_machine(run), emulated.environment):
        if item.key != "backend" and item.theirs != "none":  # a package of another backend's
            yield f"{item.key}: {item.ours} -> {item.theirs}"


def _joints(
    candidate: str, parts: Sequence[Part], stored: StoredRun, measured: RunResults
) -> Iterator[Joint]:
    runs = {str(part.folder): mapping.results(part.folder, candidate) for part in parts}
    for found in mapping.of_results(runs).maps:
        audit = _audit(candidate, found.phase, stored)
        if audit is not None:
            yield Joint(audit, _with_this_machine(found, measured))


def _audit(candidate: str, phase: str, stored: StoredRun) -> ClaimAudit | None:
    """The claim of this candidate, as it was measured."""
    run = mapping.claiming(stored.run, candidate)
    audits = compute(run, stored.trials, stored.proofs).claims
    return next((audit for audit in audits if audit.phase == phase), None)


def _with_this_machine(found: ClaimMap, measured: RunResults) -> ClaimMap:
    """The map with the speed at which this machine's own device was measured to train."""
    bound = measured.find(BOUND, found.phase)
    if bound is None or bound.steady_epoch_s is None:
        return found
    epoch = bound.steady_epoch_s
    slow, fast = (bound.images / (end or epoch.median) for end in (epoch.high, epoch.low))
    return replace(found, known=(*found.known, KnownDevice(THIS_MACHINE, slow, fast)))
