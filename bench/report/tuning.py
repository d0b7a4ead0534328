"""The report of a study of hyperparameters: what matters, what was best, and whether it holds."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from pathlib import Path

from bench.errors import StoreError
from bench.report import formats
from bench.report.tuning_figures import figures
from bench.report.tuning_suite import SUITE, suite_toml
from bench.report.tuning_words import p_value, points, sentences
from bench.store import write_whole
from bench.tuning.importance import LEVEL, Importance
from bench.tuning.results import LAST_EPOCHS, StudyResults, Training, compute
from bench.tuning.space import AXES, DEFAULT, SPACE, Hyperparameter, Setting
from bench.tuning.store import read
from leafmodel.evaluate import Estimate


def make(folder: Path) -> StudyResults:
    """Write `report.md`, `figures/` and `best.toml` into a study's folder, from its records.

    Raises:
        StoreError: there is no study, or the folder cannot be written.
    """
    stored = read(folder)
    results = compute(stored.study, stored.trials)
    suite = suite_toml(results)
    files = {f"figures/{name}": data for name, data in figures(results).items()}
    files |= {SUITE: suite.encode()} if suite else {}
    try:
        (folder / "figures").mkdir(exist_ok=True)
        for name, data in (files | {"report.md": markdown(results).encode()}).items():
            write_whole(folder / name, data)
    except OSError as error:
        raise StoreError(f"The report cannot be written to {folder}: {error}.") from error
    return results


def markdown(results: StudyResults) -> str:
    """The whole report, ending in a newline."""
    return "\n\n".join(text for section in _SECTIONS if (text := section(results))) + "\n"


def importance_rows(results: StudyResults) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of importances."""
    header = [
        "Hyperparameter",
        "Share of the differences",
        "p",
        "Matters",
        "Best of the fit",
        "Best less worst of the fit",
    ]
    return header, [_importance_row(item) for item in results.decomposition.importances]


def _opening(results: StudyResults) -> str:
    named = [AXES[name].label for name in results.decomposition.named]
    answer = formats.joined(named).capitalize() if named else "Nothing can be told"
    parts = [f"# Which hyperparameters of the CNN matter here? **{answer}**"]
    parts += sentences(results)
    if not results.complete:
        parts.append("**This study is not complete**: go on with `leafbench tune --resume`.")
    if results.failed:
        failed = formats.plural(len(results.failed), "training")
        parts.append(f"**{failed} failed**; see [below](#failed-trainings).")
    return "\n\n".join(parts)


def _importances(results: StudyResults) -> str:
    found = results.decomposition
    parts = ["## What matters"]
    if found.explained is None:
        return f"{parts[0]}\n\nNothing can be told: {found.why}."
    header, rows = importance_rows(results)
    parts += ["![Share of each hyperparameter](figures/importance.png)"]
    parts += [formats.table(header, rows), _shares(results), "![All](figures/trials.png)"]
    return "\n\n".join(parts)


def _importance_row(item: Importance) -> list[str]:
    axis = AXES[item.name]
    return [
        axis.label,
        formats.percent(item.share),
        formats.NOTHING if item.p is None else p_value(item.p),
        "yes" if item.matters else "cannot be told",
        f"{item.best:g}" if item.matters else formats.NOTHING,
        points(item.swing) if item.matters else formats.NOTHING,
    ]


def _shares(results: StudyResults) -> str:
    found = results.decomposition
    noise = results.check.seed_noise
    text = (
        "*Share*: of the variance of the accuracy over the space, what this hyperparameter makes "
        "by itself, with a line and a curve: functional ANOVA (Hutter, Hoos and Leyton-Brown 2014) "
        "with an additive surface, and less what noise alone would make. *p*: how often permuted "
        "residuals explain as much (Freedman and Lane 1983), corrected for "
        f"{len(SPACE)} hyperparameters (Bonferroni); one matters if p is at most {LEVEL:g}. "
        f"Together they make {formats.percent(found.explained)}; the rest is how they act on each "
        "other, and noise."
    )
    if noise is not None:
        text += (
            " Trainings of one setting that differ in nothing but the seed have accuracies with a "
            f"standard deviation of {points(noise)}."
        )
    return text


def _checked(results: StudyResults) -> str:
    if not results.checks:
        return ""
    roles = {"default": DEFAULT} | ({"best": results.best.setting} if results.best else {})
    seeds = sorted({item.check for item in results.checks})
    header = ["Setting", *(f"seed {seed}" for seed in seeds), "mean (95% interval)"]
    estimates = {"default": results.check.default, "best": results.check.best}
    rows = [
        [f"{role}: {setting.text}", *(_of(results, setting, s) for s in seeds),
         _estimate(estimates[role])]
        for role, setting in roles.items()
    ]  # fmt: skip
    return "\n\n".join(
        [
            "## Does the best setting hold?",
            "The best of many trainings is partly the luckiest. So it and the default were trained "
            "again with seeds that the search has not seen; only these trainings are compared, "
            "seed by seed.",
            formats.table(header, rows),
        ]
    )


def _of(results: StudyResults, setting: Setting, seed: int) -> str:
    found = [t for t in results.checks if t.setting == setting and t.check == seed]
    return formats.accuracy(found[0].accuracy) if found else formats.NOTHING


def _trainings(results: StudyResults) -> str:
    header = ["Training", *(axis.label for axis in SPACE), "Validation accuracy", "Seconds"]
    rows = [_training_row(item) for item in results.trainings]
    config = results.study.config
    lucky = 1 - 0.95 ** len(results.trainings)
    return "\n\n".join(
        [
            "## All trainings of the search",
            formats.table(header, rows),
            f"*Validation accuracy*: the mean after the last {LAST_EPOCHS} of {config.epochs} "
            "epochs, not the highest, which would be the luckiest. All trainings have the same "
            "seed, so the same order of images and, where the network is the same, the same first "
            "weights. *Seconds*: the whole process, on a machine that may have had other work.",
            f"Settings were drawn at random by KerasTuner ({results.study.proposer}; Bergstra and "
            f"Bengio 2012): of {formats.plural(len(results.trainings), 'draw')}, one is in the "
            f"best 5% of the space with a probability of {formats.percent(lucky)}.",
            _equal_epochs(results),
        ]
    ) + _untried(results)


def _untried(results: StudyResults) -> str:
    """Levels that no training with an accuracy had: what is said of them is interpolated."""
    able = [item.setting for item in results.trainings if item.accuracy is not None]
    missed = [
        f"{axis.label} {level:g}"
        for axis in SPACE
        for level in axis.levels
        if all(getattr(setting, axis.name) != level for setting in able)
    ]
    return (
        f" Not tried, because no draw fell on it: {', '.join(missed)}." if missed and able else ""
    )


def _equal_epochs(results: StudyResults) -> str:
    """What equal epochs mean for settings that learn at different speeds."""
    config, images = results.study.config, results.study.data.train_images
    small, large = AXES["batch_size"].levels[0], AXES["batch_size"].levels[-1]
    most, fewest = (config.epochs * math.ceil(images / size) for size in (small, large))
    return (
        f"Every training has equal epochs, not equal updates: {most:,} with batches of {small:g}, "
        f"{fewest:,} with batches of {large:g}. A setting that learns slowly may be the better one "
        f"after more than {config.epochs} epochs."
    )


def _training_row(item: Training) -> list[str]:
    accuracy = formats.accuracy(item.accuracy) if item.accuracy is not None else "failed"
    values = [f"{getattr(item.setting, axis.name):g}" for axis in SPACE]
    return [item.name, *values, accuracy, f"{item.seconds:.0f}"]


def _failed(results: StudyResults) -> str:
    if not results.failed:
        return ""
    rows = [[t.name, t.setting.text, t.failure] for t in results.failed]
    table = formats.text_table(["Training", "Setting", "Why"], rows)
    return (
        f"## Failed trainings\n\n{table}\n\nThey count for nothing above. KerasTuner was told that "
        "they failed; what each printed is in `logs/`."
    )


def _provenance(results: StudyResults) -> str:
    study, machine = results.study, results.study.environment
    levels = [f"{axis.label} {_levels(axis)}" for axis in SPACE]
    data = study.data
    rows = [
        ["images", f"{data.root}: {data.source}, {len(data.class_names)} classes"],
        ["used", f"{data.train_images:,} to train on, {data.validation_images:,} to validate with; "
                 "test images are never read"],
        ["fingerprint", data.fingerprint],
        ["size, variant", f"{study.config.image_size} pixels, {study.config.variant}"],
        ["levels", "; ".join(levels)],
        ["machine", f"{machine.cpu_model}, {formats.plural(machine.cores, 'core')}, GPU: "
                    f"{', '.join(machine.gpus) or 'none'}"],
        ["versions", ", ".join(f"{name} {number}" for name, number in machine.versions.items())],
        ["study", f"{study.study_id}, {study.created_at}, leafbench {study.leafbench_version}"],
    ]  # fmt: skip
    return f"## Images, space and machine\n\n{formats.text_table(['', ''], rows)}"


def _reproduce(results: StudyResults) -> str:
    lines = [shlex.join(results.study.command)]
    if results.best is not None:
        lines.append(f"leafbench run --suite {SUITE}  # the best setting, in this folder")
    listed = "\n".join(lines)
    return f"## To run it again\n\n```\n{listed}\n```"


def _levels(axis: Hyperparameter) -> str:
    return " ".join(f"{value:g}" for value in axis.levels)


def _estimate(found: Estimate | None) -> str:
    if found is None:
        return formats.NOTHING
    if found.low is None or found.high is None:
        return f"{formats.accuracy(found.value)} (no interval)"
    low, high = max(0.0, found.low), min(1.0, found.high)
    return f"{formats.accuracy(found.value)} ({formats.accuracy(low)} to {formats.accuracy(high)})"


_SECTIONS: tuple[Callable[[StudyResults], str], ...] = (
    _opening,
    _importances,
    _checked,
    _trainings,
    _failed,
    _provenance,
    _reproduce,
)
