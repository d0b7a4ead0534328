"""The sweep of a run: what a suite's table [sweep] or `--sweep` says, and the runs that it makes.

Each emulated device is an ordinary run in the folder of the measured one, on the same images with
the same seed: RUN/sweep/step-51ms. Measured and emulated records never lie side by side. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import values
from bench.backends import Backend
from bench.claim_map import LEAST_POINTS
from bench.device_schema import DeviceProfile, SweepSpec
from bench.devices import WRITTEN_OUT, device
from bench.errors import ConfigError
from bench.schema import ProfileMode, RunConfig
from bench.toml_files import refuse_unknown
from bench.values import Given
from bench.variants import variant
from leafmodel.training.execution import AS_USUAL

FOLDER = "sweep"
DECLINED = "none"
KEYS = ("steps", "variants", "blocks", "epochs")


@dataclass(frozen=True)
class Part:
    """One device of a sweep: the step it takes, the folder of its run, what that run does."""

    step: str
    folder: Path
    config: RunConfig


def overridden(suite: Given | None, steps: str) -> Given:
    """What `--sweep` makes of a suite's table: other steps, or none."""
    where = "--sweep"
    if steps.strip() == DECLINED:
        return Given({"steps": DECLINED}, where)
    table = suite.value if suite and isinstance(suite.value, Mapping) else {}
    return Given({**table, "steps": steps}, where)


def parse(given: Given, config: RunConfig) -> SweepSpec:
    """The sweep of a run; blocks and epochs are the run's where nothing is said.

    Raises:
        ConfigError: not a table, an unknown key, too few steps, or a step that is none.
    """
    table = given.value
    if not isinstance(table, Mapping):
        raise ConfigError(f"{given.where} must be a table ([sweep]), found {table!r}.")
    refuse_unknown(table, KEYS, given.where)
    if table.get("steps") == DECLINED:
        return SweepSpec(())

    def read(key: str, parser: Any, otherwise: Any) -> Any:
        return parser(Given(table[key], f"{given.where}: {key}")) if key in table else otherwise

    made = SweepSpec(
        steps=read("steps", steps_of, ()),
        variants=read("variants", values.variants, ()),
        blocks=read("blocks", values.count(1), config.blocks),
        epochs=read("epochs", values.count(1), config.epochs),
    )
    if not made.steps:
        raise ConfigError(f"{given.where} does not say which steps: add steps = ['100ms', '10ms'].")
    _require_possible(given, config, made)
    return made


def steps_of(given: Given) -> tuple[str, ...]:
    """The times of a sweep, each once and each one that a device can take.

    Raises:
        ConfigError: too few, twice the same, or not a time.
    """
    found = values.names(given)
    if len(found) < LEAST_POINTS:
        raise ConfigError(
            f"{given.where} must name {LEAST_POINTS} times or more, as in 200ms,51ms."
        )
    for step in found:
        device_of(step, given.where)
    return found


def device_of(step: str, where: str, rest: Mapping[str, Any] | None = None) -> DeviceProfile:
    """The device whose step takes so long; `rest` is what else a written-out device has.

    Raises:
        ConfigError: no such device can be.
    """
    parts = {"step": step, **(rest or {})}
    text = WRITTEN_OUT + ",".join(f"{key}={value}" for key, value in parts.items())
    return device(Given(text, where))


def parts(config: RunConfig, folder: Path) -> tuple[Part, ...]:
    """The runs of the sweep of a run in `folder`, in the order in which they are made."""
    swept = config.sweep
    if swept is None or config.device is not None:
        return ()
    return tuple(
        Part(step, folder / FOLDER / f"step-{step}", _on_device(config, swept, step))
        for step in swept.steps
    )


def _on_device(config: RunConfig, swept: SweepSpec, step: str) -> RunConfig:
    """The same images and pipelines on a device that only takes time; nothing trains there.

    The noise floor is the measured run's: what a map needs of a device is one ratio. Whatever the
    measured run trains on, tf.data feeds the device.
    """
    return replace(
        config,
        variants=swept_variants(config, swept),
        blocks=swept.blocks,
        epochs=swept.epochs,
        device=device_of(step, "sweep"),
        backend=Backend.TENSORFLOW,
        profile=ProfileMode.NONE,
        until_accuracy=None,
        audit_data=False,
        sweep=None,
        explain=(),
        noise_floor=False,
    )


def swept_variants(config: RunConfig, swept: SweepSpec) -> tuple[str, ...]:
    """The claim's two, then the others."""
    claim = config.claim
    return tuple(dict.fromkeys((claim.baseline, claim.candidate, *swept.variants)))


def _require_possible(given: Given, config: RunConfig, made: SweepSpec) -> None:
    for name in swept_variants(config, made):
        if variant(name).pipeline.needs_frozen_backbone:
            raise ConfigError(
                f"{given.where}: variant {name!r} caches what a network makes of each image, which "
                "an emulated device cannot compute: leave it out, or give --sweep none."
            )
        if variant(name).execution != AS_USUAL:
            raise ConfigError(
                f"{given.where}: variant {name!r} changes how a model is executed, and an emulated "
                "device executes none: leave it out, or give --sweep none."
            )
