"""What is minimised: Keras' losses, fed with integer labels and, where wanted, weighed by class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from leafmodel.errors import DataError
from leafmodel.training.improvements import Improvement
from leafmodel.training.phases import Phase

SMOOTHING = 0.1  # Szegedy et al. 2016, arXiv:1512.00567, section 7
FOCAL_ALPHA = 0.25  # Lin et al. 2017, arXiv:1708.02002, section 4.1: the best pair
FOCAL_GAMMA = 2.0

PerImage = Callable[[Any, Any], Any]


def loss_of(phase: Phase, class_counts: Sequence[int]) -> Any:
    """The phase's loss, a `keras.losses.Loss`: the mean over the images of a batch.

    It takes (batch,) or (batch, 1) labels of any number type and (batch, classes) probabilities.

    - Plain: cross-entropy.
    - label_smoothing: cross-entropy with 0.1 of the target spread evenly over all classes.
    - sigmoid_focal: every class is a question of its own, answered by a sigmoid; focal loss
      with alpha 0.25 and gamma 2 (Lin et al. 2017, arXiv:1708.02002, equation 5), summed over the
      classes. With label_smoothing its targets are 0.95 and 0.05, Keras' rule for two answers.
    - class_weights: an image's loss times `class_weights` of its label. The weights are part of the
      loss, and not `fit(class_weight=...)`, because Keras would then append a sequential map to the
      tf.data pipeline, behind its prefetch, and change the pipeline that is measured.

    Args:
        class_counts: training images of each class.

    Raises:
        DataError: class_weights, and a class without training images.
    """
    per_image = _per_image(phase, classes=len(class_counts))
    if phase.has(Improvement.CLASS_WEIGHTS):
        return LabelLoss(_weighed(per_image, class_weights(class_counts)))
    if per_image is keras.losses.sparse_categorical_crossentropy:
        return keras.losses.SparseCategoricalCrossentropy()
    return LabelLoss(per_image)


def class_weights(class_counts: Sequence[int]) -> tuple[float, ...]:
    """Images / (classes * images of the class): 1 on average over the images (King and Zeng 2001).

    Raises:
        DataError: a class without training images.
    """
    empty = [str(label) for label, count in enumerate(class_counts) if count < 1]
    if empty:
        raise DataError(
            "class_weights needs training images of every class, found none of the classes with "
            f"index {', '.join(empty)}: add images, or train without class_weights."
        )
    share = sum(class_counts) / len(class_counts)
    return tuple(share / count for count in class_counts)


class LabelLoss(keras.losses.Loss):
    """The mean over a batch of a loss that is a function of integer labels and probabilities.

    Args:
        per_image: (batch,) int32 labels, (batch, classes) probabilities -> (batch,) losses.
    """

    def __init__(self, per_image: PerImage) -> None:
        super().__init__(name="label_loss")
        self._per_image = per_image

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """(batch,) losses; Keras has made the labels float32 by now, which keeps them exact."""
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        return self._per_image(labels, y_pred)


def _per_image(phase: Phase, classes: int) -> PerImage:
    smoothing = SMOOTHING if phase.has(Improvement.LABEL_SMOOTHING) else 0.0
    if phase.has(Improvement.SIGMOID_FOCAL):
        focal = partial(
            keras.losses.binary_focal_crossentropy,
            apply_class_balancing=True,  # with alpha, as in equation 5
            alpha=FOCAL_ALPHA,
            gamma=FOCAL_GAMMA,
            label_smoothing=smoothing,
        )
        # Keras takes the mean over the classes, the paper the sum: hence the factor.
        return lambda labels, found: classes * focal(ops.one_hot(labels, classes), found)
    if smoothing:
        smooth = partial(keras.losses.categorical_crossentropy, label_smoothing=smoothing)
        return lambda labels, found: smooth(ops.one_hot(labels, classes), found)
    return keras.losses.sparse_categorical_crossentropy  # type: ignore[no-any-return]


def _weighed(per_image: PerImage, weights: Sequence[float]) -> PerImage:
    table = np.asarray(weights, np.float32)
    return lambda labels, found: (
        ops.take(ops.convert_to_tensor(table), labels) * per_image(labels, found)
    )
