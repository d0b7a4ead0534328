"""Planted leaks are seen, and where nothing leaks, nothing is claimed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from leafmodel.data import border, leaks, near_duplicates
from leafmodel.data.folder import ImageFile
from leafmodel.data.leaks import LeakAudit, audit
from leafmodel.errors import DataError

NAMES = ("elm", "oak", "yew")
SIDE = 96


def texture(seed: int) -> Image.Image:
    """Blotches of its own: what a leaf is to the points."""
    small = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), np.uint8)
    return Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def framed(seed: int, colour: int) -> Image.Image:
    """A texture with a border in a noisy colour of red."""
    image = np.array(texture(seed))
    rim = np.ones((SIDE, SIDE), bool)
    rim[4:-4, 4:-4] = False
    image[rim] = np.random.default_rng(seed).integers(60, 90, (rim.sum(), 3))
    image[rim, 0] += np.uint8(colour)
    return Image.fromarray(image)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., list[ImageFile]]:
    """`save("part", images)`: a file an image, its class by turns."""

    def save(part: str, images: list[Image.Image], quality: int = 90) -> list[ImageFile]:
        files = []
        for number, image in enumerate(images):
            label = number % len(NAMES)
            path = tmp_path / part / NAMES[label] / f"{number:03}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path, quality=quality)
            files.append(ImageFile(path, label))
        return files

    return save


def test_a_border_that_tells_the_class_is_seen(save) -> None:
    train = save("training", [framed(seed, 40 * (seed % 3)) for seed in range(45)])
    held_out = save("test", [framed(100 + seed, 40 * (seed % 3)) for seed in range(21)])
    found = audit(train, held_out, NAMES).border
    assert found.accuracy == 1.0
    assert found.guess == pytest.approx(1 / 3)
    assert (found.images, found.training_images) == (21, 45)
    assert found.tells_the_class


def test_a_border_that_knows_nothing_is_no_better_than_a_guess(save) -> None:
    train = save("training", [framed(seed, 40) for seed in range(45)])
    held_out = save("test", [framed(100 + seed, 40) for seed in range(30)])
    found = audit(train, held_out, NAMES).border
    assert found.low <= 1 / 3 <= found.high
    assert not found.tells_the_class


def test_a_large_training_part_is_thinned_for_the_border(save, monkeypatch) -> None:
    monkeypatch.setattr(leaks, "MOST_LEARNT", 20)
    train = save("training", [framed(seed, 40 * (seed % 3)) for seed in range(45)])
    found = audit(train, train[:6], NAMES)
    assert found.border.training_images == 20
    assert found.border.accuracy == 1.0
    assert found.duplicates.count == 6  # which are looked for among all


def test_what_lies_inside_the_ring_is_not_looked_at() -> None:
    image = np.array(framed(1, 40))
    other = image.copy()
    other[4:-4, 4:-4] = 0
    ring = round(border.RING * SIDE)
    assert ring == 3
    assert np.array_equal(border.ring_features(image), border.ring_features(other))
    other[0, 0] = 255 - other[0, 0]
    assert not np.array_equal(border.ring_features(image), border.ring_features(other))


def test_images_of_any_shape_have_as_many_features() -> None:
    shapes = [(4, 4, 3), (256, 256, 3), (100, 333, 3)]
    lengths = {len(border.ring_features(np.zeros(shape, np.uint8))) for shape in shapes}
    assert len(lengths) == 1


def test_copies_are_found_across_the_split_and_not_inside_it(save) -> None:
    twice = [texture(7), texture(7)]  # within training: none of our business
    train = save("training", [*map(texture, range(12)), *twice])
    bright = ImageEnhance.Brightness(texture(4)).enhance(1.15)
    shifted = texture(8).transform((SIDE, SIDE), Image.Transform.AFFINE, (1, 0, 3, 0, 1, 2))
    held_out = save("test", [texture(50), bright, shifted, texture(51)], quality=60)
    found = audit(train, held_out, NAMES).duplicates
    assert {(pair.held_out, pair.training) for pair in found.pairs} == {
        ("oak/001.jpg", "oak/004.jpg"),
        ("yew/002.jpg", "yew/008.jpg"),
    }
    assert (found.images, found.count, found.same_class, found.share) == (4, 2, 2, 0.5)
    assert found.pairs[0].points >= found.pairs[1].points >= near_duplicates.POINTS


def test_a_copy_with_another_class_counts_as_such(save) -> None:
    train = save("training", [texture(seed) for seed in range(6)])
    held_out = save("test", [texture(4)])
    (pair,) = audit(train, held_out, NAMES).duplicates.pairs
    assert (pair.training, pair.same_class) == ("oak/004.jpg", False)


def test_a_copy_too_smooth_for_points_is_known_by_its_hash(save) -> None:
    def slope(turn: float) -> Image.Image:
        across = np.linspace(0, turn, SIDE)
        grey = np.uint8(120 + 60 * np.sin(across[None] + 2 * across[:, None]))
        return Image.fromarray(np.repeat(grey[..., None], 3, axis=2))

    train = save("training", [slope(turn) for turn in (3, 5, 7)])
    held_out = save("test", [slope(5)], quality=97)
    (pair,) = audit(train, held_out, NAMES).duplicates.pairs
    assert pair.training == "oak/001.jpg"
    assert pair.points < near_duplicates.POINTS
    assert pair.bits <= near_duplicates.COPY_BITS


def test_the_list_is_short_and_the_count_is_whole(save) -> None:
    images = [texture(seed) for seed in range(24)]
    found = audit(save("training", images), save("test", images, 80), NAMES).duplicates
    assert (found.count, len(found.pairs)) == (24, 20)


def test_distances_count_bits() -> None:
    one, other = (near_duplicates.fingerprint(texture(seed)) for seed in (1, 2))
    expected = bin(int(one.hash) ^ int(other.hash)).count("1")
    assert near_duplicates.distances([one], [one, other]).tolist() == [[0, expected]]


def test_progress_survives_json_and_repeats(save) -> None:
    train = save("training", [texture(seed) for seed in range(6)])
    held_out = save("test", [texture(2), texture(9), texture(10)])
    steps: list[tuple[int, int]] = []
    found = audit(train, held_out, NAMES, lambda done, all_: steps.append((done, all_)))
    assert steps == [(done, 9) for done in range(1, 10)]
    assert msgspec.json.decode(msgspec.json.encode(found), type=LeakAudit) == found
    assert audit(train, held_out, NAMES) == found


def test_an_unreadable_image_is_named(save, tmp_path: Path) -> None:
    train = save("training", [texture(seed) for seed in range(3)])
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(train[0].path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"Expected an image in .*broken\.jpg.*leave it out"):
        audit(train, [ImageFile(broken, 0)], NAMES)
    with pytest.raises(DataError, match=r"gone\.jpg"):
        audit([ImageFile(tmp_path / "gone.jpg", 0)], train, NAMES)


def test_needs_both_sides_of_a_split(save) -> None:
    train = save("training", [texture(0)])
    with pytest.raises(DataError, match="found 1 and 0"):
        audit(train, [], NAMES)
