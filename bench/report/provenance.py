"""The report's sections in words: proofs, findings, environment, data, failures, reproduction."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath
from typing import Protocol

from bench.backends import Backend
from bench.evidence import Finding
from bench.report import formats, parts
from bench.results import RunResults
from bench.schema import (
    DataSummary,
    Environment,
    ProfileMode,
    RunConfig,
    TrialRecord,
    VariantProof,
)
from bench.shards import machines
from bench.sweep_plan import DECLINED
from leafmodel.pipelines.facts import ProofStatus

LOG_LINES = 15


class Head(Protocol):
    """What a run and a training say of themselves."""

    @property
    def run_id(self) -> str: ...
    @property
    def created_at(self) -> str: ...
    @property
    def leafbench_version(self) -> str: ...
    @property
    def environment(self) -> Environment: ...


def fairness(results: RunResults) -> str:
    """That the variants do the same work, and what differs on purpose."""
    variants = results.run.config.variants
    rows = [_fairness_row(variant, results.proofs.get(variant)) for variant in variants]
    header = ["Variant", "Stages found in its graph", "Checked", "Differs on purpose", "Failed"]
    return "\n\n".join(
        [
            "## Fairness: does every variant do the same work?",
            "Before it was timed, each pipeline was built and looked at: its own graph, and what "
            "it delivered in two epochs.",
            formats.text_table(header, rows),
            _checks_made(results),
        ]
    ).rstrip()


def _fairness_row(variant: str, proof: VariantProof | None) -> list[str]:
    if proof is None:
        return [variant, "**no proof**", formats.NOTHING, formats.NOTHING, formats.NOTHING]
    held = sum(check.status is ProofStatus.OK for check in proof.checks)
    checked = f"{held} of {len(proof.checks)} held"
    if proof.images_checked:
        checked += f" ({formats.plural(proof.images_checked, 'image')})"
    return [
        variant,
        " > ".join(proof.stages) or "not read",
        checked,
        _checks(proof, ProofStatus.DIFFERS),
        _checks(proof, ProofStatus.FAILED),
    ]


def _checks(proof: VariantProof, status: ProofStatus) -> str:
    return (
        "; ".join(
            f"{check.check}: expected {check.expected}, found {check.found}"
            + (f" ({check.remedy})" if status is ProofStatus.FAILED and check.remedy else "")
            for check in proof.checks
            if check.status is status
        )
        or formats.NOTHING
    )


def _checks_made(results: RunResults) -> str:
    names = dict.fromkeys(c.check for proof in results.proofs.values() for c in proof.checks)
    return f"Checks: {', '.join(names)}." if names else "Nothing was checked."


def findings(results: RunResults) -> str:
    """What to know before believing or acting on the numbers."""
    title = "## Findings"
    if not results.findings:
        return f"{title}\n\nThere are none: nothing measured here speaks against the numbers."
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in results.findings:
        key = str(finding.severity), finding.code, finding.remedy
        groups.setdefault(key, []).append(finding)
    return "\n\n".join([title, *(_group(*key, found) for key, found in groups.items())])


def _group(severity: str, code: str, remedy: str, found: list[Finding]) -> str:
    """Findings of one kind: the remedy once, then each place with its measured cost."""
    lines = [f"**{severity}: {code}.** Remedy: {remedy}.", "", *map(_place, found)]
    return "\n".join(lines)


def _place(finding: Finding) -> str:
    seconds = finding.cost_s
    cost = f" (cost: {formats.seconds(seconds)} an epoch)" if seconds is not None else ""
    return f"- {formats.cell(finding.where)}: {formats.cell(finding.what)}{cost}"


def environment(results: RunResults) -> str:
    """The machine and the versions, and what each part of a merged run was measured on."""
    return "\n\n".join(
        filter(None, (machine(results.run, results.devices), parts.table(results.run)))
    )


def machine(head: Head, devices: Sequence[str] = ()) -> str:
    """The machine and the versions that something was made with, and the devices that it found."""
    found = head.environment
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    rows = [
        ["CPU", f"{found.cpu_model}, {formats.plural(found.cores, 'core')}"],
        ["memory", formats.size(found.memory_bytes)],
        ["GPU", ", ".join(found.gpus) or "none"],
        *([[f"devices of {Backend(found.backend).label}", ", ".join(devices)]] if devices else []),
        ["platform", found.platform],
        ["Python, backend", f"{found.python}, {found.backend}"],
        ["versions", versions],
        ["unsteadiness before the run", formats.percent(found.noise)],
        ["load (1 min) before the run", f"{found.load_1min:.2f}"],
        ["leafbench", head.leafbench_version],
        ["run", f"{head.run_id}, {head.created_at}"],
    ]
    return f"## Environment\n\n{formats.text_table(['', ''], rows)}"


def data(results: RunResults) -> str:
    """The images."""
    return image_table(results.run.data)


def image_table(images: DataSummary) -> str:
    """The images that something was made with."""
    counts = [
        formats.plural(images.train_images, "training image"),
        formats.plural(images.validation_images, "validation image"),
        formats.plural(images.test_images, "test image") if images.test_images else "no test set",
    ]
    sizes = sorted(images.image_sizes.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{size} ({count:,})" for size, count in sizes[:5])
    if len(sizes) > 5:
        shown += f", and {len(sizes) - 5} other sizes"
    rows = [
        ["folder", f"{images.root} ({images.source})"],
        ["images", ", ".join(counts)],
        ["classes", f"{len(images.class_names)}: {', '.join(images.class_names)}"],
        ["sizes", shown or formats.NOTHING],
        ["fingerprint", images.fingerprint],
        ["left out as bad", _listed(images.skipped)],
        ["converted to RGB", _listed(images.converted)],
    ]
    return f"## Data\n\n{formats.text_table(['', ''], rows)}"


def _listed(names: tuple[str, ...]) -> str:
    if not names:
        return "none"
    shown = ", ".join(names[:10])
    return f"{len(names):,}: {shown}" + (", ..." if len(names) > 10 else "")


def failed_trials(results: RunResults) -> str:
    """Each failed trial with the end of its log, and what has no record."""
    parts = ["## Failed trials"]
    if not results.failed:
        parts.append("No trial failed.")
    parts += [_failed(trial) for trial in results.failed]
    if results.missing:
        names = tuple(f"`{spec.name}`" for spec in results.missing)
        parts.append(f"Without a record: {_listed(names)}.")
    return "\n\n".join(parts)


def _failed(trial: TrialRecord) -> str:
    if trial.failure is None:
        return ""
    head = f"**`{trial.spec.name}`**, {trial.failure.kind}: {formats.cell(trial.failure.message)}"
    tail = trial.failure.log_tail.replace("```", "'''").splitlines()[-LOG_LINES:]
    lines = [head, "", "```text", *tail, "```"] if tail else [head]
    return "\n".join(lines)


def how_to_read(results: RunResults) -> str:
    """How the numbers came about."""
    config = results.run.config
    augmented = (
        "Augmentation is random change to the training images (flips, shifts, turns, zoom, "
        "contrast)."
        if config.augment
        else "No variant augments its images in this run."
    )
    where = "these machines" if len(machines(results.run)) > 1 else "this machine"
    profiled = (
        " Profiles are trials in no block: they explain the numbers and are no part of them. What "
        "was read from each is in `profiles/*.json`."
        if results.profiles
        else ""
    )
    return (
        "## How to read this\n\n"
        "Each trial is a fresh process. A *block* tries every variant once; every second block "
        "runs in reverse order. A speedup is a ratio formed inside a block, so that a machine "
        "that slows down slows both sides; its centre is the geometric mean over blocks. Its 95% "
        "interval is the wider of two bootstraps, over blocks and over epochs inside them, with "
        f"Student's quantiles because blocks are few ({config.blocks} planned here). A trial's "
        "value is the mean of its steady epochs, so rare stalls count. The interval covers what "
        "varied between blocks of "
        f"this run on {where}, not other machines or images. {augmented} Every raw number "
        "is in `trials/*.json`; `results.csv` and `summary.json` hold the numbers of the "
        f"tables, unrounded.{profiled}"
    )


def reproduce(results: RunResults) -> str:
    """The exact commands."""
    command = results.run.command
    typed = shlex.join([PurePath(command[0]).name, *command[1:]]) if command else "unknown"
    config = results.run.config
    lines = [
        f"# images: {results.run.data.source}; fingerprint {results.run.data.fingerprint}",
        *parts.commands(results.run, run_command(config)),
        f"leafbench report {shlex.quote(_folder(results))}",
    ]
    commands = "\n".join(lines)
    return (
        f"## Reproduce\n\nThis run was started with `{typed}`. Everything spelled out:\n\n"
        f"```sh\n{commands}\n```"
    )


def _folder(results: RunResults) -> str:
    """Where the run was written, as far as its command says."""
    command = results.run.command
    for word, after in pairwise(command):
        if word == "--out":
            return after
    if results.run.parts:
        return command[2]  # leafbench merge OUT
    return f"reports/{results.run.run_id}"


def run_command(config: RunConfig) -> list[str]:
    """The words of the command that makes a run of this configuration."""
    claim = config.claim
    options: dict[str, str] = {
        "--suite": config.suite,
        "--data": config.data,
        "--variants": ",".join(config.variants),
        "--phases": ",".join(config.phases),
        "--blocks": str(config.blocks),
        "--epochs": str(config.epochs),
        "--batch-size": str(config.batch_size),
        "--image-size": str(config.image_size),
        "--seed": str(config.seed),
        "--claim": f"{formats.target(claim.target)}x",
        "--baseline": claim.baseline,
        "--candidate": claim.candidate,
        "--profile": config.profile,
    }
    if config.profile is not ProfileMode.NONE:
        options["--profile-steps"] = str(config.profile_steps)
    if config.images is not None:
        options["--images"] = str(config.images)
    if config.backbone:
        options |= {"--backbone": config.backbone, "--weights": config.weights}
        options["--start-epochs"] = str(config.start_epochs)
    if config.until_accuracy is not None:
        options["--until-accuracy"] = f"{config.until_accuracy:g}"
    if config.backend is not Backend.TENSORFLOW:
        options["--backend"] = config.backend
    if config.sweep is not None:
        options["--sweep"] = ",".join(config.sweep.steps) or DECLINED
    if config.service:
        options["--service"] = config.service
    if config.device is not None:
        options["--device"] = config.device.name
        options.pop("--profile")  # an emulated run has none, and is refused one
    words = [word for option in options.items() for word in option]
    flags = {
        "--skip-bad": config.skip_bad,
        "--no-augment": not config.augment,
        "--audit-data": config.audit_data,
    }
    return ["leafbench", "run", *words, *(flag for flag, given in flags.items() if given)]
