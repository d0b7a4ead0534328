"""What the literature offers to make a training better, as names that can be combined.

Plain data, importable without TensorFlow. What each name does to the network, the loss, the
optimiser or the learning rate stands where that is made: `leafmodel.models.network`,
`leafmodel.training.losses`, `.optimisers`, `.schedules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from leafmodel.errors import ModelError


class Improvement(StrEnum):
    """A change to a phase's training."""

    LABEL_SMOOTHING = "label_smoothing"
    SIGMOID_FOCAL = "sigmoid_focal"
    MISH = "mish"
    NO_DENSE = "no_dense"
    RANGER = "ranger"
    REDUCE_LR = "reduce_lr"
    TRIANGULAR = "triangular"
    TRIANGULAR2 = "triangular2"
    RANDOM_CROP = "random_crop"
    GAUSSIAN_NOISE = "gaussian_noise"
    INPUT_380 = "input_380"
    CLASS_WEIGHTS = "class_weights"
    MIXED_PRECISION = "mixed_precision"


@dataclass(frozen=True)
class About:
    """What an improvement is, and where it comes from."""

    summary: str
    source: str


ABOUT: Mapping[Improvement, About] = MappingProxyType(
    {
        Improvement.LABEL_SMOOTHING: About(
            "targets of 0.9 and a little for every other class",
            "Szegedy et al. 2016, arXiv:1512.00567, section 7",
        ),
        Improvement.SIGMOID_FOCAL: About(
            "one sigmoid a class and a loss that weighs easy images less",
            "Lin et al. 2017, arXiv:1708.02002, equation 5",
        ),
        Improvement.MISH: About(
            "Mish instead of ReLU in the dense layer", "Misra 2019, arXiv:1908.08681"
        ),
        Improvement.NO_DENSE: About("no dense layer before the softmax", "the claim's own study"),
        Improvement.RANGER: About(
            "rectified Adam with lookahead instead of Adam",
            "Liu et al. 2020, arXiv:1908.03265; Zhang et al. 2019, arXiv:1907.08610",
        ),
        Improvement.REDUCE_LR: About(
            "a fifth of the learning rate after 3 epochs without a lower validation loss",
            "Keras, ReduceLROnPlateau",
        ),
        Improvement.TRIANGULAR: About(
            "a learning rate that climbs and falls in a triangle",
            "Smith 2017, arXiv:1506.01186, section 3.1",
        ),
        Improvement.TRIANGULAR2: About(
            "triangles whose height halves after each", "Smith 2017, arXiv:1506.01186, section 3.1"
        ),
        Improvement.RANDOM_CROP: About(
            "a random crop of 7/8 of the side", "Krizhevsky et al. 2012, section 4.1"
        ),
        Improvement.GAUSSIAN_NOISE: About(
            "noise of 5 % of the grey range on every pixel", "Bishop 1995, Neural Computation 7(1)"
        ),
        Improvement.INPUT_380: About(
            "images of 380x380 pixels, B4's own size", "Tan and Le 2019, arXiv:1905.11946"
        ),
        Improvement.CLASS_WEIGHTS: About(
            "rare classes weigh more in the loss", "King and Zeng 2001, Political Analysis 9(2)"
        ),
        Improvement.MIXED_PRECISION: About(
            "bfloat16 arithmetic, float32 weights", "Micikevicius et al. 2018, arXiv:1710.03740"
        ),
    }
)

# These change the network that is trained, so a phase that continues another needs it to have them.
SHAPING = frozenset(
    {
        Improvement.SIGMOID_FOCAL,
        Improvement.MISH,
        Improvement.NO_DENSE,
        Improvement.RANDOM_CROP,
        Improvement.INPUT_380,
    }
)
_ONE_OF = (Improvement.REDUCE_LR, Improvement.TRIANGULAR, Improvement.TRIANGULAR2)


def require_compatible(improvements: Iterable[Improvement]) -> None:
    """Refuse a set that contradicts itself.

    Raises:
        ModelError: two improvements that both set the learning rate, or an activation for a layer
            that is left out.
    """
    given = tuple(improvements)
    if Improvement.NO_DENSE in given and Improvement.MISH in given:
        raise ModelError(
            f"{Improvement.NO_DENSE} leaves out the layer that {Improvement.MISH} would change: "
            "choose one of them (improved has mish; write finetune+... with what you want)."
        )
    chosen = [item for item in given if item in _ONE_OF]
    if len(chosen) > 1:
        raise ModelError(
            f"{' and '.join(chosen)} all set the learning rate: choose one of {', '.join(_ONE_OF)}."
        )
