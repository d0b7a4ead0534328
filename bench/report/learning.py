"""The report's sections on accuracy: after equal epochs, and the time to equal accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from bench.learning import AccuracyDifference, Race, RaceResult
from bench.measures import VariantResult
from bench.report import evaluation, formats, tables
from bench.results import RunResults
from leafmodel.evaluate import wilson

BLIND = 40  # points; a variant that lost as much would be noticed without statistics


def accuracy(results: RunResults) -> str:
    """Accuracy beside speed: after equal epochs, against the baseline, and time to get there."""
    if not results.variants:
        return ""
    title = "## Accuracy: speed never alone"
    if results.run.config.device:
        return (
            f"{title}\n\nAn emulated device learns nothing: this run says what a pipeline gives in "
            "time, and only a run on a real device says what it costs in accuracy."
        )
    if not any(item.accuracy for item in results.variants):
        return f"{title}\n\nNo validation accuracy was measured: what the speed cost is unknown."
    baseline = results.run.config.claim.baseline
    header = ["Variant", "Epochs", "Validation accuracy", f"Against {baseline}, same seed"]
    header.append("Test accuracy")
    rows = [_row(results, item) for item in results.variants]
    parts = [
        title,
        "![Accuracy over epochs and over time](figures/accuracy.png)",
        formats.table(header, rows),
        _words(results),
        *(_race(results, race) for race in results.races),
        *([_no_race(results)] if not results.races else []),
        _starts(results),
        _unaugmented(results),
    ]
    return "\n\n".join(part for part in parts if part)


def _row(results: RunResults, item: VariantResult) -> list[str]:
    reached = item.accuracy
    validation = formats.NOTHING
    if reached:
        validation = _share(reached.value, reached.low, reached.high)
    return [
        tables.label(results, item),
        f"{item.epochs}",
        validation,
        _against(results, item),
        _test(item.test_accuracy, results.run.data.test_images),
    ]


def _share(value: float, low: float, high: float) -> str:
    return f"{formats.accuracy(value)} ({formats.accuracy(low)} to {formats.accuracy(high)})"


def _test(value: float | None, images: int) -> str:
    return formats.NOTHING if value is None or not images else _share(value, *wilson(value, images))


def _against(results: RunResults, item: VariantResult) -> str:
    if item.variant == results.run.config.claim.baseline:
        return "0 (the baseline)"
    found = results.difference(item.variant, item.phase)
    return points(found) if found else formats.NOTHING


def points(found: AccuracyDifference) -> str:
    """`-3.2 points (-5.1 to -1.3)`."""
    value = found.difference
    text = f"{100 * value.median:+.1f} points"
    if value.low is None or value.high is None:
        return f"{text} (no interval)"
    return f"{text} ({100 * value.low:+.1f} to {100 * value.high:+.1f})"


def _words(results: RunResults) -> str:
    return (
        f"{_verdict(results)} In brackets behind an accuracy: what the number of images allows "
        "(Wilson); trials share these images, so more trials do not narrow it. *Against* the "
        "baseline: percentage points after equal epochs, by pairs of trials with one seed, mean "
        f"and 95% interval over seeds.{_original(results)}"
    )


def _verdict(results: RunResults) -> str:
    """Whether accuracy was lost, or won, with intervals that hold for all differences at once."""
    losses = [item for item in results.differences if item.is_loss]
    gains = [item for item in results.differences if item.is_gain]
    known = [item for item in results.differences if item.difference.low is not None]
    if losses:
        return f"**Accuracy was lost**, beyond what seeds explain: {_named(results, losses)}."
    if not known:
        return "Whether a variant lost accuracy cannot be told from so few seeds."
    says = "No variant is shown to lose accuracy against the baseline"
    holding = f"with intervals that hold for {_all(len(known))} at once"
    if gains:
        return f"{says}; more, {holding}, was reached by {_named(results, gains)}."
    return (
        f"{says}: {holding}, the spread between seeds can explain each of them. {_blindness(known)}"
    )


def _all(differences: int) -> str:
    return "the one difference" if differences == 1 else f"all {differences} differences"


def _named(results: RunResults, differences: Sequence[AccuracyDifference]) -> str:
    return "; ".join(f"{_where(results, item)}: {points(item)}" for item in differences)


def _original(results: RunResults) -> str:
    """What the claim's authors reported for these phases, and why it is no yardstick."""
    reported = [item for item in evaluation.ORIGINAL if item.phase in results.phases]
    if not reported:
        return ""
    numbers = ", ".join(f"{item.what} {100 * item.accuracy:.4g}%" for item in reported)
    return (
        f" The claim's authors reported mean accuracies of their own trainings ({numbers}) on a "
        "test set that they had not seen. They may not be compared with these unless the images "
        "are theirs; and trials this short are for timing, while `leafbench train` trains a phase "
        "to its end."
    )


def _blindness(known: Sequence[AccuracyDifference]) -> str:
    """How large a loss could have gone unseen."""
    hidden = max(map(_hidden, known))
    if hidden >= BLIND:
        return "But so few seeds of so short a training would have hidden almost any loss."
    return f"In the widest, a loss of {hidden:.0f} points would have gone unseen."


def _hidden(item: AccuracyDifference) -> float:
    """The loss, in points, that an interval this wide does not tell from none."""
    low, high = item.together.low, item.together.high
    return 0.0 if low is None or high is None else 50 * (high - low)


def _where(results: RunResults, item: AccuracyDifference) -> str:
    return item.variant if len(results.phases) < 2 else f"{item.variant} ({item.phase})"


def _no_race(results: RunResults) -> str:
    return (
        "No time to equal accuracy: the accuracy that every variant reached cannot be told "
        f"from guessing ({formats.accuracy(results.guess)} with "
        f"{len(results.run.data.class_names)} classes). So short a training shows what a "
        "variant costs in time, not in accuracy."
    )


def _race(results: RunResults, race: Race) -> str:
    phase = f", {race.phase}" if len(results.phases) > 1 else ""
    heading = f"### Time to {formats.accuracy(race.accuracy)} validation accuracy{phase}"
    header = ["Variant", "Reached by", "Epochs", "Training time", "Speedup to equal accuracy"]
    baseline = results.run.config.claim.baseline
    rows = [_race_row(item, baseline) for item in race.results]
    return f"{heading}\n\n{formats.table(header, rows)}\n\n{_race_words(results, race)}"


def _race_row(item: RaceResult, baseline: str) -> list[str]:
    epochs = ", ".join(str(arrival.epochs) for arrival in item.arrivals)
    speedup = formats.times_interval(item.speedup)
    return [
        item.variant,
        f"{len(item.arrivals)} of {formats.plural(item.trials, 'seed')}",
        epochs or formats.NOTHING,
        formats.seconds_interval(item.seconds),
        "1 (the baseline)" if item.variant == baseline else speedup,
    ]


def _race_words(results: RunResults, race: Race) -> str:
    source = (
        "the accuracy that was asked for (`--until-accuracy`)"
        if race.asked
        else "the best that every variant reached on average"
    )
    text = (
        f"{formats.accuracy(race.accuracy)} is {source}. *Training time* is without validation "
        "and start-up; geometric mean over the seeds that arrived, with its 95% interval. *Epochs* "
        "are those of each seed that arrived. Every trial trains all its epochs."
    )
    if any(item.arrivals for item in race.results):
        return text
    best = formats.accuracy(results.best_accuracy)
    return (
        f"{text} **No trial reached it**: the best validation accuracy of any trial after any "
        f"epoch was {best}. Train longer (--epochs), or ask for less."
    )


def _starts(results: RunResults) -> str:
    if not results.starts:
        return ""
    shard = " of a shard" if results.run.parts else ""
    each = "; ".join(
        f"{start.spec.phase}: {formats.plural(start.spec.epochs, 'epoch')} on cached features of "
        f"{start.spec.backbone} ({start.spec.weights}), without augmentation, "
        f"{formats.accuracy(start.val_accuracy)} on the validation images, "
        f"{formats.seconds(start.wall_ns / 1e9)}"
        for start in results.starts
    )
    return (
        f"A phase that continues another began, in every trial{shard}, from one and the same "
        f"training of that phase, which is in none of the times above: {each}."
    )


def _unaugmented(results: RunResults) -> str:
    """Variants that train without the augmentation that the others have."""
    names = dict.fromkeys(
        item.variant for item in results.variants if item.pipeline.needs_frozen_backbone
    )
    if not names:
        return ""
    return (
        f"{', '.join(names)} computes what the frozen backbone makes of each image in the first "
        "epoch and trains on that alone. It therefore has less augmentation than the others, or "
        "none (see fairness), and its accuracy is that of such a training: it can be lower or, in "
        "so short a one, higher."
    )
