from __future__ import annotations

from itertools import pairwise

import numpy as np

from leafmodel.models.cnn import build
from leafmodel.training.phases import PHASES


def test_the_cnn_is_the_claims() -> None:
    model = build(PHASES["cnn"], side=256, classes=14)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "BatchNormalization", "MaxPooling2D"]
    assert kinds == [
        *("InputLayer", "Rescaling", *(block * 5)),
        *("Flatten", "Dense", "Dropout", "Dense"),
    ]
    filters = [layer.filters for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert filters == [16, 32, 64, 128, 256]
    assert [layer.units for layer in model.layers if type(layer).__name__ == "Dense"] == [512, 14]
    kernels = sum((9 * i + 1) * o for i, o in pairwise((3, *filters)))
    normalisation = 4 * sum(filters)
    dense = (8 * 8 * 256 + 1) * 512 + (512 + 1) * 14  # 256 pixels halved five times are 8
    assert model.count_params() == kernels + normalisation + dense


def test_it_takes_raw_pixels_and_gives_probabilities() -> None:
    model = build(PHASES["cnn"], side=32, classes=3)
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(model(images)).sum(axis=1), [1, 1], rtol=1e-5)
