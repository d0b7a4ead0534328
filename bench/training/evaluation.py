"""`leafbench evaluate`: a saved model held against the images of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.codec import encode
from bench.errors import StoreError
from bench.schema import SCHEMA_VERSION
from bench.store import write_whole
from bench.training.records import EvaluationRecord
from bench.training.requests import EvaluateRequest
from bench.training.use import ANSWERS, UseTools, ask, refusal, scratch
from leafmodel.data.check import Problem, check, fingerprint, without
from leafmodel.data.folder import Folder, scan
from leafmodel.data.prepare import prepare
from leafmodel.errors import DataError, ModelError
from leafmodel.evaluate import Evaluation
from leafmodel.model_card import Card, read_card


@dataclass(frozen=True)
class Evaluated:
    """How a model did on a folder; `notes` are what to know before believing it."""

    model: str
    folder: str
    part: str
    evaluation: Evaluation
    not_measured: tuple[str, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]


def evaluate(model: Path, root: Path, skip_bad: bool, tools: UseTools) -> Evaluated:
    """Hold a saved model against a folder's test images, or all its images without such a part.

    Raises:
        ModelError: not a model of leafbench, or not one for these classes.
        DataError: no such folder, or files that cannot be used.
        WorkerFailedError: the process that asked the model did not end well.
    """
    card = read_card(model)
    folder = _scan(root)
    _require_known(folder, card, model)
    usable, skipped = _usable(folder, skip_bad, tools)
    part, files = ("test", usable.test) if usable.test else ("all", usable.training)
    labels = [card.class_names.index(name) for name in usable.class_names]
    with scratch() as work:
        prepared, _ = prepare(files, work)
        request = EvaluateRequest(
            schema_version=SCHEMA_VERSION,
            model=str(model.resolve()),
            files=tuple((str(f.path.absolute()), labels[f.label]) for f in prepared),
            out=str(work / ANSWERS),
        )
        answer = ask(request, work / "folder.evaluate.json", EvaluationRecord, tools)
    found = answer.parts[0].evaluation
    absent = tuple(item.name for item in found.classes if not item.images)
    return Evaluated(
        model=str(model),
        folder=str(root),
        part=part,
        evaluation=found,
        not_measured=absent,
        skipped=tuple(f"{p.path}: {p.kind}, {p.detail}" for p in skipped),
        notes=tuple(_notes(usable, card, part, absent, len(skipped))),
    )


def write(found: Evaluated, out: Path) -> None:
    """Write `evaluation.json` and figures into a folder.

    Raises:
        StoreError: it cannot be written.
    """
    from bench.report import canvas, evaluation_figures

    figures = {
        "confusion.png": evaluation_figures.confusion(found.evaluation),
        "reliability.png": evaluation_figures.reliability(found.evaluation),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            write_whole(out / name, canvas.png(figure))
        write_whole(out / "evaluation.json", encode(found))
    except OSError as error:
        raise StoreError(f"Cannot write {out}: {error.strerror}. Choose another --out.") from error


def _scan(root: Path) -> Folder:
    if not root.exists():
        raise DataError(f"There is no folder of images at {root}: expected DIR/<class>/*.")
    return scan(root)


def _require_known(folder: Folder, card: Card, model: Path) -> None:
    """A class that the model does not have cannot be named rightly: that is no measurement."""
    extra = [name for name in folder.class_names if name not in card.class_names]
    if not extra:
        return
    missing = [name for name in card.class_names if name not in folder.class_names]
    lacks = f" It lacks: {', '.join(missing)}." if 0 < len(missing) < len(card.class_names) else ""
    raise ModelError(
        f"{folder.root} holds classes that {model} was not trained for: {', '.join(extra)}."
        f"{lacks} The model's are: {', '.join(card.class_names)}. Rename the folders if they mean "
        "the same, or leave out the others."
    )


def _usable(folder: Folder, skip_bad: bool, tools: UseTools) -> tuple[Folder, tuple[Problem, ...]]:
    problems = check(
        folder, progress=lambda n, total: tools.progress.step("images checked", n, total)
    ).problems
    if problems and not skip_bad:
        raise DataError(refusal(problems, "Mend them, or leave them out with --skip-bad."))
    return replace(without(folder, problems), ignored=()), problems


def _notes(
    folder: Folder, card: Card, part: str, absent: Sequence[str], skipped: int
) -> Iterator[str]:
    if part == "test":
        yield f"Measured on the test images in {folder.root}."
    elif fingerprint(folder.training, folder.root) == card.images.fingerprint:
        yield (
            f"These are the {len(folder.training)} images that the model was trained and chosen "
            "with: this accuracy says nothing about other leaves."
        )
    else:
        yield (
            f"Measured on all images in {folder.root}, which has no test part; whether the model "
            "was trained on some of them is not known."
        )
    if absent:
        yield (
            f"Not measured, for want of images: {', '.join(absent)}. The mean is over the other "
            "classes; with images of these, more would be taken for one another."
        )
    if skipped:
        yield f"Left out, because they cannot be read: {skipped} of the folder's files."
