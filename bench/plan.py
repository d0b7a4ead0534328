"""Which trials a run has, and in which order. Pure: the same configuration, the same plan.

In every block each variant is tried once, with the claim's baseline a second time (the noise
floor) and the compute ceilings: those for a few epochs only, since nothing is learnt from them. The
order is shuffled once for the run and reversed in every second block, so that a machine that slows
down during a block does not favour the same variants each time.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.device_schema import DeviceTimes
from bench.devices import times
from bench.profile_schema import WARM_STEPS, ProfileSpec, ProfileWindow
from bench.schema import (
    ProfileMode,
    RunConfig,
    StartSpec,
    TrialKind,
    TrialSpec,
    ceiling_variant,
)
from bench.variants import variant
from leafmodel.pipelines.spec import Augment, AugmentForm, Loader, PipelineSpec
from leafmodel.training.execution import AS_USUAL, Execution
from leafmodel.training.phases import phase as named_phase
from leafmodel.training.phases import start_of

# Epochs of a trial that only times: one to trace, two or more steady ones.
TIMING_EPOCHS = 4


@dataclass(frozen=True)
class _Entry:
    """One trial of a block, before it has a place in the order."""

    kind: TrialKind
    variant: str
    pipeline: PipelineSpec
    phase: str
    replica: int = 0
    execution: Execution = AS_USUAL


def build(config: RunConfig) -> tuple[TrialSpec, ...]:
    """The trials of a run, in the order in which they are executed."""
    entries = _entries(config)
    random.Random(config.seed).shuffle(entries)
    return tuple(
        _spec(config, entry, block, position, _name(config, entry, block, position, len(entries)))
        for block in range(config.blocks)
        for position, entry in enumerate(entries if block % 2 == 0 else reversed(entries))
    )


def pipelines(config: RunConfig) -> dict[str, PipelineSpec]:
    """The pipeline of each variant, without augmentation where the run has none."""
    return {name: _pipeline(config, name) for name in config.variants}


def profiles(config: RunConfig, fastest: Mapping[str, str]) -> tuple[ProfileSpec, ...]:
    """The profiles of a run, in the order of its phases and variants.

    Args:
        fastest: phase -> the variant with the shortest steady epoch, where one was measured.
    """
    return tuple(
        _profile(config, name, phase)
        for phase in config.phases
        for name in applicable(config, phase)
        if _is_profiled(config, name, fastest.get(phase))
    )


def starts(config: RunConfig) -> tuple[StartSpec, ...]:
    """What must be trained before the trials, once each, for the phases that continue another.

    Nothing where the device is emulated: no phase trains there.
    """
    phases = () if config.device else config.phases
    before = dict.fromkeys(start_name(phase) for phase in phases)
    return tuple(
        StartSpec(
            phase=name,
            backbone=config.backbone,
            weights=config.weights,
            epochs=config.start_epochs,
            batch_size=config.batch_size,
            image_size=named_phase(name).image_size(config.image_size),
            seed=trial_seed(config.seed, 0),
            timeout_s=config.trial_timeout_s,
            backend=config.backend,
        )
        for name in before
        if name
    )


def start_name(phase: str) -> str:
    """The phase whose weights a phase begins with; empty for one that begins anew."""
    start = start_of(named_phase(phase))
    return start.name if start else ""


def applicable(config: RunConfig, phase: str) -> tuple[str, ...]:
    """The variants of a run that a phase can have: cached features need a frozen backbone."""
    frozen = named_phase(phase).is_frozen
    return tuple(
        name
        for name, pipeline in pipelines(config).items()
        if frozen or not pipeline.needs_frozen_backbone
    )


def _is_profiled(config: RunConfig, name: str, fastest: str | None) -> bool:
    if variant(name).execution != AS_USUAL:
        return False  # profiles explain pipelines
    if config.profile is ProfileMode.AUTO:
        return name in (config.claim.baseline, config.claim.candidate, "plain", fastest)
    return config.profile is ProfileMode.ALL


def _profile(config: RunConfig, name: str, phase: str) -> ProfileSpec:
    """Two epochs: the first traces and fills caches, the second has the window."""
    entry = _Entry(TrialKind.PROFILE, name, _pipeline(config, name), phase)
    file_name = f"{as_file_name(name)}-{as_file_name(phase)}"
    spec = replace(_spec(config, entry, 0, 0, file_name), epochs=2)
    return ProfileSpec(spec, ProfileWindow(1, WARM_STEPS, config.profile_steps))


def trial_seed(seed: int, block: int) -> int:
    """The seed of a block's trials: one for all variants, so that they start from equal weights."""
    digest = hashlib.sha256(f"leafbench {seed} {block}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1  # every library takes 31 bits


def _entries(config: RunConfig) -> list[_Entry]:
    chosen = pipelines(config)
    baseline = config.claim.baseline
    entries = []
    for phase in config.phases:
        names = applicable(config, phase)
        entries += [
            _Entry(TrialKind.TRAIN, name, chosen[name], phase, execution=variant(name).execution)
            for name in names
        ]
        if config.noise_floor:
            entries.append(_Entry(TrialKind.TRAIN, baseline, chosen[baseline], phase, replica=1))
        entries += [
            _Entry(
                TrialKind.CEILING,
                ceiling_variant(ceiling.augment, ceiling.augment_form, execution),
                ceiling,
                phase,
                execution=execution,
            )
            for execution, ceiling in _ceilings(chosen)
        ]
    return entries


def _pipeline(config: RunConfig, name: str) -> PipelineSpec:
    pipeline = variant(name).pipeline
    return pipeline if config.augment else pipeline.without_augmentation()


def _ceilings(chosen: Mapping[str, PipelineSpec]) -> list[tuple[Execution, PipelineSpec]]:
    """The model without augmentation, and with each form of it that a variant has in the model.

    For each way that models are executed; without augmentation, where it is not as usual, only if
    a variant has that.
    """
    bare = PipelineSpec(loader=Loader.RESIDENT, augment=Augment.NONE)
    wanted: dict[Execution, set[AugmentForm | None]] = {AS_USUAL: {None}}
    for name, spec in chosen.items():
        form = spec.augment_form if spec.augment is Augment.MODEL else None
        wanted.setdefault(variant(name).execution, set()).add(form)
    return [
        (execution, bare.evolve(augment=Augment.MODEL, augment_form=form) if form else bare)
        for execution, forms in wanted.items()
        for form in (None, *AugmentForm)
        if form in forms
    ]


def _spec(config: RunConfig, entry: _Entry, block: int, position: int, name: str) -> TrialSpec:
    phase = named_phase(entry.phase)
    learns = entry.kind is TrialKind.TRAIN and not entry.replica
    return TrialSpec(
        name=name,
        kind=entry.kind,
        variant=entry.variant,
        pipeline=entry.pipeline,
        phase=entry.phase,
        block=block,
        position=position,
        replica=entry.replica,
        epochs=config.epochs if learns else min(config.epochs, TIMING_EPOCHS),
        batch_size=config.batch_size,
        image_size=phase.image_size(config.image_size),
        seed=trial_seed(config.seed, block),
        timeout_s=config.trial_timeout_s,
        backbone=config.backbone if phase.has_backbone else "",
        weights=config.weights if phase.has_backbone else "",
        device=_device(config, entry, phase.image_size(config.image_size)),
        backend=config.backend,
        execution=entry.execution,
        service=config.service if entry.pipeline.service_workers else "",
    )


def _device(config: RunConfig, entry: _Entry, size: int) -> DeviceTimes | None:
    return times(config.device, entry.phase, entry.pipeline, size) if config.device else None


def _name(config: RunConfig, entry: _Entry, block: int, position: int, size: int) -> str:
    place = f"b{_padded(block, config.blocks)}-{_padded(position, size)}"
    again = "-again" if entry.replica else ""
    return f"{place}-{as_file_name(entry.variant)}-{as_file_name(entry.phase)}{again}"


def as_file_name(name: str) -> str:
    """A variant or phase as it stands in the name of a file."""
    return re.sub(r"[^A-Za-z0-9_.]+", "_", name)


def _padded(number: int, count: int) -> str:
    """The number with as many digits as the largest one has, so that names sort in order."""
    return f"{number:0{max(2, len(str(count - 1)))}d}"
