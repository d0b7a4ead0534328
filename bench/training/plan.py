"""Which phases a training has, in which order, and what its workers are asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.errors import ConfigError
from bench.plan import start_name, trial_seed
from bench.schema import SCHEMA_VERSION, DataSummary
from bench.training.records import TrainConfig
from bench.training.requests import PhaseRequest
from bench.variants import pipeline_variant
from leafmodel.models.catalogue import require_backbone
from leafmodel.training.phases import phase

__all__ = [
    "VERSIONED",
    "Places",
    "request",
    "require_possible",
    "start_name",
    "training_phases",
    "training_seed",
]

VERSIONED = ("tensorflow", "keras")


@dataclass(frozen=True)
class Places:
    """Where a phase's worker finds and leaves things; see `PhaseRequest`."""

    files: str
    work: str
    folder: str
    tensorboard: str
    start: str


def training_phases(wanted: Sequence[str]) -> tuple[str, ...]:
    """The phases that are asked for, each behind the one that it continues, and each once.

    Raises:
        ModelError: there is no such phase.
    """
    ordered: dict[str, None] = {}
    for name in wanted:
        start = start_name(name)
        if start:
            ordered.setdefault(start)
        ordered.setdefault(name)
    return tuple(ordered)


def training_seed(seed: int, name: str) -> int:
    """The seed of a phase's weights, order and augmentation.

    A phase that continues another has one of its own. With the same one it would begin with exactly
    the augmented images, epoch by epoch, that the weights it continues were trained on.
    """
    return trial_seed(seed, 1 if start_name(name) else 0)


def request(
    config: TrainConfig,
    name: str,
    data: DataSummary,
    versions: Mapping[str, str],
    places: Places,
) -> PhaseRequest:
    """What the worker of a phase is asked."""
    wanted = phase(name)
    image_size = wanted.image_size(config.image_size)
    backbone = config.backbone if wanted.has_backbone else ""
    weights = config.weights if wanted.has_backbone else ""
    identity = {
        "phase": name,
        "settings": str(asdict(wanted)),
        "images": data.fingerprint,
        "classes": ", ".join(data.class_names),
        "training images": str(data.train_images),
        "seed": str(config.seed),
        "variant": config.variant,
        "batch size": str(config.batch_size),
        "image size": str(image_size),
        "backbone": backbone or "none",
        "weights": weights or "none",
        **{package: versions.get(package, "none") for package in VERSIONED},
    }
    return PhaseRequest(
        schema_version=SCHEMA_VERSION,
        phase=name,
        variant=config.variant,
        pipeline=pipeline_variant(config.variant).pipeline,
        backbone=backbone,
        weights=weights,
        epochs=config.epochs,
        batch_size=config.batch_size,
        image_size=image_size,
        split_seed=config.seed,
        seed=training_seed(config.seed, name),
        data=data,
        identity=identity,
        **asdict(places),
    )


def require_possible(config: TrainConfig) -> None:
    """Refuse a training whose variant, phases or backbone cannot be, before anything is read.

    Raises:
        ConfigError: the variant does not exist, or a phase cannot have it.
        ModelError: there is no such phase, no such backbone, or no such file of weights.
    """
    pipeline = pipeline_variant(config.variant).pipeline
    names = training_phases(config.phases)
    for name in names:
        if pipeline.needs_frozen_backbone and not phase(name).is_frozen:
            raise ConfigError(
                f"Variant {config.variant!r} caches what a frozen backbone makes of each image, "
                f"and {name} has none: choose another --variant, or train transfer alone."
            )
    if any(phase(name).has_backbone for name in names):
        require_backbone(config.backbone, config.weights)
