"""Whether two heads are of one run: one that goes on and the one that began, or two shards."""

from __future__ import annotations

from dataclasses import fields

from bench import environment, plan
from bench.environment import leafbench_version
from bench.errors import MergeError, PlanChangedError
from bench.images import Images
from bench.schema import DataSummary, Environment, RunRecord, TrialSpec

_SPEC_KEYS = tuple(field.name for field in fields(TrialSpec))


def require_unchanged(run: RunRecord, loaded: Images, machine: Environment) -> None:
    """Refuse to go on with a run whose trials would no longer be comparable.

    Raises:
        PlanChangedError: lists everything that changed.
    """
    changes = [
        *plan_changes(run.plan, plan.build(run.config)),
        *image_changes(run.data, loaded.summary),
        *(
            f"{d.key}: {d.ours} -> {d.theirs}"
            for d in environment.must_match(run.environment, machine)
        ),
    ]
    if run.leafbench_version != leafbench_version():
        changes.append(f"leafbench: {run.leafbench_version} -> {leafbench_version()}")
    if changes:
        listed = "\n".join(f"  {change}" for change in changes)
        raise PlanChangedError(
            f"Run {run.run_id} cannot go on, because its trials would not be comparable. Changed "
            f"since it began:\n{listed}\nUndo that, or begin a new run."
        )


def require_resumable(run: RunRecord) -> None:
    """Refuse to go on with a merged run: its blocks belong to shards, which can.

    Raises:
        MergeError: says what to do instead.
    """
    if run.parts:
        shards = ", ".join(f"{part.run_id} (shard {part.shard})" for part in run.parts)
        raise MergeError(
            f"Run {run.run_id} was merged, and a merged run cannot go on: what it lacks belongs to "
            f"a shard. It was made from {shards}. Go on with those that are not whole (leafbench "
            "run --resume SHARD), make those that are missing (leafbench run --shard I/N), and "
            "merge all of them into another folder."
        )


def plan_changes(old: tuple[TrialSpec, ...], new: tuple[TrialSpec, ...]) -> list[str]:
    """What is first different in a plan; empty if nothing is."""
    if len(old) != len(new):
        return [f"plan: {len(old)} trials -> {len(new)} trials"]
    for before, after in zip(old, new, strict=True):
        keys = [k for k in _SPEC_KEYS if getattr(before, k) != getattr(after, k)]
        if keys:
            changed = ", ".join(f"{k} {getattr(before, k)} -> {getattr(after, k)}" for k in keys)
            return [f"plan, from trial {before.name} on: {changed}"]
    return []


def image_changes(old: DataSummary, new: DataSummary) -> list[str]:
    """What differs in the images, wherever their folders lie; empty if nothing does."""
    keys = ("fingerprint", "train_images", "validation_images", "test_images", "skipped")
    return [
        f"images in {old.root}, {key}: {getattr(old, key)} -> {getattr(new, key)}"
        for key in keys
        if getattr(old, key) != getattr(new, key)
    ]
