"""Real commits, each with the verdict that it deserves: this repository, one change at a time.

    python benchmarks/gate_scenarios.py [--data DIR] [--only NAME]

Clones the repository at HEAD, makes a commit for each scenario, and calls `leafbench check` as a CI
job would. The transcript (diff, command, what it printed, exit status) and the verdicts go to
`reports/gate-scenarios`; a scenario whose verdict is there is not measured again. The exit status
is 1 if a verdict is not the deserved one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "reports" / "gate-scenarios"
TRANSCRIPT = "TRANSCRIPT.md"
KEPT = ("verdict.json", "transcript.md")
WHO = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")


@dataclass(frozen=True)
class Scenario:
    """A commit: in `file`, `old` becomes `new`. `variant` is checked; `deserved` is the verdict."""

    name: str
    title: str
    file: str
    old: str
    new: str
    variant: str
    deserved: str


SCENARIOS = (
    Scenario(
        "comment",
        "Only changes a comment",
        "leafmodel/pipelines/tf_data.py",
        '"""tf.data with every stage explicit: nothing is added',
        '# Stages are explicit on purpose.\n"""tf.data with every stage explicit: nothing is added',
        "in_model",
        "pass",
    ),
    Scenario(
        "prefetch",
        "Drops prefetch and the parallel map from the variant in_model",
        "bench/variants.py",
        "PipelineSpec(map_parallelism=ALL_CORES, prefetch=2, augment=Augment.MODEL),",
        "PipelineSpec(map_parallelism=1, prefetch=0, augment=Augment.MODEL),",
        "in_model",
        "regression",
    ),
    Scenario(
        "unnoticed-prefetch",
        "Disables prefetch in the loader, whatever a variant says",
        "leafmodel/pipelines/tf_data.py",
        "return dataset.prefetch(spec.prefetch) if spec.prefetch else dataset",
        "return dataset",
        "in_model",
        "regression",
    ),
    Scenario(
        "augment-on-cpu",
        "Moves augmentation from the model to the CPU pipeline",
        "bench/variants.py",
        "PipelineSpec(map_parallelism=ALL_CORES, prefetch=2, augment=Augment.MODEL),",
        "PipelineSpec(map_parallelism=ALL_CORES, prefetch=2, augment=Augment.PIPELINE),",
        "in_model",
        "regression",
    ),
    Scenario(
        "frozen-augmentation",
        "Adds a cache behind augmentation: faster, and no longer the same work",
        "leafmodel/pipelines/tf_data.py",
        "dataset = dataset.batch(given.batch_size)",
        "dataset = dataset.cache().batch(given.batch_size)",
        "prefetch",
        "regression",
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", default=ROOT / "data" / "leaves", type=Path)
    parser.add_argument("--only", choices=[scenario.name for scenario in SCENARIOS])
    given = parser.parse_args()
    for scenario in SCENARIOS:
        folder = OUT / scenario.name
        wanted = given.only in (None, scenario.name)
        if wanted and not all((folder / name).exists() for name in KEPT):
            print(f"--- {scenario.title}", flush=True)
            _try(scenario, given.data.resolve(), folder)
    return _summary()


def _try(scenario: Scenario, data: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "leafbench"
        _run(("git", "clone", "--quiet", str(ROOT), str(clone)), ROOT)
        path = clone / scenario.file
        text = path.read_text(encoding="utf-8")
        if text.count(scenario.old) != 1:
            sys.exit(f"{scenario.name}: {scenario.file} no longer holds {scenario.old!r} once.")
        path.write_text(text.replace(scenario.old, scenario.new), encoding="utf-8")
        _run(("git", *WHO, "commit", "--quiet", "--all", "-m", scenario.title), clone)
        words = ("check", "--against", "HEAD~1", "--variants", scenario.variant)
        out = Path(scratch) / "check"
        done = subprocess.run(
            (sys.executable, "-P", "-m", "bench", *words, "--data", str(data), "--out", str(out)),
            cwd=clone,
            env={**os.environ, "PYTHONPATH": str(clone)},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        shown = done.stdout.replace(str(out), "reports/check").replace(str(data), "data/leaves")
        diff = _run(("git", "show", "--format=%s", "--unified=0", "HEAD"), clone)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / "verdict.json", folder)
        command = " ".join(("leafbench", *words))
        (folder / "transcript.md").write_text(
            f"```diff\n{diff.strip()}\n```\n\n```console\n$ {command}\n{shown.strip()}\n$ echo $?\n"
            f"{done.returncode}\n```\n",
            encoding="utf-8",
        )


def _summary() -> int:
    """The transcript of all scenarios; 1 if a verdict is not the deserved one."""
    parts, wrong = ["# Real commits, and what the gate said of them"], 0
    for scenario in SCENARIOS:
        folder = OUT / scenario.name
        if not all((folder / name).exists() for name in KEPT):
            continue
        said = json.loads((folder / "verdict.json").read_text())["verdict"]
        wrong += said != scenario.deserved
        parts.append(f"## {scenario.title}\n\nDeserved: {scenario.deserved}. Said: **{said}**.")
        parts.append((folder / "transcript.md").read_text().strip())
    (OUT / TRANSCRIPT).write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return int(wrong > 0)


def _run(command: tuple[str, ...], cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
