"""What the command line asks of a gate, and what it means for a suite's options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.backends import Backend
from bench.config import gate_table, make_config
from bench.errors import ConfigError
from bench.gate.measuring import AS_IT_IS, Plants
from bench.gate.options import (
    GateOptions,
    budget_s,
    parse_options,
    with_floor,
    with_threshold,
)
from bench.gate.pairs import PLANTED
from bench.schema import RunConfig
from bench.turns import Turn
from bench.values import Given, names, suggestion
from bench.variants import pipeline_variant, says_execution

SUITE = "gate"
# For what a command of the user's own must do before its turn is given up.
TURN_TIMEOUT_S = 900.0
# What is compared of it: the variant that thresholds may name.
COMMAND = ("command",)


@dataclass(frozen=True)
class Asked:
    """A check against a revision, as the command line asks for it.

    Attributes:
        against: the revision. folder: where the user stands. command: as it was called.
        training: a command of the user's own that is measured instead of a suite.
        out, budget, self_test: None where not given; `out` is the folder of the records.
        overrides: of the suite.
        thresholds, floors: as given, `epoch=8%`.
        plant: makes the head slower than it is, to try the gate itself.
    """

    against: str
    folder: Path
    command: tuple[str, ...]
    suite: str = SUITE
    training: str | None = None
    out: Path | None = None
    budget: str | None = None
    self_test: bool | None = None
    overrides: Mapping[str, Any] | None = None
    thresholds: Sequence[str] = ()
    floors: Sequence[str] = ()
    plant: Turn = AS_IT_IS

    def config(self) -> RunConfig:
        """The suite with the overrides; a gate audits no claim, so that any variants will do.

        Raises:
            ConfigError: anything unknown, malformed or impossible.
        """
        given = {key: value for key, value in (self.overrides or {}).items() if value is not None}
        if "variants" in given:
            chosen = names(Given(given["variants"], "--variants"))
            for name in filter(says_execution, chosen):
                pipeline_variant(name)  # before it is taken for a claim's
            given |= {"baseline": chosen[0], "candidate": chosen[0]}
        config = make_config(self.suite, given)
        if config.backend is not Backend.TENSORFLOW:
            raise ConfigError(
                f"The suite {self.suite} trains on {config.backend.label}, and a gate plants its "
                "self-test in a graph of TensorFlow: leave backend out of the suite."
            )
        for name in config.variants:
            pipeline_variant(name)
        if config.device is not None:
            raise ConfigError(
                f"The suite {self.suite} emulates a device, and a gate compares trainings: leave "
                "device out of the suite."
            )
        return config

    def options(self) -> GateOptions:
        """The suite's options, with what the command line says on top.

        Raises:
            ConfigError: anything malformed.
        """
        suite = options = parse_options(*gate_table(self.suite))
        if self.budget is not None:
            options = replace(options, budget_s=budget_s(Given(self.budget, "--budget")))
        if self.self_test is not None:
            options = replace(options, self_test=self.self_test)
        options = with_limits(options, self.thresholds, self.floors)
        self._refuse_strange(set(options.thresholds.variants) - set(suite.thresholds.variants))
        return options

    def _refuse_strange(self, named: set[str]) -> None:
        """A threshold of a variant that is not compared holds nothing to it."""
        known = COMMAND if self.training is not None else self.config().variants
        for name in sorted(named - set(known)):
            raise ConfigError(
                f"--threshold or --floor names {name}, which is not compared."
                f"{suggestion(name, known)} Compared: {', '.join(known)}."
            )

    def training_words(self) -> tuple[str, ...]:
        """The user's own command, parted as a shell would.

        Raises:
            ConfigError: there is nothing in it, or a quote is open.
        """
        try:
            words = tuple(shlex.split(self.training or ""))
        except ValueError as error:
            raise ConfigError(f"--command: {self.training!r} cannot be read: {error}.") from error
        if not words:
            raise ConfigError("--command is empty: name the training, as in 'python train.py'.")
        return words


def with_limits(
    options: GateOptions, thresholds: Sequence[str], floors: Sequence[str]
) -> GateOptions:
    """The options with the thresholds and floors of the command line.

    Raises:
        ConfigError: anything malformed.
    """
    for text in thresholds:
        options = with_threshold(options, Given(text, "--threshold"))
    for text in floors:
        options = with_floor(options, Given(text, "--floor"))
    return options


def plants(options: GateOptions, variant: str, head: Turn) -> Plants:
    """What is planted in a variant's blocks: the self-test is of the threshold's size."""
    size = options.thresholds.of(variant, PLANTED).relative
    return Plants(size if options.self_test else None, head)
