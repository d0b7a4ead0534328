"""A sweep: the claim's two variants on one emulated device after the other, then their claim map.

OUT/step-51ms/      an ordinary run, whose device takes 51 ms a step
OUT/claim-map.md    and .json, and a figure a phase
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import launch, mapping, session
from bench.config import DEFAULT_SUITE, make_config
from bench.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TRIALS_FAILED
from bench.mapping import Sweep
from bench.progress import Progress
from bench.session import Outcome
from bench.sweep_plan import device_of, steps_of
from bench.values import Given


@dataclass(frozen=True)
class Swept:
    """How a sweep ended; no map if it was interrupted."""

    folder: Path
    runs: tuple[Outcome, ...]
    sweep: Sweep | None

    @property
    def exit_code(self) -> int:
        """The exit status of the command."""
        if self.sweep is None:
            return EXIT_INTERRUPTED
        return EXIT_TRIALS_FAILED if any(run.failed for run in self.runs) else EXIT_OK


def run(
    given: Mapping[str, Any],
    device_parts: Mapping[str, str | None],
    out: Path,
    command: Sequence[str],
    progress: Progress,
) -> Swept:
    """Run every step that has no whole run in `out` yet, and map them.

    Args:
        given: options of `leafbench run`.
        device_parts: `steps` (`200ms,51ms`), and what else a written-out device has (`transfer`,
            `augment`, `ahead`).

    Raises:
        BenchError, LeafmodelError: the sentence to show.
    """
    options = {key: value for key, value in given.items() if value is not None}
    rest = {key: value for key, value in device_parts.items() if value and key != "steps"}
    steps = steps_of(Given(device_parts["steps"], "--steps"))
    asked = {step: device_of(step, "--steps", rest).name for step in steps}
    options.setdefault("variants", _claimed(options))
    runs: list[Outcome] = []
    for step, text in asked.items():
        folder = out / f"step-{step}"
        if (folder / "run.json").exists():
            ended = session.resume(folder, launch.real_tools(progress))
        else:
            again = {**options, "device": text, "out": str(folder)}
            ended = launch.run(again, tuple(command), progress)
        runs.append(ended)
        if ended.interrupted:
            return Swept(out, tuple(runs), None)
    return Swept(out, tuple(runs), mapping.of_runs([item.folder for item in runs]))


def _claimed(options: Mapping[str, Any]) -> str:
    """The claim's baseline and candidate: a map needs no others."""
    claim = make_config(options.get("suite", DEFAULT_SUITE)).claim
    pair = (options.get("baseline", claim.baseline), options.get("candidate", claim.candidate))
    return ",".join(dict.fromkeys(pair))
