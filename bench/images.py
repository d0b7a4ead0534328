"""From a folder of images to the files that every worker of a run gets, and what they are.

The split is made once, here; each variant then works on the same list. A file that two loaders
would read differently is replaced by a plain copy in the run's scratch folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import ConfigError
from bench.requests import WorkerFiles
from bench.schema import SCHEMA_VERSION, DataSummary, RunConfig
from leafmodel.data.check import CheckReport, Problem, check, fingerprint, without
from leafmodel.data.folder import Folder, ImageFile, scan
from leafmodel.data.generate_manifest import read_manifest
from leafmodel.data.prepare import prepare
from leafmodel.data.split import Split, limit, split
from leafmodel.errors import DataError

LISTED_PROBLEMS = 20

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Images:
    """The images of a run.

    Attributes:
        summary: what the run's head says about them.
        split: paths relative to the folder, for people and for `split.json`.
        files: absolute paths, converted copies among them, for the workers.
        notes: what the user should know before the run.
    """

    summary: DataSummary
    split: WorkerFiles
    files: WorkerFiles
    notes: tuple[str, ...]


def load(config: RunConfig, work: Path, on_progress: OnProgress | None = None) -> Images:
    """Check, split and prepare the images that `config` names; copies go to `work`.

    Raises:
        DataError: no such folder, bad files (unless they are to be skipped), too few images.
        ConfigError: a batch is larger than what there is to train on.
    """
    whole = _scan(Path(config.data))
    report, skipped = _usable(whole, config, on_progress)
    made = split(report.folder, seed=config.seed)
    _check_batch(config, len(made.train))
    _check_accuracy(config, len(made.class_names))
    copies = work / "converted"
    copies.mkdir(parents=True, exist_ok=True)
    parts = (made.train, made.validation, made.test)
    prepared = [prepare(part, copies.resolve()) for part in parts]
    converted = [conversion for _, found in prepared for conversion in found]
    summary = DataSummary(
        root=config.data,
        source=_source(whole.root),
        fingerprint=fingerprint([file for part in parts for file in part], whole.root),
        class_names=made.class_names,
        train_images=len(made.train),
        validation_images=len(made.validation),
        test_images=len(made.test),
        image_sizes={f"{width}x{height}": n for (width, height), n in report.sizes.items()},
        skipped=tuple(_problem_text(problem, whole.root) for problem in skipped),
        converted=tuple(f"{_relative(c.original, whole.root)}: {c.reason}" for c in converted),
    )
    return Images(
        summary=summary,
        split=_files(made, parts, lambda path: _relative(path, whole.root)),
        files=_files(made, [files for files, _ in prepared], lambda path: str(path.absolute())),
        notes=_notes(config, whole, skipped),
    )


def _scan(root: Path) -> Folder:
    if not root.exists():
        raise DataError(
            f"There is no folder of images at {root}: make leaves with "
            f"`leafbench data make --out {root}`, or name your own with --data."
        )
    return scan(root)


def _usable(
    whole: Folder, config: RunConfig, on_progress: OnProgress | None
) -> tuple[CheckReport, tuple[Problem, ...]]:
    """The images to use, all of which can be read, and the files that were left out.

    Only what the run uses is looked at, unless bad files are to be replaced by others.
    """
    folder = whole
    skipped: tuple[Problem, ...] = ()
    if config.skip_bad:
        skipped = check(whole, progress=on_progress).problems
        folder = replace(without(whole, skipped), ignored=())
    report = check(limit(folder, config.images, seed=config.seed), progress=on_progress)
    if report.problems:
        raise DataError(_refusal(report.problems, whole.root))
    return report, skipped


def _refusal(problems: Sequence[Problem], root: Path) -> str:
    lines = [f"  {_problem_text(problem, root)}" for problem in problems[:LISTED_PROBLEMS]]
    if len(problems) > LISTED_PROBLEMS:
        lines.append(f"  and {len(problems) - LISTED_PROBLEMS} more (leafbench data check {root})")
    listed = "\n".join(lines)
    return (
        f"{len(problems)} files in {root} cannot be used:\n{listed}\n"
        "Mend or remove them, or leave them out with --skip-bad (the report will say so)."
    )


def _problem_text(problem: Problem, root: Path) -> str:
    return f"{_relative(problem.path, root)}: {problem.kind}, {problem.detail}"


def _check_batch(config: RunConfig, train_images: int) -> None:
    if config.batch_size > train_images:
        raise ConfigError(
            f"A batch of {config.batch_size} is more than the {train_images} training images in "
            f"{config.data}: lower --batch-size, or use more images (--images, --data)."
        )


def _check_accuracy(config: RunConfig, classes: int) -> None:
    wanted = config.until_accuracy
    if wanted is not None and wanted <= 1 / classes:
        raise ConfigError(
            f"--until-accuracy {wanted:g} is no more than guessing reaches with the {classes} "
            f"classes of {config.data} ({1 / classes:.3g}): ask for more."
        )


def _notes(config: RunConfig, whole: Folder, skipped: Sequence[Problem]) -> tuple[str, ...]:
    notes = []
    if skipped:
        notes.append(f"{len(skipped)} files of {config.data} are left out; the report lists them.")
    if config.images is not None and len(whole.training) < config.images:
        notes.append(
            f"{config.data} has {len(whole.training)} training images, the suite {config.suite} "
            f"asks for {config.images}: all of them are used."
        )
    return tuple(notes)


def _source(root: Path) -> str:
    """Whether the leaves are generated, by the manifest that the generator leaves beside them."""
    manifest = read_manifest(root)
    if manifest is None:
        return "a folder of images"
    return (
        f"generated leaves: leafbench data make --images {manifest.images} --size {manifest.size} "
        f"--seed {manifest.seed}"
    )


def _files(
    made: Split, parts: Sequence[Sequence[ImageFile]], text: Callable[[Path], str]
) -> WorkerFiles:
    train, validation, test = (
        tuple((text(file.path), file.label) for file in part) for part in parts
    )
    return WorkerFiles(SCHEMA_VERSION, made.class_names, train, validation, test)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
