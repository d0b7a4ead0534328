"""The fused layer against the five stock layers under the same draws: the same images.

**The tolerance.** Between samples at distance 1, bilinear interpolation of f is off by at most
(|f_xx| + |f_yy|) / 8 (each direction contributes the error h^2/8 max|f''| of linear interpolation;
de Boor, A Practical Guide to Splines, 2001, ch. III). For a wave of amplitude A and k radians a
pixel in any direction that sum is at most A k^2, whichever way an image is turned. A later
interpolation averages what it is given, so it hands on earlier errors at most as large as they
were. The stock layers interpolate three times, the fused one once: each is off by at most 3 or 1
times A k^2 / 8 from the wave itself, and from each other by 4 times. (Zoom does not enter: it comes
last, and interpolates what the others made, whose waves are as long as the first.) Places are
float32 of up to a few hundred pixels, good to 1e-4 pixels, or 1e-4 A k in grey levels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from leafmodel.augment import FusedAugmentation, stock_augmentation
from leafmodel.augment.fused import Draw
from tests.leafmodel.augment.waves import AMPLITUDE, HEIGHT, STEEPEST, WIDTH, image, values

ONE_INTERPOLATION = AMPLITUDE * STEEPEST**2 / 8
ROUNDING = 1e-4 * AMPLITUDE * STEEPEST + 1e-3
NOISE = np.random.default_rng(0).integers(0, 256, (3, 9, 14, 3)).astype(np.uint8)
Matrix = NDArray[np.float64]

STILL = {"flip": 1.0, "shift_x": 0.0, "shift_y": 0.0, "angle": 0.0, "zoom": 1.0, "contrast": 1.0}
MOVES = {
    "still": {},
    "flip": {"flip": -1.0},
    "shift": {"shift_x": 0.33, "shift_y": -0.21},
    "rotation": {"angle": 0.5},
    "half turn and more": {"angle": -1.8},
    "zoom in": {"zoom": 0.7},
    "zoom out": {"zoom": 1.3},
    "all": {"flip": -1.0, "shift_x": 0.2, "shift_y": -0.1, "angle": 0.7, "zoom": 0.75},
    "all, no flip": {"shift_x": -0.25, "shift_y": 0.15, "angle": -1.2, "zoom": 0.8},
    "all, shrunk": {"flip": -1.0, "shift_x": -0.1, "shift_y": 0.2, "angle": 1.5, "zoom": 1.2},
}


def draw(**moves: float) -> Draw:
    """A draw for one image; what is not given leaves it as it is."""
    chosen = STILL | moves
    return Draw(**{name: tf.constant([value], tf.float32) for name, value in chosen.items()})


def fused(images: Any, **moves: float) -> NDArray[np.float32]:
    return np.asarray(FusedAugmentation().augment(tf.cast(images, tf.float32), draw(**moves)))


def stock(images: NDArray[np.float32], **moves: float) -> NDArray[np.float32]:
    """The same through Keras' own layers: a range from a to a draws nothing but a."""
    to = STILL | moves
    layers = keras.layers
    share = to["angle"] / (2 * np.pi)
    _, translation, rotation, zoom, _ = stock_augmentation()
    fill = {"fill_mode": translation.fill_mode}
    assert rotation.fill_mode == zoom.fill_mode == translation.fill_mode
    steps = (
        layers.RandomTranslation((to["shift_y"],) * 2, (to["shift_x"],) * 2, **fill),
        layers.RandomRotation((share, share), **fill),
        layers.RandomZoom((to["zoom"] - 1,) * 2, **fill),
    )
    found = images[:, ::-1, ::-1] if to["flip"] < 0 else images
    for step in steps:
        found = step(found, training=True)
    return np.asarray(found)


def _places(**moves: float) -> tuple[Matrix, Matrix, NDArray[np.bool_]]:
    """Where each output pixel comes from (x, y), and whether no step looked beyond a border.

    An interpolation looks up to sqrt(2) pixels around its place, and so do those before it around
    theirs: 3 pixels from every border are enough for all three.
    """
    to = STILL | moves
    y, x = (side.astype(float) for side in np.mgrid[:HEIGHT, :WIDTH])
    centre_x, centre_y = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    inside = np.ones(x.shape, bool)

    def arrive(x: Matrix, y: Matrix) -> tuple[Matrix, Matrix]:
        nonlocal inside
        inside &= (x >= 3) & (x <= WIDTH - 4) & (y >= 3) & (y <= HEIGHT - 4)
        return x, y

    def about_centre(x: Matrix, y: Matrix, turn: complex) -> tuple[Matrix, Matrix]:
        around = turn * ((x - centre_x) + 1j * (y - centre_y))
        return arrive(around.real + centre_x, around.imag + centre_y)

    x, y = about_centre(x, y, to["zoom"])
    x, y = about_centre(x, y, np.exp(1j * to["angle"]))
    x, y = arrive(x - to["shift_x"] * WIDTH, y - to["shift_y"] * HEIGHT)
    x, y = about_centre(x, y, to["flip"])
    return x, y, inside


@pytest.mark.parametrize("moves", MOVES.values(), ids=list(MOVES))
def test_it_equals_the_stock_layers_away_from_borders(moves: dict[str, float]) -> None:
    *_, inside = _places(**moves)
    assert inside.mean() > 0.1
    apart = np.abs(fused(image(), **moves) - stock(image(), **moves))[0][inside]
    assert apart.max() <= 4 * ONE_INTERPOLATION + ROUNDING


@pytest.mark.parametrize("moves", MOVES.values(), ids=list(MOVES))
def test_it_shows_the_wave_itself_within_one_interpolation(moves: dict[str, float]) -> None:
    x, y, inside = _places(**moves)
    apart = np.abs(fused(image(), **moves)[0] - values(x, y))[inside]
    assert apart.max() <= ONE_INTERPOLATION + ROUNDING


def _columns(*order: int) -> Callable[[Any], Any]:
    return lambda transforms: tf.gather(transforms, order, axis=1)


PLANTED = {
    "transposed": _columns(0, 3, 2, 1, 4, 5, 6, 7),
    "x and y exchanged": _columns(4, 3, 5, 1, 0, 2, 6, 7),
    "offsets exchanged": _columns(0, 1, 5, 3, 4, 2, 6, 7),
    "half a pixel off": lambda found: found + tf.constant([[0, 0, 0.5, 0, 0, 0, 0, 0]]),
    "not about the centre": lambda found: found * tf.constant([[1.0, 1, 0, 1, 1, 0, 1, 1]]),
}


@pytest.mark.parametrize("mistake", PLANTED.values(), ids=list(PLANTED))
def test_a_planted_mistake_is_far_beyond_the_tolerance(
    mistake: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = FusedAugmentation.transforms
    monkeypatch.setattr(
        FusedAugmentation, "transforms", lambda *arguments: mistake(honest(*arguments))
    )
    *_, inside = _places(**MOVES["all"])
    apart = np.abs(fused(image(), **MOVES["all"]) - stock(image(), **MOVES["all"]))[0][inside]
    assert apart.max() > 4 * (4 * ONE_INTERPOLATION + ROUNDING)


@pytest.mark.parametrize(
    "mistaken", [{"shift_x": -0.2}, {"shift_y": 0.1}, {"flip": 1.0}, {"zoom": 1 / 0.75}]
)
def test_a_mistaken_draw_is_far_beyond_the_tolerance(mistaken: dict[str, float]) -> None:
    moves = MOVES["all"]
    *_, inside = _places(**moves)
    apart = np.abs(fused(image(), **(moves | mistaken)) - stock(image(), **moves))[0][inside]
    assert apart.max() > 4 * (4 * ONE_INTERPOLATION + ROUNDING)


def test_shifted_by_whole_pixels_the_borders_are_reflected_as_the_stock_layers_do() -> None:
    moves = {"shift_x": 5 / 14, "shift_y": -3 / 9}
    images = NOISE[:1].astype(np.float32)
    np.testing.assert_allclose(fused(images, **moves), stock(images, **moves), atol=1e-2)
    expected = np.pad(images, ((0, 0), (0, 3), (5, 0), (0, 0)), "symmetric")[:, 3:, :14]
    np.testing.assert_allclose(fused(images, **moves), expected, atol=1e-2)


def test_without_a_move_nothing_changes() -> None:
    np.testing.assert_array_equal(fused(NOISE[:1]), NOISE[:1])


def test_a_flip_is_exact_and_goes_both_ways() -> None:
    flipped = fused(NOISE[:1], flip=-1.0)
    np.testing.assert_array_equal(flipped, NOISE[:1, ::-1, ::-1])
    layer = stock_augmentation()[0]
    theirs = layer.transform_images(NOISE[:1], {"flips": np.full((1, 1, 1, 1), True)})
    np.testing.assert_array_equal(flipped, np.asarray(theirs))


@pytest.mark.parametrize("contrast", [0.7, 1.0, 1.3])
def test_contrast_is_that_of_the_stock_layer(contrast: float) -> None:
    layer = stock_augmentation()[4]
    theirs = layer.transform_images(
        NOISE[:1].astype(np.float32), {"contrast_factor": np.full((1, 1, 1, 1), contrast)}
    )
    np.testing.assert_allclose(fused(NOISE[:1], contrast=contrast), np.asarray(theirs), atol=1e-3)


def test_contrast_is_about_the_mean_of_what_was_moved() -> None:
    moves = {"shift_x": 0.4, "angle": 0.5}
    moved = fused(image(), **moves)
    mean = moved.mean(axis=(1, 2), keepdims=True)
    assert np.abs(mean - image().mean(axis=(1, 2), keepdims=True)).max() > 1
    expected = np.clip((moved - mean) * 1.2 + mean, 0, 255)
    np.testing.assert_allclose(fused(image(), **moves, contrast=1.2), expected, atol=1e-2)
