"""From the records of trained phases to the values of their report. No formatting here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.audit import AuditRecord
from bench.training.records import FailureRecord, PartEvaluation, TrainingRecord
from bench.training.store import StoredPhase, StoredTraining
from leafmodel.model_card import Card
from leafmodel.paired import Paired, paired
from leafmodel.training.history import EpochResult
from leafmodel.training.phases import phase, start_of


@dataclass(frozen=True)
class PhaseResult:
    """A trained phase: its card, its epochs, its answers for the test and validation images."""

    name: str
    card: Card
    history: tuple[EpochResult, ...]
    parts: tuple[PartEvaluation, ...]

    @property
    def headline(self) -> PartEvaluation:
        """The answers that count: for the test images if there are any, else for validation."""
        return self.parts[0]


@dataclass(frozen=True)
class Comparison:
    """Two phases on the same images; `first` is the one that the other should beat."""

    first: str
    second: str
    paired: Paired


@dataclass(frozen=True)
class TrainingResults:
    """All that the report of a training says.

    `part` is which images the accuracies are of: `test`, or `validation` where there is no test
    set. `untrained` are planned phases that have neither a model nor a failure.
    """

    head: TrainingRecord
    part: str
    phases: tuple[PhaseResult, ...]
    comparisons: tuple[Comparison, ...]
    failures: tuple[FailureRecord, ...]
    untrained: tuple[str, ...]
    audit: AuditRecord | None


def compute(stored: StoredTraining) -> TrainingResults:
    """The results of what a folder holds."""
    results = tuple(map(_phase, stored.phases))
    named = {item.name: item for item in results}
    failed = {record.phase for record in stored.failures}
    plan = stored.head.plan
    return TrainingResults(
        head=stored.head,
        part="test" if stored.head.data.test_images else "validation",
        phases=results,
        comparisons=tuple(
            Comparison(first, second, _paired(named[first], named[second]))
            for first, second in pairs(tuple(named))
        ),
        failures=stored.failures,
        untrained=tuple(name for name in plan if name not in named and name not in failed),
        audit=stored.audit,
    )


def chosen(phases: Sequence[PhaseResult]) -> PhaseResult:
    """The phase to use: the one with the best validation accuracy, the later one in a tie.

    Chosen by its test accuracy, that would be an accuracy no longer of images that it never saw.
    """
    return max(reversed(phases), key=lambda item: item.parts[-1].evaluation.accuracy.value)


def pairs(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Which phases are compared: each with what it continues; transfer with the network trained
    from zero; improved ones with plain fine-tuning."""
    found: dict[tuple[str, str], None] = {}
    for name in names:
        this = phase(name)
        start = start_of(this)
        rivals = ["finetune"] if start else ["cnn"] if this.has_backbone else []
        for rival in (*rivals, *([start.name] if start else [])):
            if rival in names and rival != name:
                found.setdefault((rival, name))
    return tuple(found)


def _phase(stored: StoredPhase) -> PhaseResult:
    return PhaseResult(
        stored.card.training.phase, stored.card, stored.history, stored.evaluation.parts
    )


def _paired(first: PhaseResult, second: PhaseResult) -> Paired:
    return paired(first.headline.truth, first.headline.called, second.headline.called)
