"""Records in, everything that a report says out: one frozen value, nothing rounded, no formatting.

A run may be partial, trials may have failed, blocks may be incomplete, proofs may be missing: what
cannot be computed is None, and the findings say why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench import findings, stats, timed, waterfall
from bench.audit import AuditRecord
from bench.claim import ClaimAudit, audit
from bench.compare import block_times, compare
from bench.findings import Finding
from bench.joint import Swept
from bench.learning import AccuracyDifference, Race, difference, race
from bench.measures import Context, VariantResult, measure
from bench.profile_measures import ProfileResult
from bench.profile_measures import measure as measure_profiles
from bench.profile_schema import ProfileRecord
from bench.schema import (
    RunRecord,
    StartRecord,
    TrialKind,
    TrialRecord,
    TrialSpec,
    TrialStatus,
    VariantProof,
    ceiling_variant,
)
from bench.shards import machine_of, profiling_machine
from bench.stats import Interval
from bench.waterfall import Explanation
from leafmodel.pipelines.spec import Augment, AugmentForm
from leafmodel.training.execution import AS_USUAL

BOUND = ceiling_variant(Augment.NONE)


@dataclass(frozen=True)
class RunResults:
    """A run, computed.

    Attributes:
        phases: in the run's order, only those with a trial.
        variants: replica 0 of each (variant, phase) that has a trial, in the run's order.
        beyond: the same for variants whose model is executed otherwise; in `variants` are none.
        ceilings: the same for the compute ceilings (`ceiling_none`, `ceiling_model`, ...).
        noise_floor: phase -> the baseline's second trial of a block over its first.
        differences: of accuracy, of each variant against the baseline.
        profiles: those that were read, in the run's order; the findings tell of the others.
        causes: of each phase, the speedups taken apart.
        devices: that the backend found, in the order of the trials.
        starts: what continuing phases began with. audit: the controls of the images, if asked for.
        swept: what the emulated devices of its sweep say; None where the run has none.
        failed: the failed trials. missing: planned trials without a record.
    """

    run: RunRecord
    phases: tuple[str, ...]
    variants: tuple[VariantResult, ...]
    ceilings: tuple[VariantResult, ...]
    noise_floor: Mapping[str, Interval | None]
    races: tuple[Race, ...]
    differences: tuple[AccuracyDifference, ...]
    claims: tuple[ClaimAudit, ...]
    findings: tuple[Finding, ...]
    proofs: Mapping[str, VariantProof]
    profiles: tuple[ProfileResult, ...]
    failed: tuple[TrialRecord, ...]
    missing: tuple[TrialSpec, ...]
    recorded: int
    starts: tuple[StartRecord, ...] = ()
    audit: AuditRecord | None = None
    causes: tuple[Explanation, ...] = ()
    devices: tuple[str, ...] = ()
    beyond: tuple[VariantResult, ...] = ()
    swept: Swept | None = None

    @property
    def claim(self) -> ClaimAudit:
        """The claim audited in the run's first phase."""
        return self.claims[0]

    @property
    def guess(self) -> float:
        """The accuracy of guessing: one class in so many."""
        return _guess(self.run)

    @property
    def best_accuracy(self) -> float | None:
        """The highest validation accuracy of any trial after any epoch."""
        reached = [point.val_accuracy for item in self.variants for point in item.curve]
        return max(reached, default=None)

    def difference(self, variant: str, phase: str) -> AccuracyDifference | None:
        """A variant's accuracy less the baseline's."""
        found = (item for item in self.differences if item.phase == phase)
        return next((item for item in found if item.variant == variant), None)

    def fastest(self, phase: str) -> VariantResult | None:
        """The pipeline with the highest speedup of a phase, of those that run the whole model."""
        return _fastest(self.variants, phase)

    def of_phase(self, phase: str) -> tuple[VariantResult, ...]:
        """The variants of a phase."""
        return tuple(item for item in self.variants if item.phase == phase)

    def find(self, variant: str, phase: str) -> VariantResult | None:
        """A variant or a ceiling."""
        wanted = (item for item in (*self.variants, *self.ceilings) if item.phase == phase)
        return next((item for item in wanted if item.variant == variant), None)


def compute(
    run: RunRecord,
    trials: Sequence[TrialRecord],
    proofs: Sequence[VariantProof],
    profiles: Sequence[ProfileRecord] = (),
    starts: Sequence[StartRecord] = (),
    audited: AuditRecord | None = None,
) -> RunResults:
    """Everything a report says, from the records of a run. Deterministic."""
    index = _Index(run, trials)
    by_variant = {proof.variant: proof for proof in proofs}
    phases = tuple(phase for phase in run.config.phases if index.has(phase))
    ceiling_names = [BOUND, *(ceiling_variant(Augment.MODEL, form) for form in AugmentForm)]
    measured = index.measured(run.config.variants, phases)
    variants = tuple(item for item in measured if item.execution == AS_USUAL)
    ceilings = index.measured(ceiling_names, phases)
    floor = {phase: index.noise_floor(phase) for phase in phases}
    profiled = _profiled(run, profiles, variants)
    unread = tuple(record for record in profiles if record.reading is None)
    differences = tuple(index.differences(variants))
    evidence = findings.Evidence(
        run, tuple(trials), variants, ceilings, floor, by_variant, profiled, unread, differences
    )
    done = {trial.spec.name for trial in trials}
    return RunResults(
        run=run,
        phases=phases,
        variants=variants,
        ceilings=ceilings,
        noise_floor=floor,
        races=tuple(race for phase in phases if (race := _race(index, variants, phase))),
        differences=differences,
        claims=tuple(
            _audit(index, by_variant, phase) for phase in phases or run.config.phases[:1] or ("",)
        ),
        findings=findings.find(evidence),
        proofs=by_variant,
        profiles=profiled,
        failed=tuple(trial for trial in trials if trial.status is TrialStatus.FAILED),
        missing=tuple(spec for spec in run.plan if spec.name not in done),
        recorded=len(trials),
        starts=tuple(starts),
        audit=audited,
        causes=tuple(_explained(run, trials, by_variant, variants, phase) for phase in phases),
        beyond=tuple(item for item in measured if item.execution != AS_USUAL),
        devices=tuple(dict.fromkeys(name for trial in trials for name in trial.devices)),
    )


class _Index:
    """The trials of a run by what they tried; replica 0 unless asked."""

    def __init__(self, run: RunRecord, trials: Sequence[TrialRecord]) -> None:
        self.run = run
        self.baseline = run.config.claim.baseline
        self._trials: dict[tuple[str, str, int], list[TrialRecord]] = {}
        for trial in sorted(trials, key=lambda item: item.spec.name):
            self._trials.setdefault(_key(trial.spec), []).append(trial)
        self._planned: dict[tuple[str, str, int], int] = {}
        for spec in run.plan:
            self._planned[_key(spec)] = self._planned.get(_key(spec), 0) + 1

    def has(self, phase: str) -> bool:
        return any(key[1] == phase for key in self._trials)

    def good(self, variant: str, phase: str, replica: int = 0) -> list[TrialRecord]:
        found = self._trials.get((variant, phase, replica), [])
        return [trial for trial in found if trial.status is TrialStatus.OK]

    def measured(self, variants: Sequence[str], phases: Sequence[str]) -> tuple[VariantResult, ...]:
        return tuple(
            self._measure(variant, phase)
            for phase in phases
            for variant in variants
            if (variant, phase, 0) in self._trials
        )

    def ratio(self, base: str, other: str, phase: str) -> Interval | None:
        """`other` over `base`; a variant against itself is its second trial against its first."""
        if base == other:
            return self.noise_floor(phase) if base == self.baseline else None
        left, right = self.good(base, phase), self.good(other, phase)
        return stats.ratio(block_times(left), block_times(right))

    def noise_floor(self, phase: str) -> Interval | None:
        again, first = self.good(self.baseline, phase, 1), self.good(self.baseline, phase)
        return stats.ratio(block_times(again), block_times(first))

    def differences(self, variants: Sequence[VariantResult]) -> Iterator[AccuracyDifference]:
        others = [item for item in variants if item.variant != self.baseline]
        for item in others:
            found = difference(
                self.good(self.baseline, item.phase),
                self.good(item.variant, item.phase),
                images=self.run.data.validation_images,
                comparisons=len(others),
            )
            if found is not None:
                yield found

    def _measure(self, variant: str, phase: str) -> VariantResult:
        trials = self._trials[variant, phase, 0]
        spec = trials[0].spec
        baseline = self.baseline if spec.execution == AS_USUAL else self._as_usual(spec)
        base = [] if variant == baseline else self.good(baseline, phase)
        is_ceiling = spec.kind is TrialKind.CEILING
        bounded = not (is_ceiling or spec.pipeline.needs_frozen_backbone)
        own = ceiling_variant(spec.pipeline.augment, spec.pipeline.augment_form, spec.execution)
        ceiling = self.good(own, phase) if bounded else ()
        context = Context(
            comparison=compare(base, self.good(variant, phase)),
            ceiling=tuple(ceiling),
            cores_of=lambda trial: machine_of(self.run, trial.spec.block).cores,
            validation_images=0 if is_ceiling else self.run.data.validation_images,
            planned=self._planned.get((variant, phase, 0), 0),
        )
        return measure(trials, context)

    def _as_usual(self, spec: TrialSpec) -> str:
        """The variant with the same pipeline whose model is executed as usual; empty: none."""
        trained = (item for item in self.run.plan if item.kind is TrialKind.TRAIN)
        usual = (item for item in trained if item.execution == AS_USUAL)
        return next((item.variant for item in usual if item.pipeline == spec.pipeline), "")


def _key(spec: TrialSpec) -> tuple[str, str, int]:
    return spec.variant, spec.phase, spec.replica


def _audit(index: _Index, proofs: Mapping[str, VariantProof], phase: str) -> ClaimAudit:
    claim = index.run.config.claim
    obstacles = [
        obstacle
        for variant in dict.fromkeys((claim.baseline, claim.candidate))
        for obstacle in _obstacles(index, proofs, variant, phase)
    ]
    speedup = index.ratio(claim.baseline, claim.candidate, phase)
    return audit(claim, phase, speedup, index.ratio(claim.baseline, BOUND, phase), obstacles)


def _obstacles(
    index: _Index, proofs: Mapping[str, VariantProof], variant: str, phase: str
) -> list[str]:
    """Why nothing can be said about a variant. Missing evidence is never a pass."""
    obstacles = []
    if not any(trial.epochs[1:] for trial in index.good(variant, phase)):
        obstacles.append(f"no steady epoch of {variant} was measured")
    proof = proofs.get(variant)
    if proof is None:
        obstacles.append(f"{variant} was not proved to be what its name says")
    elif not proof.ok:
        obstacles.append(f"the proof that {variant} is what its name says failed")
    return obstacles


def _profiled(
    run: RunRecord, profiles: Sequence[ProfileRecord], variants: Sequence[VariantResult]
) -> tuple[ProfileResult, ...]:
    """The profiles that were read, in the order of the run's phases and variants."""
    timed = {(item.variant, item.phase): item for item in variants}
    order = [(name, phase) for phase in run.config.phases for name in run.config.variants]
    known = [r for r in profiles if (r.spec.trial.variant, r.spec.trial.phase) in order]
    known.sort(key=lambda r: order.index((r.spec.trial.variant, r.spec.trial.phase)))
    return measure_profiles(known, timed, profiling_machine(run).cores)


def _fastest(variants: Iterable[VariantResult], phase: str) -> VariantResult | None:
    whole = (v for v in variants if v.phase == phase and not v.pipeline.needs_frozen_backbone)
    ranked = [(item.speedup.median, item) for item in whole if item.speedup]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _explained(
    run: RunRecord,
    trials: Sequence[TrialRecord],
    proofs: Mapping[str, VariantProof],
    variants: Sequence[VariantResult],
    phase: str,
) -> Explanation:
    fastest = _fastest(variants, phase)
    measured = timed.of_phase(run, trials, proofs, phase)
    name, config = fastest.variant if fastest else None, run.config
    return waterfall.explain(measured, config.claim, name, config.explain)


def _guess(run: RunRecord) -> float:
    return 1 / max(1, len(run.data.class_names))


def _race(index: _Index, variants: Sequence[VariantResult], phase: str) -> Race | None:
    """To the accuracy that the user named, or else to the best that all had on average.

    None where that cannot be told from guessing: luck is no goal.
    """
    run = index.run
    racing = [item for item in variants if item.phase == phase and item.curve]
    if not racing:
        return None
    asked = run.config.until_accuracy
    shared = min(max(point.val_accuracy for point in item.curve) for item in racing)
    if asked is None and stats.wilson(shared, run.data.validation_images)[0] <= _guess(run):
        return None
    trials = {item.variant: index.good(item.variant, phase) for item in racing}
    accuracy = shared if asked is None else asked
    return race(phase, accuracy, index.baseline, racing, trials, asked=asked is not None)
