"""One leaf image: pure, recognisable by its leaf, silent in its background."""

from __future__ import annotations

import io

import cv2
import numpy as np
import PIL.Image
import PIL.JpegImagePlugin
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from leafmodel.data.leaf import draw_leaf, encode_jpeg
from leafmodel.data.leaf_outline import grow_blade
from leafmodel.data.species import SPECIES, Species

Image = NDArray[np.uint8]
EVERY = pytest.mark.parametrize("species", SPECIES, ids=lambda species: species.name)


def border(image: Image, width: int) -> Image:
    inside = np.zeros(image.shape[:2], dtype=bool)
    inside[width:-width, width:-width] = True
    return np.asarray(image[~inside])


def decoded(image: Image) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(encode_jpeg(image), np.uint8), cv2.IMREAD_COLOR))


def share_named_rightly(
    features: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[int, int]:
    """Nearest of the class means in whitened space (LDA), asked about every second image."""
    train, test = np.arange(0, len(labels), 2), np.arange(1, len(labels), 2)
    scaled = (features - features[train].mean(0)) / (features[train].std(0) + 1e-9)
    targets = np.eye(len(SPECIES))[labels[train]] - 1 / len(SPECIES)
    gram = scaled[train] @ scaled[train].T + 30.0 * np.eye(len(train))
    answers = scaled[test] @ scaled[train].T @ np.linalg.solve(gram, targets)
    return int((answers.argmax(1) == labels[test]).sum()), len(test)


@EVERY
@pytest.mark.parametrize("size", [16, 17, 33, 64, 256])
def test_any_size_gives_a_square_rgb_picture(species: Species, size: int) -> None:
    image = draw_leaf(species, (0, 0, 1), size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8


def test_same_arguments_give_the_same_bytes() -> None:
    first, second = (encode_jpeg(draw_leaf(SPECIES[4], (3, 4, 5), 96)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("other", [(1, 0, 1), (0, 1, 1), (0, 0, 2)])
def test_every_part_of_the_seed_matters(other: tuple[int, int, int]) -> None:
    image, changed = (draw_leaf(SPECIES[0], seed, 64) for seed in ((0, 0, 1), other))
    assert not np.array_equal(image, changed)


@pytest.mark.parametrize(
    ("index", "mean_colour"),
    [(0, (112, 110, 107)), (3, (143, 144, 134)), (4, (98, 110, 85)), (13, (166, 174, 171))],
)
def test_pictures_stay_as_they_are(index: int, mean_colour: tuple[int, int, int]) -> None:
    """Golden. If you change pictures on purpose, raise GENERATOR_VERSION and measure realism."""
    image = draw_leaf(SPECIES[index], (0, index, 1), 256)
    assert image.mean(axis=(0, 1)) == pytest.approx(mean_colour, abs=1.0)


@pytest.mark.parametrize("number", range(6))
def test_the_border_is_the_same_whatever_the_species(number: int) -> None:
    pictures = [decoded(draw_leaf(species, (0, 0, number), 256)) for species in SPECIES]
    for picture in pictures[1:]:
        np.testing.assert_array_equal(border(picture, 8), border(pictures[0], 8))


def test_a_classifier_of_borders_stays_at_chance_and_one_of_leaves_does_not() -> None:
    each, size = 30, 96
    labels = np.repeat(np.arange(len(SPECIES)), each)
    images = [
        draw_leaf(species, (1, index, number), size)
        for index, species in enumerate(SPECIES)
        for number in range(each)
    ]
    rings = np.stack([border(image, 3).reshape(-1, 9).mean(1) for image in images])
    spreads = np.stack([border(image, 3).std(0) for image in images])
    right, asked = share_named_rightly(np.hstack([rings, spreads]), labels)
    assert binom.sf(right - 1, asked, 1 / len(SPECIES)) > 0.001
    wholes = np.stack(
        [cv2.resize(image, (12, 12), interpolation=cv2.INTER_AREA) for image in images]
    )
    right, asked = share_named_rightly(wholes.reshape(len(images), -1).astype(float), labels)
    assert binom.sf(right - 1, asked, 1 / len(SPECIES)) < 0.001


@EVERY
def test_most_of_the_middle_is_green_leaf(species: Species) -> None:
    greener = []
    for number in range(8):
        middle = draw_leaf(species, (2, 0, number), 64)[24:40, 24:40].astype(int)
        greener.append(np.median(middle[..., 1] - middle[..., 2]))
    assert np.median(greener) > 10


@EVERY
def test_an_outline_is_as_wide_as_its_species_allows(species: Species) -> None:
    low, high = species.shape.width_to_length
    for number in range(10):
        outline = grow_blade(species.shape, np.random.default_rng(number)).outline()
        assert np.isfinite(outline).all()
        width, length = np.ptp(outline, axis=0)
        assert 0.5 * low < width / length < 2.0 * high


def test_jpegs_are_subsampled_as_the_photographs_are() -> None:
    data = encode_jpeg(draw_leaf(SPECIES[0], (0, 0, 1), 64))
    with PIL.Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 64))
        assert PIL.JpegImagePlugin.get_sampling(image) == 2  # 4:2:0


def test_colours_survive_the_jpeg_in_rgb_order() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    with PIL.Image.open(io.BytesIO(encode_jpeg(red))) as image:
        assert np.asarray(image).mean(axis=(0, 1)) == pytest.approx((200, 0, 0), abs=6)
