"""Suites and the command line become one frozen `RunConfig`: the only parser of user input.

A suite is a TOML file: one of ours by name (`quick`), or the user's own by path. Every key can be
overridden from the command line; a message always says where the value that it refuses was given.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import ConfigError
from bench.profile_schema import FEWEST_STEPS, MOST_STEPS
from bench.schema import ClaimSpec, ProfileMode, RunConfig
from bench.variants import VARIANTS, variant
from leafmodel.errors import ModelError
from leafmodel.models.catalogue import default_backbone, require_backbone
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
}


@dataclass(frozen=True)
class Given:
    """A value and where the user gave it (`--blocks`, or a key of a file): for messages."""

    value: Any
    where: str


def make_config(
    suite: str = DEFAULT_SUITE, overrides: Mapping[str, Any] | None = None
) -> RunConfig:
    """Merge a suite with what the command line says; None in `overrides` means not given.

    Claims are the keys `target`, `baseline` and `candidate`.

    Raises:
        ConfigError: anything unknown, malformed or impossible; says where and what to do.
    """
    table = _suite_values(suite)
    for key, value in (overrides or {}).items():
        if value is not None:
            table[key] = Given(value, f"--{_FLAGS.get(key, key.replace('_', '-'))}")
    parsed = {key: _PARSERS[key](given) for key, given in table.items()}
    _require_complete(parsed, suite)
    claim = ClaimSpec(**{key: parsed.pop(key) for key in CLAIM_KEYS if key in parsed})
    config = RunConfig(suite=suite, claim=claim, **{**_DEFAULTS, **parsed})
    _check_claim(config)
    _check_phases(config)
    return config


def for_machine(config: RunConfig, gpus: Sequence[str]) -> RunConfig:
    """The configuration with its backbone named: where none was given, what suits the machine.

    A run without a pretrained phase has neither backbone nor weights.

    Raises:
        ConfigError: there is no such backbone, or no such file of weights.
    """
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
    ours = ("smoke", "quick", "phases", "race", "full", "paper")
    return (*(name for name in ours if name in found), *sorted(found.difference(ours)))


def suite_summary(name: str) -> str:
    """The sentence that introduces a suite."""
    return str(_read_toml(SUITES_FOLDER / f"{name}.toml").get("summary", ""))


def listing(what: str) -> list[dict[str, Any]]:
    """The variants, phases, improvements or suites, each with a name and a summary."""
    if what == "suites":
        return [{"name": name, "summary": suite_summary(name)} for name in suite_names()]
    if what == "phases":
        return [{"name": item.name, "summary": item.summary} for item in PHASES.values()]
    if what == "improvements":
        return [
            {"name": name, "summary": f"{about.summary} ({about.source})"}
            for name, about in ABOUT.items()
        ]
    return [
        {"name": v.name, "summary": v.summary, "pipeline": v.pipeline} for v in VARIANTS.values()
    ]


def parse_target(text: object) -> float:
    """A claim's target: `7x`, `7`, `7.0` or a number.

    Raises:
        ValueError: not a finite number above 0.
    """
    cleaned = str(text).strip().lower().removesuffix("x")
    if isinstance(text, bool) or not re.fullmatch(r"\d+(\.\d*)?|\.\d+", cleaned):
        raise ValueError(f"expected a factor such as 7x or 2.5, found {text!r}")
    target = float(cleaned)
    if target <= 0:
        raise ValueError(f"expected a factor above 0, found {text!r}")
    return target


def suggestion(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing if no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _suite_values(suite: str) -> dict[str, Given]:
    path = _suite_path(suite)
    raw = _read_toml(path)
    raw.pop("summary", None)
    claim = raw.pop("claim", {})
    if not isinstance(claim, dict):
        raise ConfigError(f"{path}: claim must be a table ([claim]), found {claim!r}.")
    _refuse_unknown(raw, _PARSERS.keys() - set(CLAIM_KEYS), f"{path}", "claim")
    _refuse_unknown(claim, CLAIM_KEYS, f"{path}, table [claim]")
    values = {key: Given(value, f"{path}: {key}") for key, value in raw.items()}
    return values | {key: Given(value, f"{path}: claim.{key}") for key, value in claim.items()}


def _suite_path(suite: str) -> Path:
    if suite in suite_names():
        return SUITES_FOLDER / f"{suite}.toml"
    path = Path(suite)
    if path.is_file():
        return path
    raise ConfigError(
        f"There is no suite {suite!r}.{suggestion(suite, suite_names())} Known: "
        f"{', '.join(suite_names())}; your own is given as the path of a TOML file."
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The suite {path} cannot be read: {error}.") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(found[1]) if found else len(text.splitlines())
        what = re.sub(r"\s*\(at [^)]*\)", "", str(error))
        raise ConfigError(
            f"{path}, line {line}: not valid TOML: {what}. Mend that line."
        ) from error


def _refuse_unknown(table: Mapping[str, Any], known: Iterable[str], where: str, *also: str) -> None:
    names = sorted({*known, *also})
    for key in table:
        if key not in names:
            raise ConfigError(
                f"{where}: unknown key {key!r}.{suggestion(key, names)} Known: {', '.join(names)}."
            )


def _refuse(given: Given, expected: str) -> ConfigError:
    return ConfigError(f"{given.where} must be {expected}, found {given.value!r}.")


def _count(least: int, most: int | None = None) -> Callable[[Given], int]:
    bounds = f"of {least} or more" if most is None else f"from {least} to {most}"

    def parse(given: Given) -> int:
        value = given.value
        if isinstance(value, bool) or not isinstance(value, int):
            raise _refuse(given, f"a whole number {bounds}")
        if value < least or (most is not None and value > most):
            raise _refuse(given, f"a whole number {bounds}")
        return value

    return parse


def _flag(given: Given) -> bool:
    if not isinstance(given.value, bool):
        raise _refuse(given, "true or false")
    return given.value


def _text(given: Given) -> str:
    if not isinstance(given.value, str) or not given.value.strip():
        raise _refuse(given, "a text that is not empty")
    return given.value


def _seconds(given: Given) -> float:
    value = given.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise _refuse(given, "a number of seconds above 0")
    return float(value)


def _profile(given: Given) -> ProfileMode:
    try:
        return ProfileMode(given.value)
    except ValueError as error:
        raise _refuse(given, f"one of {', '.join(ProfileMode)}") from error


def _target(given: Given) -> float:
    try:
        return parse_target(given.value)
    except ValueError as error:
        raise ConfigError(f"{given.where}: {error}.") from error


def _names(given: Given) -> tuple[str, ...]:
    raw = given.value.split(",") if isinstance(given.value, str) else given.value
    if not isinstance(raw, list | tuple) or not all(isinstance(name, str) for name in raw):
        raise _refuse(given, "a list of names")
    names = tuple(name.strip() for name in raw if name.strip())
    if not names:
        raise _refuse(given, "a list of at least one name")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{given.where} lists {', '.join(twice)} twice: name each once.")
    return names


def _variants(given: Given) -> tuple[str, ...]:
    names = _names(given)
    for name in names:
        try:
            variant(name)
        except ConfigError as error:
            hint = suggestion(name.split("+")[0], VARIANTS) if "Unknown" in str(error) else ""
            raise ConfigError(f"{given.where}: {error}{hint}") from error
    return names


def _phases(given: Given) -> tuple[str, ...]:
    names = _names(given)
    for name in names:
        try:
            phase(name)
        except ModelError as error:
            hint = suggestion(name.split("+")[0], PHASES) if "phase" in str(error) else ""
            raise ConfigError(f"{given.where}: {error}{hint}") from error
    return names


def _accuracy(given: Given) -> float:
    """A share (0.9) or a percentage (90%)."""
    text = str(given.value).strip()
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as error:
        raise _refuse(given, "an accuracy such as 0.9 or 90%") from error
    if isinstance(given.value, bool) or not 0 < value <= 1:
        raise _refuse(given, "an accuracy above 0 and at most 1 (0.9 or 90%)")
    return value


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

_PARSERS: Mapping[str, Callable[[Given], Any]] = {
    "data": _text,
    "variants": _variants,
    "phases": _phases,
    "blocks": _count(1),
    "epochs": _count(1),
    "batch_size": _count(1),
    "image_size": _count(SMALLEST_IMAGE),
    "images": _count(1),
    "seed": _count(0, LARGEST_SEED),
    "augment": _flag,
    "skip_bad": _flag,
    "trial_timeout_s": _seconds,
    "profile": _profile,
    "profile_steps": _count(FEWEST_STEPS, MOST_STEPS),
    "backbone": _text,
    "weights": _text,
    "start_epochs": _count(1),
    "until_accuracy": _accuracy,
    "audit_data": _flag,
    "target": _target,
    "baseline": _text,
    "candidate": _text,
}
