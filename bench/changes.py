"""Whether a run that goes on is still the run that began: plan, images, machine, versions."""

from __future__ import annotations

from dataclasses import fields

from bench import environment, plan
from bench.environment import leafbench_version
from bench.errors import PlanChangedError
from bench.images import Images
from bench.schema import Environment, RunRecord, TrialSpec

_SPEC_KEYS = tuple(field.name for field in fields(TrialSpec))


def require_unchanged(run: RunRecord, loaded: Images, machine: Environment) -> None:
    """Refuse to go on with a run whose trials would no longer be comparable.

    Raises:
        PlanChangedError: lists everything that changed.
    """
    changes = [
        *_plan_changes(run.plan, plan.build(run.config)),
        *_image_changes(run, loaded),
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


def _plan_changes(old: tuple[TrialSpec, ...], new: tuple[TrialSpec, ...]) -> list[str]:
    if len(old) != len(new):
        return [f"plan: {len(old)} trials -> {len(new)} trials"]
    for before, after in zip(old, new, strict=True):
        keys = [k for k in _SPEC_KEYS if getattr(before, k) != getattr(after, k)]
        if keys:
            changed = ", ".join(f"{k} {getattr(before, k)} -> {getattr(after, k)}" for k in keys)
            return [f"plan, from trial {before.name} on: {changed}"]
    return []


def _image_changes(run: RunRecord, loaded: Images) -> list[str]:
    old, new = run.data, loaded.summary
    keys = ("fingerprint", "train_images", "validation_images", "test_images", "skipped")
    return [
        f"images in {old.root}, {key}: {getattr(old, key)} -> {getattr(new, key)}"
        for key in keys
        if getattr(old, key) != getattr(new, key)
    ]
