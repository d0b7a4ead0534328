"""The head of a study: on what it is made, and whether that is still so when it goes on."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

from bench import environment, images, plan
from bench.environment import leafbench_version
from bench.errors import ConfigError, PlanChangedError
from bench.images import Images, OnProgress
from bench.schema import SCHEMA_VERSION, Environment
from bench.tuning.proposer import proposer_name
from bench.tuning.schema import StudyConfig, StudyRecord
from bench.tuning.space import PHASE, SPACE

_IMAGE_KEYS = ("fingerprint", "train_images", "validation_images", "skipped")


def make_head(
    config: StudyConfig,
    folder: Path,
    command: tuple[str, ...],
    loaded: Images,
    created_at: datetime,
    machine: Environment,
) -> StudyRecord:
    """The head of a new study."""
    return StudyRecord(
        schema_version=SCHEMA_VERSION,
        study_id=folder.name,
        created_at=created_at.isoformat(timespec="seconds"),
        leafbench_version=leafbench_version(),
        command=command,
        config=config,
        data=loaded.summary,
        environment=machine,
        space=_space(),
        proposer=proposer_name(),
        guess=_guess(loaded),
    )


def _guess(loaded: Images) -> float:
    """Accuracy of naming the most frequent class of the training images, whatever is shown."""
    train = Counter(label for _, label in loaded.files.train)
    frequent = train.most_common(1)[0][0]
    labels = [label for _, label in loaded.files.validation]
    return labels.count(frequent) / len(labels)


def _space() -> dict[str, tuple[float, ...]]:
    return {axis.name: axis.levels for axis in SPACE}


def load_images(config: StudyConfig, work: Path, on_progress: OnProgress) -> Images:
    """Check, split and prepare the images.

    Raises:
        DataError: no such folder, bad files.
        ConfigError: too few images for the largest batch that is tried.
    """
    loaded = images.load(config.as_run(batch_size=1), work, on_progress)
    largest = max(int(axis.levels[-1]) for axis in SPACE if axis.name == "batch_size")
    if loaded.summary.train_images < largest:
        raise ConfigError(
            f"The study tries batches of up to {largest} images, and {config.data} leaves "
            f"{loaded.summary.train_images} to train on: use more images (--images, --data)."
        )
    return loaded


def require_possible(config: StudyConfig) -> None:
    """Refuse a pipeline that the CNN cannot be trained with.

    Raises:
        ConfigError: no such variant, or it needs a backbone.
    """
    if not plan.applicable(config.as_run(batch_size=1), PHASE):
        raise ConfigError(
            f"--variant {config.variant} needs a frozen backbone, and the study trains the "
            f"{PHASE}, which has none: choose another, such as in_model_cache."
        )


def require_unchanged(study: StudyRecord, loaded: Images, machine: Environment) -> None:
    """Refuse to go on with a study under other conditions.

    Raises:
        PlanChangedError: names what changed since it began.
    """
    ours, theirs = study.data, loaded.summary
    pairs = [
        ("space", study.space, _space()),
        ("proposer", study.proposer, proposer_name()),
        ("leafbench", study.leafbench_version, leafbench_version()),
        *((f"images, {key}", getattr(ours, key), getattr(theirs, key)) for key in _IMAGE_KEYS),
        *((d.key, d.ours, d.theirs) for d in environment.must_match(study.environment, machine)),
    ]
    changes = [f"  {key}: {old} -> {new}" for key, old, new in pairs if old != new]
    if changes:
        listed = "\n".join(changes)
        raise PlanChangedError(
            f"Study {study.study_id} cannot go on, because its trainings would not be comparable. "
            f"Changed since it began:\n{listed}\nUndo that, or begin a new study."
        )
