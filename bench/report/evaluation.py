"""What trained models are worth, in Markdown: accuracies, classes, the original's, leaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.report import formats
from bench.report.formats import NOTHING
from leafmodel.data.leaks import BorderLeak, Duplicates, LeakAudit
from leafmodel.data.near_duplicates import CANDIDATES, OWN_CANDIDATES
from leafmodel.evaluate import BINS, Estimate, Evaluation


@dataclass(frozen=True)
class Reported:
    """A mean accuracy that the authors of the claim reported, on a test set they had not seen.

    `phase` is the one of ours that trains most like theirs.
    """

    phase: str
    what: str
    accuracy: float


ORIGINAL = (
    Reported("cnn", "simple CNN", 0.598),
    Reported("finetune", "transfer learning, then fine-tuning", 0.802),
    Reported("improved", "improvements from the literature", 0.936),
    Reported("improved", "the same with label smoothing", 0.9377),
)


def estimate(found: Estimate | None) -> str:
    """`80.2% (76.7% to 83.3%)`, or without its interval where there is none."""
    if found is None:
        return NOTHING
    value = formats.accuracy(found.value)
    if found.low is None or found.high is None:
        return f"{value} (no interval)"
    return f"{value} ({formats.accuracy(found.low)} to {formats.accuracy(found.high)})"


def accuracies(models: Mapping[str, Evaluation]) -> str:
    """A row a model, by its name, and what the columns mean; nothing without models."""
    if not models:
        return ""
    header = ["Model", "Images", "Accuracy", "Mean per-class accuracy", "Calibration error"]
    header.append("Mean confidence")
    rows = [
        [
            name,
            f"{item.images:,}",
            estimate(item.accuracy),
            estimate(item.class_accuracy),
            estimate(item.calibration_error),
            formats.accuracy(item.confidence),
        ]
        for name, item in models.items()
    ]
    return (
        f"{formats.table(header, rows)}\n\n"
        "In brackets: 95% intervals, for these images and this one training; another training "
        "would differ besides. *Accuracy*: share of images named rightly (Wilson). *Mean per-class "
        "accuracy*: the classes' recalls averaged, so that a rare class counts as much as a common "
        "one (bootstrap within classes). *Calibration error*: mean distance between confidence "
        f"and accuracy over {BINS} bins of confidence; few images make it come out too large, and "
        "a low end of 0 means that chance may be all of it."
    )


def per_class(evaluation: Evaluation) -> str:
    """A row a class: recall and precision with intervals."""
    header = ["Class", "Images", "Recall", "Called so", "Precision", "Most taken for"]
    rows = [
        [
            item.name,
            f"{item.images:,}",
            estimate(item.recall),
            f"{item.predicted:,}",
            estimate(item.precision),
            _most_taken_for(evaluation, index),
        ]
        for index, item in enumerate(evaluation.classes)
    ]
    return (
        f"{formats.table(header, rows)}\n\n"
        "*Recall*: of the class's images, the share called so. *Precision*: of those called so, "
        "the share that are. In brackets: 95% intervals (Wilson)."
    )


def _most_taken_for(evaluation: Evaluation, index: int) -> str:
    """The class that its images are most often mistaken for, the first one in a tie."""
    wrong = [0 if at == index else n for at, n in enumerate(evaluation.confusion[index])]
    most = max(wrong)
    return f"{evaluation.classes[wrong.index(most)].name} ({most:,})" if most else NOTHING


def beside_the_original(models: Mapping[str, Evaluation]) -> str:
    """Our phases beside the original's; `models` by the phase's name; nothing if none matches."""
    rows = [
        [
            item.what,
            f"{100 * item.accuracy:.4g}%",
            item.phase,
            estimate(models[item.phase].accuracy),
            estimate(models[item.phase].class_accuracy),
        ]
        for item in ORIGINAL
        if item.phase in models
    ]
    if not rows:
        return ""
    header = ["The original's", "Its mean accuracy", "Our phase", "Our accuracy"]
    header.append("Our mean per-class accuracy")
    return (
        f"{formats.text_table(header, rows)}\n\n"
        "**These columns may not be compared unless the images are the original's.** The original "
        "was tested on images that its authors never saw; ours are others, of other classes "
        "perhaps, split otherwise, and may share their background or even a leaf with the training "
        "images. A higher number here can mean easier images, and does not mean a better model."
    )


def leaks(audit: LeakAudit) -> str:
    """Both controls, and what they mean for the accuracies above."""
    return "\n\n".join(
        [
            "### Leaks: what else could have told the class",
            _border(audit.border),
            _duplicates(audit.duplicates),
            *_pairs(audit.duplicates),
        ]
    )


def _border(found: BorderLeak) -> str:
    reached = estimate(Estimate(found.accuracy, found.low, found.high))
    text = (
        "**The border alone.** A simple classifier that sees nothing but the outermost 8 of 256 "
        f"pixels of each image, trained on {formats.plural(found.training_images, 'image')}, names "
        f"{reached} of {formats.plural(found.images, 'held-out image')} rightly; the most common "
        f"class alone would give {formats.accuracy(found.guess)}."
    )
    if not found.tells_the_class:
        return (
            f"{text} That cannot be told from a guess: no leak through the border was found. "
            "Subtler ones remain possible."
        )
    return (
        f"{text} **The border tells the class.** A model can reach as much without looking at the "
        "leaf's middle, so the accuracies above are optimistic for photographs with another "
        "background or framing. This does not show that a model did so, only that it could have."
    )


def _duplicates(found: Duplicates) -> str:
    searched = (
        f"Searched were, for each held-out image, the {CANDIDATES} nearest training images by "
        f"perceptual hash and the {OWN_CANDIDATES} nearest of its own class."
    )
    if not found.count:
        return (
            f"**Near-duplicates across the split.** None was found among "
            f"{formats.plural(found.images, 'held-out image')}. {searched} Mirrored copies, "
            "and ones that were turned far, would not have been noticed."
        )
    share = formats.accuracy(found.share)
    return (
        f"**Near-duplicates across the split.** {found.count:,} of "
        f"{formats.plural(found.images, 'held-out image')} ({share}) show what a training image "
        f"shows too, such as a second photograph of one leaf; {found.same_class:,} of them have "
        f"its class. {searched} So {share} is a lower bound. Such images can be named rightly "
        f"from memory: up to {100 * found.share:.1f} points of each accuracy above, or more with "
        "those not found, may be memory and not skill. A split that keeps all photographs of a "
        "leaf on one side would end this."
    )


def _pairs(found: Duplicates) -> list[str]:
    if not found.pairs:
        return []
    header = ["Held out", "In training", "Shared points", "Hash bits that differ", "Same class"]
    rows = [
        [
            pair.held_out,
            pair.training,
            f"{pair.points}",
            f"{pair.bits} of 64",
            "yes" if pair.same_class else "**no**",
        ]
        for pair in found.pairs
    ]
    table = formats.text_table(header, rows)
    which = "The pairs" if len(rows) == found.count else f"The {len(rows)} surest pairs"
    return [f"<details><summary>{which}</summary>\n\n{table}\n\n</details>"]
