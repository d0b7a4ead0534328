"""A saved model's card, in Markdown."""

from __future__ import annotations

from bench.report import evaluation, formats
from leafmodel.model_card import Card

LIMITS = (
    "It knows {classes} classes and no others: it gives one of them to every image, also to one "
    "that shows no leaf, and a high share is no sign that the image is a leaf.",
    "It was measured on images that were taken like those it was trained on. Another camera, "
    "background, season or variety can make it worse, and nothing here says by how much.",
    "It was trained once, with one seed; another training would differ by more than rounding.",
    "It is no basis for a decision that can harm somebody, such as whether a plant may be eaten.",
)


def markdown(card: Card) -> str:
    """The card, ending in a newline."""
    parts = [
        f"# {card.training.phase}: a classifier of {len(card.class_names)} kinds of leaves",
        _what(card),
        "## How well it does",
        _accuracies(card),
        "## How it was trained",
        formats.text_table(["", ""], _rows(card)),
        "## Limits",
        "\n".join(f"- {line.format(classes=len(card.class_names))}" for line in LIMITS),
        "## Use",
        _USE,
    ]
    return "\n\n".join(parts) + "\n"


def _what(card: Card) -> str:
    size = card.image_size
    return (
        f"A Keras model: RGB images of {size}x{size} pixels in 0-255, float32, go in; "
        f"{len(card.class_names)} probabilities come out, in this order: "
        f"{', '.join(card.class_names)}."
    )


def _accuracies(card: Card) -> str:
    rows = [
        [
            item.part,
            f"{item.images:,}",
            evaluation.estimate(item.accuracy),
            evaluation.estimate(item.class_accuracy),
            evaluation.estimate(item.calibration_error),
        ]
        for item in card.measured
    ]
    header = ["Images", "How many", "Accuracy", "Mean per-class accuracy", "Calibration error"]
    return (
        f"{formats.table(header, rows)}\n\n"
        "In brackets: 95% intervals. By the validation images the best epoch was chosen, so that "
        "their accuracy is a little optimistic."
    )


def _rows(card: Card) -> list[list[str]]:
    training, images = card.training, card.images
    backbone = f"{training.backbone}, weights: {training.weights}" if training.backbone else "none"
    ended = "early stopping" if training.stopped_early else "reaching its last epoch"
    return [
        ["phase", f"{training.phase}: {training.summary}"],
        ["continues", training.start or "nothing, it began anew"],
        ["settings", "; ".join(f"{key} {value}" for key, value in training.settings.items())],
        ["backbone", backbone],
        ["input pipeline", f"{training.variant}, {training.batch_size} images a step"],
        ["epochs", f"{training.epochs}, ended by {ended}; epoch {training.best_epoch} is kept"],
        ["images", f"{images.source}; fingerprint {images.fingerprint}"],
        [
            "split",
            f"{images.train:,} to train, {images.validation:,} to validate, {images.test:,} to "
            f"test; seed {images.split_seed}",
        ],
        ["made", card.created_at],
        ["versions", ", ".join(f"{name} {number}" for name, number in card.versions.items())],
    ]


_USE = (
    "```sh\nleafbench predict model.keras leaf.jpg\nleafbench evaluate model.keras FOLDER\n```"
    '\n\nor in Python, without leafbench: `keras.saving.load_model("model.keras")`. The '
    "classes' names and this card are in the file too, as the member `leafbench.json` of the "
    "zip archive that it is."
)
