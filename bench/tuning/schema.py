"""The records of a study: its head, and what KerasTuner is asked and answers.

A training of the study is a trial like any other: its record is a `bench.schema.TrialRecord`, in a
file of its own, and says by phase and batch size which setting it trained.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.schema import ClaimSpec, DataSummary, Environment, RunConfig, require
from bench.tuning.space import PHASE, Setting


@dataclass(frozen=True)
class StudyConfig:
    """Everything that decides what a study does.

    Attributes:
        data: folder of images.
        trials: settings that are tried.
        epochs: of every training.
        images: images taken from the folder before the split; None is all.
        variant: the input pipeline, one for all trainings.
        seed: of the split, of the settings and of the weights.
        checks: seeds with which the best and the default setting are trained again.
        trial_timeout_s: a training that takes longer is killed and recorded as failed.
    """

    data: str
    trials: int
    epochs: int
    images: int | None
    image_size: int
    variant: str
    seed: int
    checks: int = 3
    trial_timeout_s: float = 3600.0

    def __post_init__(self) -> None:
        for key in ("trials", "epochs", "image_size"):
            require(getattr(self, key) > 0, f"{key} must be above 0, found {getattr(self, key)}")

    def as_run(self, batch_size: int) -> RunConfig:
        """A run on the same images, for what only knows runs."""
        return RunConfig(
            suite="tune",
            data=self.data,
            variants=(self.variant,),
            phases=(PHASE,),
            blocks=1,
            epochs=self.epochs,
            batch_size=batch_size,
            image_size=self.image_size,
            images=self.images,
            seed=self.seed,
            claim=ClaimSpec(baseline=self.variant, candidate=self.variant),
            trial_timeout_s=self.trial_timeout_s,
        )


@dataclass(frozen=True)
class StudyRecord:
    """The head of a study's folder (`study.json`): written before the first training.

    `space` is the levels of each hyperparameter, `proposer` who chose among them, and `guess` the
    validation accuracy of always naming the most frequent class of the training images.
    """

    schema_version: int
    study_id: str
    created_at: str
    leafbench_version: str
    command: tuple[str, ...]
    config: StudyConfig
    data: DataSummary
    environment: Environment
    space: dict[str, tuple[float, ...]]
    proposer: str
    guess: float


@dataclass(frozen=True)
class Answer:
    """What became of a setting that KerasTuner proposed; `accuracy` None with `why` if nothing."""

    setting: Setting
    accuracy: float | None
    why: str = ""


@dataclass(frozen=True)
class ProposalRequest:
    """What the proposing process reads; its `Proposal` goes to `out`.

    `answers` are all settings proposed so far, in their order.
    """

    schema_version: int
    seed: int
    trials: int
    answers: tuple[Answer, ...]
    out: str


@dataclass(frozen=True)
class Proposal:
    """The setting to try next; None if there is no other left."""

    schema_version: int
    setting: Setting | None
