"""What a folder of trained models holds: its head, and a record of what each phase answered.

training.json    the head: what was asked, of which images, on which machine
split.json       which images train, validate and test, relative to the folder of images
audit.json       what the images gave away, where that was asked for
<phase>/         model.keras, card.json, card.md, evaluation.json, history.csv
<phase>/checkpoints/  the state after the last and the best epoch, until the phase has ended
<phase>/failure.json  why a phase has not ended well, until it has
tensorboard/     a run a phase
logs/            what each training printed
report.md, summary.json, figures/
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bench.schema import ClaimSpec, DataSummary, Environment, Failure, RunConfig, require
from leafmodel.evaluate import Evaluation


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a training is.

    Attributes:
        phases: as they were asked for; what they continue is trained before them.
        epochs: the most that a phase may take.
        images: images taken from the folder before the split; None is all.
        backbone, weights: of phases with a pretrained network.
        audit_data: whether the images are looked through for what makes accuracies optimistic.
    """

    data: str
    phases: tuple[str, ...]
    variant: str
    epochs: int
    batch_size: int
    image_size: int
    images: int | None
    seed: int
    backbone: str
    weights: str
    skip_bad: bool = False
    audit_data: bool = False

    def __post_init__(self) -> None:
        require(len(self.phases) > 0, "expected at least one phase to train")
        for key in ("epochs", "batch_size", "image_size"):
            require(getattr(self, key) > 0, f"{key} must be above 0, found {getattr(self, key)}")

    def as_run(self) -> RunConfig:
        """A run on the same images, for what only knows runs."""
        shared = asdict(self)
        variant = shared.pop("variant")
        return RunConfig(
            suite="train",
            variants=(variant,),
            blocks=1,
            claim=ClaimSpec(baseline=variant, candidate=variant),
            **shared,
        )


@dataclass(frozen=True)
class TrainingRecord:
    """The head of a folder of trained models; `plan` is the phases in the order of training."""

    schema_version: int
    run_id: str
    created_at: str
    leafbench_version: str
    command: tuple[str, ...]
    config: TrainConfig
    data: DataSummary
    environment: Environment
    plan: tuple[str, ...]


@dataclass(frozen=True)
class PartEvaluation:
    """A model's answers for one part of its images: `test` or `validation`.

    `truth` and `called` are class indices, an entry an image, in the order of the split.
    """

    part: str
    evaluation: Evaluation
    truth: tuple[int, ...]
    called: tuple[int, ...]


@dataclass(frozen=True)
class EvaluationRecord:
    """What a model answered: for the test images first, if there are any; then validation."""

    schema_version: int
    parts: tuple[PartEvaluation, ...]


@dataclass(frozen=True)
class FailureRecord:
    """Why a phase has no model."""

    schema_version: int
    phase: str
    failure: Failure
