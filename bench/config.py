"""Suites and the command line become one frozen `RunConfig`: the only parser of user input.

A suite is a TOML file: one of ours by name (`quick`), or the user's own by path. Every key can be
overridden from the command line; a message always says where the value that it refuses was given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import plan, sweep_plan, values
from bench.backends import Backend
from bench.devices import device, profile_names, profile_summary
from bench.errors import ConfigError
from bench.execution_rules import require_possible
from bench.profile_schema import FEWEST_STEPS, MOST_STEPS
from bench.schema import ClaimSpec, ProfileMode, RunConfig
from bench.toml_files import read_toml, refuse_unknown
from bench.variants import VARIANTS, Variant, variant
from leafmodel.errors import ModelError
from leafmodel.models.catalogue import default_backbone, require_backbone
from leafmodel.pipelines.extras import lacking
from leafmodel.training.improvements import ABOUT
from leafmodel.training.phases import PHASES, phase

SUITES_FOLDER = Path(__file__).parent / "suites"
DEFAULT_SUITE = "quick"
DEFAULT_DATA = "data/leaves"
SMALLEST_IMAGE = 32
LARGEST_SEED = 2**32 - 1
CLAIM_KEYS = ("target", "baseline", "candidate")

_DEFAULTS: Mapping[str, Any] = {
    "data": DEFAULT_DATA,
    "phases": ("cnn",),
    "images": None,
    "seed": 0,
    "augment": True,
    "skip_bad": False,
    "trial_timeout_s": 900.0,
    "profile": ProfileMode.AUTO,
    "profile_steps": 8,
    "backbone": "",
    "weights": "imagenet",
    "start_epochs": 8,
    "until_accuracy": None,
    "audit_data": False,
    "device": None,
    "backend": Backend.TENSORFLOW,
    "explain": (),
    "service": "",
}


def make_config(
    suite: str = DEFAULT_SUITE, overrides: Mapping[str, Any] | None = None
) -> RunConfig:
    """Merge a suite with what the command line says; None in `overrides` means not given.

    Claims are the keys `target`, `baseline` and `candidate`.

    Raises:
        ConfigError: anything unknown, malformed or impossible; says where and what to do.
    """
    table = _suite_table(suite)
    swept = table.pop("sweep", None)
    for key, value in (overrides or {}).items():
        if key == "sweep" and value is not None:
            swept = sweep_plan.overridden(swept, value)
        elif value is not None:
            table[key] = values.Given(value, f"--{_FLAGS.get(key, key.replace('_', '-'))}")
    parsed = {key: _PARSERS[key](given) for key, given in table.items()}
    _require_complete(parsed, suite)
    claim = ClaimSpec(**{key: parsed.pop(key) for key in CLAIM_KEYS if key in parsed})
    config = RunConfig(suite=suite, claim=claim, **{**_DEFAULTS, **parsed})
    _check_claim(config)
    _check_phases(config)
    config = _on_backend(config, overrides or {})
    require_possible(config)
    _check_service(config)
    if config.device:
        return _on_device(config, overrides or {})
    return replace(config, sweep=sweep_plan.parse(swept, config)) if swept else config


def for_machine(config: RunConfig, gpus: Sequence[str]) -> RunConfig:
    """The configuration with its backbone named: where none was given, what suits the machine.

    A run without a pretrained phase has neither backbone nor weights.

    Raises:
        ConfigError: there is no such backbone, or no such file of weights; or a variant's loader is
            not installed.
    """
    for name in config.variants:
        why = lacking(variant(name).pipeline)
        if why:
            raise ConfigError(f"Variant {name!r} {why}; or leave it out.")
    if not any(phase(name).has_backbone for name in config.phases):
        return replace(config, backbone="", weights="")
    named = replace(config, backbone=config.backbone or default_backbone(bool(gpus)))
    try:
        require_backbone(named.backbone, named.weights)
    except ModelError as error:
        raise ConfigError(f"--backbone, --weights: {error}") from error
    return named


def suite_names() -> tuple[str, ...]:
    """The suites that come with leafbench, cheapest first."""
    found = {path.stem for path in SUITES_FOLDER.glob("*.toml")}
    ours = ("smoke", "gate", "quick", "phases", "race", "claim", "full", "paper")
    return (*(name for name in ours if name in found), *sorted(found.difference(ours)))


def gate_table(suite: str) -> tuple[Mapping[str, Any], str]:
    """A suite's table [gate], empty if it has none, and where it stands.

    Raises:
        ConfigError: there is no such suite, or the table is none.
    """
    path = _suite_path(suite)
    table = read_toml(path, "suite").get("gate", {})
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: gate must be a table ([gate]), found {table!r}.")
    return table, f"{path}, table [gate]"


def suite_summary(name: str) -> str:
    """The sentence that introduces a suite."""
    return str(read_toml(SUITES_FOLDER / f"{name}.toml", "suite").get("summary", ""))


def listing(what: str) -> list[dict[str, Any]]:
    """The variants, phases, improvements, suites or devices, each with a name and a summary."""
    if what == "suites":
        return [{"name": name, "summary": suite_summary(name)} for name in suite_names()]
    if what == "phases":
        return [{"name": item.name, "summary": item.summary} for item in PHASES.values()]
    if what == "devices":
        return [{"name": name, "summary": profile_summary(name)} for name in profile_names()]
    if what == "improvements":
        return [
            {"name": name, "summary": f"{about.summary} ({about.source})"}
            for name, about in ABOUT.items()
        ]
    return [_variant_row(item) for item in VARIANTS.values()]


def _variant_row(item: Variant) -> dict[str, Any]:
    """Its name, summary and pipeline; and what it lacks to be run here, if anything."""
    why = lacking(item.pipeline)
    unavailable = {"unavailable": why} if why else {}
    return {"name": item.name, "summary": item.summary, "pipeline": item.pipeline, **unavailable}


def _suite_table(suite: str) -> dict[str, values.Given]:
    path = _suite_path(suite)
    raw = read_toml(path, "suite")
    raw.pop("summary", None)
    raw.pop("gate", None)
    claim = raw.pop("claim", {})
    if not isinstance(claim, dict):
        raise ConfigError(f"{path}: claim must be a table ([claim]), found {claim!r}.")
    refuse_unknown(raw, {*_PARSERS, "claim", "sweep"} - set(CLAIM_KEYS), f"{path}")
    refuse_unknown(claim, CLAIM_KEYS, f"{path}, table [claim]")
    table = {key: values.Given(value, f"{path}: {key}") for key, value in raw.items()}
    if "sweep" in raw:
        table["sweep"] = values.Given(raw["sweep"], f"{path}, table [sweep]")
    claimed = {key: values.Given(value, f"{path}: claim.{key}") for key, value in claim.items()}
    return table | claimed


def _suite_path(suite: str) -> Path:
    if suite in suite_names():
        return SUITES_FOLDER / f"{suite}.toml"
    path = Path(suite)
    if path.is_file():
        return path
    raise ConfigError(
        f"There is no suite {suite!r}.{values.suggestion(suite, suite_names())} Known: "
        f"{', '.join(suite_names())}; your own is given as the path of a TOML file."
    )


def _require_complete(parsed: Mapping[str, Any], suite: str) -> None:
    needed = ("variants", "blocks", "epochs", "batch_size", "image_size")
    missing = [key for key in needed if key not in parsed]
    if missing:
        raise ConfigError(
            f"The suite {suite} does not say {', '.join(missing)}: add it to the file, or give "
            f"{', '.join('--' + key.replace('_', '-') for key in missing)}."
        )


def _check_phases(config: RunConfig) -> None:
    """Every variant must be possible in some phase, and the claim's two in all of them."""
    frozen = [name for name in config.phases if phase(name).is_frozen]
    needy = [n for n in config.variants if variant(n).pipeline.needs_frozen_backbone]
    claimed = {config.claim.baseline, config.claim.candidate}
    for name in needy:
        if not frozen or (name in claimed and len(frozen) < len(config.phases)):
            others = ", ".join(item for item in config.phases if item not in frozen)
            raise ConfigError(
                f"Variant {name!r} caches what a frozen backbone makes of each image, and has no "
                f"meaning in: {others}. Leave it out, or run --phases transfer."
            )


def _check_service(config: RunConfig) -> None:
    """A service must have something to do."""
    used = [name for name in config.variants if variant(name).pipeline.service_workers]
    if config.service and not used:
        raise ConfigError(
            f"--service {config.service}: no variant of this run uses a tf.data service; add one "
            f"with --variants {','.join((*config.variants, 'service'))}, or leave out --service."
        )


def _on_backend(config: RunConfig, overrides: Mapping[str, Any]) -> RunConfig:
    """The configuration of a run on another backend than TensorFlow, whose steps nobody profiles.

    What a profile tells is read from events of TensorFlow's own steps: on JAX a trace shows no
    fetch of a batch, and PyTorch writes traces of another kind.
    """
    if config.backend is Backend.TENSORFLOW:
        return config
    if config.device is not None:
        raise ConfigError(
            f"--backend {config.backend} is about training, and an emulated device trains nothing: "
            "leave out --backend, or --device."
        )
    if overrides.get("profile") not in (None, ProfileMode.NONE):
        raise ConfigError(
            f"--profile reads TensorFlow's steps, and this run is on {config.backend.label}: leave "
            "it out, or leave out --backend."
        )
    return replace(config, profile=ProfileMode.NONE)


def _on_device(config: RunConfig, overrides: Mapping[str, Any]) -> RunConfig:
    """The configuration of an emulated run: nothing trains in it, and no step can be profiled."""
    if overrides.get("sweep") not in (None, sweep_plan.DECLINED):
        raise ConfigError(
            "--sweep tries several emulated devices behind measured trials, and --device has one "
            "for all of them: leave one of the two out."
        )
    for key in ("profile", "until_accuracy", "start_epochs"):
        if overrides.get(key) not in (None, ProfileMode.NONE):
            raise ConfigError(
                f"--{key.replace('_', '-')} is about training, and an emulated device trains "
                "nothing: leave it out, or leave out --device."
            )
    for name in config.variants:
        if variant(name).pipeline.needs_frozen_backbone:
            raise ConfigError(
                f"Variant {name!r} caches what a network makes of each image, which an emulated "
                "device cannot compute: leave it out of --variants, or leave out --device."
            )
    made = replace(config, profile=ProfileMode.NONE, until_accuracy=None)
    plan.build(made)  # every phase and augmentation has its times, or this says which has none
    return made


def _check_claim(config: RunConfig) -> None:
    claim = config.claim
    for role, name in (("baseline", claim.baseline), ("candidate", claim.candidate)):
        if name not in config.variants:
            raise ConfigError(
                f"The {role} of the claim, {name!r}, is not among the variants of this run "
                f"({', '.join(config.variants)}): add it with "
                f"--variants {','.join((*config.variants, name))}, or name another with --{role}."
            )


_FLAGS = {"target": "claim", "augment": "no-augment"}

_PARSERS: Mapping[str, Callable[[values.Given], Any]] = {
    "data": values.text,
    "variants": values.variants,
    "phases": values.phases,
    "blocks": values.count(1),
    "epochs": values.count(1),
    "batch_size": values.count(1),
    "image_size": values.count(SMALLEST_IMAGE),
    "images": values.count(1),
    "seed": values.count(0, LARGEST_SEED),
    "augment": values.flag,
    "skip_bad": values.flag,
    "trial_timeout_s": values.seconds,
    "profile": values.profile,
    "profile_steps": values.count(FEWEST_STEPS, MOST_STEPS),
    "backbone": values.text,
    "weights": values.text,
    "start_epochs": values.count(1),
    "until_accuracy": values.accuracy,
    "audit_data": values.flag,
    "device": device,
    "backend": values.backend,
    "explain": values.variants,
    "service": values.service,
    "target": values.target,
    "baseline": values.text,
    "candidate": values.text,
}
