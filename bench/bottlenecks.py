"""Findings from profiles: what each profiled (variant, phase) is bound by, and what would help.

A profile gets one name: `input-bound`, `augmentation-bound`, `sequential-stage` or `compute-bound`.
A wait for augmentation is `augmentation-bound` also where that runs on one thread at a time (the
sentence says so then): it can be moved and made cheaper, not only spread over cores.

What a change saves is an upper bound, from the profile alone. A stage whose wall time shrinks by a
share of it saves no more than that, and no more than the step waits for it (what ran ahead costs
the step nothing). A prefetch hides no more than the rest of the step is long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench import stalls
from bench.evidence import INPUT_BOUND_SHARE, Evidence, Finding, Severity, where
from bench.profile_measures import AGREEMENT, AUGMENTATION, Part, ProfileResult, Work
from bench.profile_schema import HAND_OVER, Place, ProfileRecord
from leafmodel.pipelines.spec import ALL_CORES, AUTOTUNE, AugmentForm, Cache, Loader, PipelineSpec

AUGMENT = "augment"
# The stages that a parallel `map` spreads over cores; the others run on one thread by nature.
MAPPED = ("read", "decode", "resize", "convert", AUGMENT)
# What a cache of decoded images makes needless.
CACHED = ("read", "decode", "resize")
# Two threads that overlap now and then, at the border between calls, are still one at a time.
SEQUENTIAL_THREADS = 1.2
# The Keras layers resample an image for its translation, its rotation and its zoom.
RESAMPLINGS = 3
FUSED_SAVES = 1 - 1 / RESAMPLINGS
# Fused, augmentation in the model can save two thirds of itself; from 15 % of a step on, that is
# the tenth below which nothing is worth anybody's time.
IN_MODEL_SHARE = INPUT_BOUND_SHARE / FUSED_SAVES
# A change that saves less is not worth its sentence; nor is a kind of operation.
LEAST_SHARE = 0.01
MOST_KINDS = 3
# Beyond it, a factor says no more than that the step does nothing else.
NEARLY_ALL = 0.99


@dataclass(frozen=True)
class Change:
    """What would help: its name, how it is done, and the share of a step it saves at the most."""

    name: str
    how: str
    saves: float


@dataclass(frozen=True)
class _Case:
    """The part of a profiled step that a finding is about, and what it runs on."""

    item: ProfileResult
    part: Part
    accelerator: bool

    @property
    def pipeline(self) -> PipelineSpec:
        return self.item.record.spec.trial.pipeline

    @property
    def share(self) -> float:
        """Of the step."""
        return self.part.seconds / self.item.step_s

    @property
    def work(self) -> Work | None:
        """The stage's work, waited for or not; None where no stage was at work."""
        return next((work for work in self.item.work if work.stage == self.part.name), None)

    @property
    def one_at_a_time(self) -> bool:
        """Whether the stage could use more cores, and its pipeline does not let it.

        The Python generator's `map_parallelism` is always 1, and all that it does is sequential.
        """
        spreads = self.part.name in MAPPED or self.pipeline.loader is Loader.IMAGE_DATA_GENERATOR
        if self.work is None or not spreads or self.item.cores == 1:
            return False
        return self.pipeline.map_parallelism == 1 and self.work.parallelism <= SEQUENTIAL_THREADS

    def saved(self, shrunk: float) -> float:
        """The share of a step saved at the most if the stage's wall time shrinks by `shrunk`."""
        wall_s = self.work.wall_s if self.work else self.part.seconds
        return min(self.share, shrunk * wall_s / self.item.step_s)


def find(evidence: Evidence) -> Iterator[Finding]:
    """What binds each profiled (variant, phase), then what is wrong with profiles."""
    accelerator = bool(evidence.run.environment.gpus)
    for item in evidence.profiles:
        yield _bound(item, accelerator)
        yield from _wait_disagrees(item)
    yield from stalls.profiled(evidence)
    yield from map(_missing, evidence.unread_profiles)


def _bound(item: ProfileResult, accelerator: bool) -> Finding:
    awaited = item.awaited
    if awaited is not None and item.share(Place.INPUT) >= INPUT_BOUND_SHARE:
        return _pipeline_bound(_Case(item, awaited, accelerator))
    share = item.share(Place.MODEL, AUGMENTATION)
    if share >= IN_MODEL_SHARE:
        part = Part(Place.MODEL, AUGMENTATION, share * item.step_s)
        return _augmentation_in_model(_Case(item, part, accelerator))
    return _compute_bound(item, accelerator)


def _pipeline_bound(case: _Case) -> Finding:
    code = "sequential-stage" if case.one_at_a_time else "input-bound"
    if case.part.name == AUGMENT:
        code = "augmentation-bound"
    what = (
        f"each step waits for its batch in {_percent(case.item.share(Place.INPUT))} of its time, "
        f"longest for {case.part.name} ({_amount(case)}), {_threads(case)}"
    )
    return _finding(code, case, what, _pipeline_changes(case), _shared_cores(case))


def _shared_cores(case: _Case) -> str:
    """What to expect where the model has no device of its own."""
    if case.accelerator:
        return ""
    note = "; the model shares these cores and computes slower while the pipeline works"
    if case.part.name == AUGMENT:
        note += ", and augment=model would only move the work onto the same cores"
    return note


def _threads(case: _Case) -> str:
    if case.part.name == HAND_OVER:
        return "in which no stage of the pipeline is at work"
    if case.one_at_a_time:
        return f"which runs on one thread at a time of {_cores(case.item.cores)}"
    threads = f"{case.work.parallelism:.1f} threads" if case.work else "threads that left no trace"
    return f"which runs on {threads} of {_cores(case.item.cores)}"


def _augmentation_in_model(case: _Case) -> Finding:
    what = (
        f"augmentation inside the model takes {_amount(case)}; the step waits for its batch in "
        f"{_percent(case.item.share(Place.INPUT))}"
    )
    changes = [*_fused(case)]
    if case.accelerator and case.pipeline.loader is Loader.TF_DATA:
        how = "augment=pipeline with prefetch=2, so that the host augments while the device trains"
        changes.append(Change("augment=pipeline", how, min(case.share, 1 - case.share)))
    return _finding("augmentation-bound", case, what, changes)


def _finding(
    code: str, case: _Case, what: str, changes: Iterable[Change], note: str = ""
) -> Finding:
    """The sentence with what each change saves, and the remedy without numbers."""
    best = sorted(
        (change for change in changes if change.saves >= LEAST_SHARE), key=lambda c: -c.saves
    ) or [Change("a cheaper pipeline", "fewer or smaller images, or more cores", case.share)]
    gains = ", ".join(f"{_gain(change.saves)} by {change.name}" for change in best)
    remedy = "; or ".join(change.how for change in best) + note
    text = f"{what}; at most to be saved: {gains}"
    most = best[0].saves
    return Finding(code, Severity.INFO, text, where(case.item), remedy, cost_share=most)


def _pipeline_changes(case: _Case) -> Iterator[Change]:
    """What would shorten or hide the wait for a stage, given what its pipeline is already."""
    if case.pipeline.loader in (Loader.TF_DATA, Loader.MEMORY_MAPPED):
        yield from _tf_data_changes(case)
    else:
        # Other code for the same work: no more is known than that it cannot save more than all.
        cache = ", cache=decoded" if case.part.name in (*CACHED, "python") else ""
        how = f"loader=tf_data with map_parallelism=0 (all cores){cache} and prefetch=2"
        yield Change("loader=tf_data", how, case.share)
    if case.part.name == AUGMENT and case.accelerator:
        how = "augment=model, which moves the augmentation onto the device"
        yield Change("augment=model", how, case.share)
    if case.part.name == HAND_OVER:
        yield Change("larger batches", "larger batches, so that fewer are handed over", case.share)


def _tf_data_changes(case: _Case) -> Iterator[Change]:
    pipeline, stage = case.pipeline, case.part.name
    if stage in MAPPED and pipeline.map_parallelism not in (ALL_CORES, AUTOTUNE):
        threads = max(1.0, case.work.parallelism if case.work else 1.0)
        saves = case.saved(max(0.0, 1 - threads / case.item.cores))
        yield Change("map_parallelism=0", "map_parallelism=0 (all cores)", saves)
    if stage == AUGMENT:
        yield from _fused(case)
    if stage in CACHED and pipeline.cache is Cache.NONE and pipeline.loader is Loader.TF_DATA:
        how = "cache=decoded, if the decoded images fit into memory"
        yield Change("cache=decoded", how, case.share)
    if pipeline.prefetch == 0:
        rest = 1 - case.item.share(Place.INPUT)
        how = "prefetch=2, so that batches are made while the model computes"
        yield Change("prefetch=2", how, min(case.share, rest))


def _fused(case: _Case) -> Iterator[Change]:
    if case.pipeline.augment_form is AugmentForm.FUSED:
        return
    name = "fused resamplings"
    how = f"fuse the augmentation's {RESAMPLINGS} resamplings into one"
    yield Change(name, how, case.saved(FUSED_SAVES))


def _compute_bound(item: ProfileResult, accelerator: bool) -> Finding:
    wait = item.share(Place.INPUT)
    what = (
        f"the model computes in {_percent(item.share(Place.MODEL))} of each step{_kinds(item)} and "
        f"waits for its batch in {_percent(wait)}{_idle(item)}: no pipeline change can save more "
        f"than {_gain(wait)}{_beside(item, accelerator)}"
    )
    remedy = "make the model's step cheaper (device, precision, compilation, a smaller model)"
    return Finding("compute-bound", Severity.INFO, what, where(item), remedy, cost_share=wait)


def _kinds(item: ProfileResult) -> str:
    """The largest kinds of the model's operations, as shares of the step."""
    shares = [(p.seconds / item.step_s, p.name) for p in item.parts if p.place is Place.MODEL]
    largest = [(share, name) for share, name in shares if share >= LEAST_SHARE][:MOST_KINDS]
    text = ", ".join(f"{name} {_percent(share)}" for share, name in largest)
    return f" ({text})" if text else ""


def _idle(item: ProfileResult) -> str:
    """Where much of the step is neither, that is the next thing to look at."""
    share = item.share(Place.IDLE)
    return f", {_percent(share)} is neither" if share >= INPUT_BOUND_SHARE else ""


def _beside(item: ProfileResult, accelerator: bool) -> str:
    """What the bound leaves out: cores that the pipeline takes from the model, other steps."""
    text = ""
    if not accelerator and item.work_s >= LEAST_SHARE * item.cores * item.step_s:
        took = _ms(item.work_s)
        text = f", beside what the pipeline's {took} of thread time a step take from its cores"
    timed = item.wait.timed
    if timed is not None and timed >= INPUT_BOUND_SHARE:
        text += (
            f"; in the timed trials, with each epoch's first batches, it waits {_percent(timed)}"
        )
    outside = item.outside_steps
    if outside is not None and outside >= INPUT_BOUND_SHARE:
        text += (
            f"; and {_percent(outside)} of its timed epochs lies outside their steps, at the "
            "boundaries, where a pipeline can still be slow and this profile does not look"
        )
    return text


def _wait_disagrees(item: ProfileResult) -> Iterator[Finding]:
    if item.wait.agree is False:
        what = f"accounts of the input wait disagree: {', and '.join(_disagreements(item))}"
        remedy = (
            "trust neither account to more than that; a millisecond or two between our meter and "
            "the raw events is the step's dispatch, which only our meter counts, and matters in "
            "short steps alone; otherwise profile again on a quiet machine"
        )
        yield Finding("wait-disagrees", Severity.WARNING, what, where(item), remedy)


def _disagreements(item: ProfileResult) -> Iterator[str]:
    """The pairs of accounts of the same steps that are further apart than they may be."""
    wait = item.wait
    pairs = (("our meter", wait.meter, wait.events), ("xprof", wait.analyser, wait.analyser_events))
    for name, one, raw in pairs:
        if one is not None and raw is not None and abs(one - raw) > AGREEMENT:
            yield (
                f"{name} says {one:.1%}, the raw events of the same steps {raw:.1%} "
                f"({100 * abs(one - raw):.1f} percentage points apart, "
                f"{_ms(abs(one - raw) * item.step_s)} of a step)"
            )


def _missing(record: ProfileRecord) -> Finding:
    why = record.failure.message if record.failure else "It was not read."
    what = f"there is no profile: {why.rstrip('.')}"
    place = f"{record.spec.trial.variant}, {record.spec.trial.phase}"
    remedy = "leafbench run --resume makes missing profiles again; or run again with --profile"
    return Finding("profile-missing", Severity.WARNING, what, place, remedy)


def _amount(case: _Case) -> str:
    """`32%: 180 ms a step, 5.6 ms an image`."""
    seconds = case.part.seconds
    image = _ms(case.item.per_image_s(seconds))
    return f"{_percent(case.share)}: {_ms(seconds)} a step, {image} an image"


def _gain(share: float) -> str:
    """A saved share of a step, and how many times as fast the step then is."""
    factor = f" ({1 / (1 - share):.2f}x)" if share < NEARLY_ALL else ""
    return f"{_percent(share)} of a step{factor}"


def _cores(count: int) -> str:
    return f"{count} core{'' if count == 1 else 's'}"


def _percent(share: float) -> str:
    """One digit more where a whole per cent would be coarse."""
    return f"{share:.1%}" if share < INPUT_BOUND_SHARE else f"{share:.0%}"


def _ms(seconds: float) -> str:
    value = 1e3 * seconds
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.2g} ms"
