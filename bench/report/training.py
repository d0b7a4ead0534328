"""The report of a training: `report.md`, figures, `summary.json`, and a card a model."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path, PurePath

import msgspec

from bench.errors import StoreError
from bench.report import evaluation, formats, model_card, provenance
from bench.report.training_figures import confusion_name, figures
from bench.store import write_whole
from bench.training.records import TrainingRecord
from bench.training.results import Comparison, PhaseResult, TrainingResults, chosen, compute
from bench.training.store import phase_folder, read
from leafmodel.evaluate import Evaluation
from leafmodel.training.phases import phase

_MEANINGS = {
    "test": "the test images, which no training and no choice of an epoch has seen",
    "validation": (
        "the validation images, by which the best epoch was chosen too: there is no test set, so "
        "these accuracies are a little optimistic"
    ),
}


def make(folder: Path) -> TrainingResults:
    """Render the report of a training, whole or partial, into its folder.

    Raises:
        StoreError: there is no training, a record is broken, or the folder cannot be written.
    """
    results = compute(read(folder))
    drawn = figures(results)
    files = {
        **{f"figures/{name}": data for name, data in drawn.items()},
        "summary.json": msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n",
        "report.md": markdown(results).encode(),
    }
    try:
        (folder / "figures").mkdir(exist_ok=True)
        for name, data in files.items():
            write_whole(folder / name, data)
        for item in results.phases:
            card = phase_folder(folder, item.name) / "card.md"
            write_whole(card, model_card.markdown(item.card).encode())
        for old in (folder / "figures").glob("*.png"):
            if old.name not in drawn:
                old.unlink()
    except OSError as error:
        raise StoreError(f"The report cannot be written to {folder}: {error}.") from error
    return results


def markdown(results: TrainingResults) -> str:
    """The whole report, ending in a newline."""
    return "\n\n".join(text for section in _SECTIONS if (text := section(results))) + "\n"


def _opening(results: TrainingResults) -> str:
    if not results.phases:
        return "# No phase has been trained yet"
    best = chosen(results.phases)
    found = best.headline.evaluation
    title = (
        f"# {best.name} names {formats.accuracy(found.accuracy.value)} of "
        f"{formats.plural(found.images, f'{results.part} image')} rightly"
    )
    parts = [title]
    missing = (*(record.phase for record in results.failures), *results.untrained)
    if missing:
        parts.append(f"**This training is not complete**: no model yet of {', '.join(missing)}.")
    parts += [
        f"Accuracies are on {_MEANINGS[results.part]}. The phase in the title is the one with the "
        "best validation accuracy.",
        evaluation.accuracies(_evaluations(results)),
        "![Loss and accuracy of each phase](figures/curves.png)",
    ]
    return "\n\n".join(parts)


def _evaluations(results: TrainingResults) -> dict[str, Evaluation]:
    return {item.name: item.headline.evaluation for item in results.phases}


def _comparisons(results: TrainingResults) -> str:
    if not results.comparisons:
        return ""
    lines = [f"- {comparison(item, results.part)}" for item in results.comparisons]
    return "\n\n".join(
        [
            "## Which phase is better?",
            "\n".join(lines),
            "Both phases of a pair answered for the same images, so only the images that exactly "
            "one of them named rightly count. The interval is 95% (Agresti and Min 2005, "
            "doi:10.1002/sim.1781), p is of McNemar's exact test (1947, doi:10.1007/BF02295996), "
            "below 0.05 called beyond chance. They cover other images of this kind, not another "
            "training: each phase was trained once, with one seed.",
        ]
    )


def comparison(item: Comparison, part: str) -> str:
    """One honest sentence about two phases."""
    found = item.paired
    difference = found.difference
    counts = (
        f"of {formats.plural(found.images, f'{part} image')}, {_are(found.only_second)} named "
        f"rightly by {item.second} alone, {found.only_first:,} by {item.first} alone: "
    )
    points = (
        f"{_points(difference.value)} points ({_points(difference.low)} to "
        f"{_points(difference.high)}), p {_p_text(found.p_value)}"
    )
    if not found.is_beyond_chance:
        verdict = f"These images cannot tell **{item.second}** and **{item.first}** apart"
    else:
        word = "better" if difference.value > 0 else "worse"
        verdict = f"Beyond chance, **{item.second}** is {word} than **{item.first}**"
    return f"{verdict}: {counts}{points}."


def _are(count: int) -> str:
    return f"{count:,} is" if count == 1 else f"{count:,} are"


def _points(share: float | None) -> str:
    return formats.NOTHING if share is None else f"{100 * share:+.1f}"


def _p_text(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"= {p:.2g}"


def _original(results: TrainingResults) -> str:
    table = evaluation.beside_the_original(_evaluations(results))
    return f"## Beside the original\n\n{table}" if table else ""


def _phases(results: TrainingResults) -> str:
    if not results.phases:
        return ""
    header = [
        *("Phase", "Continues", "Backbone", "Epochs", "Kept epoch", "Ended by", "Wall time"),
        "Validation accuracy then",
    ]
    rows = [_phase_row(item) for item in results.phases]
    return (
        f"## What was trained\n\n{formats.text_table(header, rows)}\n\n"
        "The epoch that was kept is the one with the lowest validation loss. *Wall time* is of "
        "training and validation on this machine as it was: **not a benchmark**, see `leafbench "
        "run` for that. What each phase is made of stands in `<phase>/card.md`; every epoch in "
        "`<phase>/history.csv`, and for TensorBoard below `tensorboard/`."
    )


def _phase_row(item: PhaseResult) -> list[str]:
    training = item.card.training
    kept = item.history[training.best_epoch - 1]
    return [
        item.name,
        training.start or formats.NOTHING,
        f"{training.backbone}, {training.weights}" if training.backbone else formats.NOTHING,
        f"{training.epochs}",
        f"{training.best_epoch}",
        "early stopping" if training.stopped_early else "its last epoch",
        formats.seconds(training.wall_s),
        formats.accuracy(kept.val_accuracy),
    ]


def _confusions(results: TrainingResults) -> str:
    if not results.phases:
        return ""
    pictures = [
        f"**{item.name}**\n\n![Confusion matrix of {item.name}](figures/{confusion_name(item)})"
        for item in results.phases
    ]
    return "\n\n".join(["## What is taken for what", *pictures])


def _classes(results: TrainingResults) -> str:
    if not results.phases:
        return ""
    last = results.phases[-1]
    return (
        f"## Each class, by {last.name}\n\n{evaluation.per_class(last.headline.evaluation)}\n\n"
        "![Accuracy over confidence](figures/reliability.png)"
    )


def _leaks(results: TrainingResults) -> str:
    if results.audit is None:
        return ""
    return evaluation.leaks(results.audit.leaks).replace("### ", "## ", 1)


def _failures(results: TrainingResults) -> str:
    if not results.failures:
        return ""
    lines = [
        f"- **{record.phase}**: {formats.cell(record.failure.message)}"
        for record in results.failures
    ]
    return "\n".join(["## What could not be trained", "", *lines])


def _reproduce(results: TrainingResults) -> str:
    head = results.head
    typed = shlex.join([PurePath(head.command[0]).name, *head.command[1:]])
    lines = [
        f"# images: {head.data.source}; fingerprint {head.data.fingerprint}",
        shlex.join(_command(head)),
    ]
    commands = "\n".join(lines)
    return (
        f"## Reproduce\n\nThis training was started with `{typed}`. Everything spelled out:\n\n"
        f"```sh\n{commands}\n```\n\n"
        "The same seed gives the same split, the same initial weights and the same order of "
        "images; arithmetic on several cores, and a training that was stopped and went on, still "
        "make small differences."
    )


def _command(head: TrainingRecord) -> list[str]:
    config = head.config
    options = {
        "--data": config.data,
        "--variant": config.variant,
        "--epochs": str(config.epochs),
        "--batch-size": str(config.batch_size),
        "--image-size": str(config.image_size),
        "--seed": str(config.seed),
    }
    if config.images is not None:
        options["--images"] = str(config.images)
    if any(phase(name).has_backbone for name in head.plan):
        options |= {"--backbone": config.backbone, "--weights": config.weights}
    words = [word for name in config.phases for word in ("--phase", name)]
    words += [word for option in options.items() for word in option]
    flags = {"--skip-bad": config.skip_bad, "--audit-data": config.audit_data}
    return ["leafbench", "train", *words, *(flag for flag, given in flags.items() if given)]


_SECTIONS: tuple[Callable[[TrainingResults], str], ...] = (
    _opening,
    _comparisons,
    _original,
    _phases,
    _confusions,
    _classes,
    _leaks,
    _failures,
    lambda results: provenance.image_table(results.head.data),
    lambda results: provenance.machine(results.head),
    _reproduce,
)
