from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafmodel.data.folder import Folder, ImageFile, scan
from leafmodel.data.prepare import link_farm
from leafmodel.data.split import limit, split
from leafmodel.errors import DataError

MakeFolder = Callable[[Mapping[str, int]], Path]
CLASSES = {"Apfel grün": 5, "Corn (maize)": 9, "Zea mays": 3, "葉": 6}


def folder_of(sizes: list[int]) -> Folder:
    """Make a folder that exists in memory only: neither function reads a file."""
    names = tuple(f"class {label:02}" for label in range(len(sizes)))
    files = tuple(
        ImageFile(Path("root", name, f"{number:03}.jpg"), label)
        for label, name in enumerate(names)
        for number in range(sizes[label])
    )
    return Folder(Path("root"), names, files, (ImageFile(Path("root/t.jpg"), 0),))


def counts(files: tuple[ImageFile, ...]) -> list[int]:
    found = Counter(file.label for file in files)
    return [found[label] for label in sorted(found)]


def keras_paths(directory: Path, subset: str, fraction: float, seed: int) -> list[str]:
    keras = pytest.importorskip("keras")
    dataset = keras.utils.image_dataset_from_directory(
        directory, validation_split=fraction, seed=seed, subset=subset, verbose=False
    )
    return list(dataset.file_paths)


@pytest.mark.parametrize(("seed", "fraction"), [(0, 1 / 6), (1, 1 / 6), (2**32 - 1, 0.3)])
def test_split_is_that_of_keras(make_folder: MakeFolder, seed: int, fraction: float) -> None:
    root = make_folder(CLASSES)

    parts = split(scan(root), validation_fraction=fraction, seed=seed)

    train = [str(file.path) for file in parts.train]
    validation = [str(file.path) for file in parts.validation]
    assert train == keras_paths(root, "training", fraction, seed)
    assert validation == keras_paths(root, "validation", fraction, seed)


def test_labels_stay_with_their_files(make_folder: MakeFolder) -> None:
    parts = split(scan(make_folder(CLASSES)), seed=3)

    for file in parts.train + parts.validation:
        assert file.path.parent.name == parts.class_names[file.label]


def test_keras_splits_a_link_farm_of_a_limited_folder_alike(
    make_folder: MakeFolder, tmp_path: Path
) -> None:
    folder = limit(scan(make_folder(CLASSES)), 15, seed=5)
    farm = link_farm(folder.training, folder.class_names, tmp_path / "farm")

    links = keras_paths(farm, "training", 1 / 6, 5)

    train = split(folder, seed=5).train
    assert [str(Path(link).readlink()) for link in links] == [str(file.path) for file in train]


@given(
    st.lists(st.integers(12, 20), min_size=2, max_size=5),
    st.floats(0.05, 0.5),
    st.integers(0, 2**32 - 1),
)
def test_split_loses_and_doubles_nothing(sizes: list[int], fraction: float, seed: int) -> None:
    folder = folder_of(sizes)
    try:
        parts = split(folder, validation_fraction=fraction, seed=seed)
    except DataError as error:  # a class of 12 can fall into validation as a whole
        assert "found none" in str(error)  # noqa: PT017
        return

    assert sorted(parts.train + parts.validation, key=lambda file: str(file.path)) == list(
        folder.training
    )
    assert len(parts.validation) == int(fraction * sum(sizes))
    assert parts.test == folder.test


def test_split_order_is_pinned() -> None:
    """Stored runs name their seed: a change here makes every older seed another split."""
    parts = split(folder_of([4, 4]), validation_fraction=0.25, seed=7)

    train = [f"{file.label}/{file.path.stem}" for file in parts.train]
    assert train == ["0/002", "1/001", "0/000", "1/002", "0/003", "0/001"]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_impossible_fraction(fraction: float) -> None:
    with pytest.raises(DataError, match=r"fraction between 0 and 1 .*, found"):
        split(folder_of([9, 9]), validation_fraction=fraction)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_impossible_seed(seed: int) -> None:
    with pytest.raises(DataError, match=rf"Expected a seed from 0 to 4294967295, found {seed}\."):
        split(folder_of([9, 9]), seed=seed)
    with pytest.raises(DataError, match=r"Expected a seed"):
        limit(folder_of([9, 9]), 8, seed=seed)


def test_too_few_images_to_validate_with() -> None:
    with pytest.raises(DataError, match=r"validate with in root, found none: 0\.167 of 5 images"):
        split(folder_of([3, 2]))


def test_fraction_just_below_one_still_leaves_an_image_to_train_on() -> None:
    with pytest.raises(DataError, match=r"among the 1 training images, found none of"):
        split(folder_of([4, 3]), validation_fraction=1 - 2**-53)


def test_class_missing_from_training_is_named() -> None:
    folder = folder_of([1, 11])
    lost = next(
        seed for seed in range(99) if "found none of 'class 00'" in message_of_split(folder, seed)
    )

    with pytest.raises(DataError, match=rf"among the 10 training .* with seed {lost}\. Add images"):
        split(folder, seed=lost)


def message_of_split(folder: Folder, seed: int) -> str:
    try:
        split(folder, seed=seed)
    except DataError as error:
        return str(error)
    return ""


def test_limit_none_keeps_all() -> None:
    folder = folder_of([3, 4])

    assert limit(folder, None) is folder
    assert limit(folder, 7) is folder
    assert limit(folder, 700) is folder


@pytest.mark.parametrize(
    ("sizes", "images", "kept"),
    [
        ([10, 10], 7, [4, 3]),  # the tie goes to the earlier class
        ([60, 30, 10], 20, [12, 6, 2]),
        ([50, 30, 21], 10, [5, 3, 2]),
        ([100, 3, 3], 10, [6, 2, 2]),  # shares of 0.3 are raised to two
        ([100, 1, 5], 10, [7, 1, 2]),  # an only image is kept
    ],
)
def test_limit_rounds_by_largest_remainder(sizes: list[int], images: int, kept: list[int]) -> None:
    assert counts(limit(folder_of(sizes), images).training) == kept


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=6),
    st.integers(0, 150),
    st.integers(0, 2**32 - 1),
)
def test_limit_keeps_the_mix(sizes: list[int], extra: int, seed: int) -> None:
    folder = folder_of(sizes)
    fewest = [min(2, size) for size in sizes]
    images = min(sum(fewest) + extra, sum(sizes))

    limited = limit(folder, images, seed=seed)

    kept = counts(limited.training)
    assert sum(kept) == images
    assert limited.training == tuple(file for file in folder.training if file in limited.training)
    assert limited == limit(folder, images, seed=seed)
    for size, least, share in zip(sizes, fewest, kept, strict=True):
        assert least <= share <= size
        fair = images * size / sum(sizes)
        assert share == least or share < fair + 1


def test_test_images_are_thinned_to_the_same_part() -> None:
    folder = replace(folder_of([40, 20]), test=folder_of([20, 10]).training)

    limited = limit(folder, 30, seed=2)

    assert counts(limited.test) == [10, 5]
    assert set(limited.test) <= set(folder.test)
    assert counts(limit(folder, 4, seed=2).test) == [2, 2]
    assert limit(replace(folder, test=()), 30, seed=2).test == ()


def test_more_images_only_add() -> None:
    folder = folder_of([30, 30])
    few, many = limit(folder, 10, seed=4), limit(folder, 40, seed=4)

    assert set(few.training) < set(many.training)


def test_seed_chooses_the_images() -> None:
    folder = folder_of([30, 30])

    assert limit(folder, 10, seed=1).training != limit(folder, 10, seed=2).training


def test_limit_is_pinned() -> None:
    """Stored runs name limit and seed: a change here makes them runs of other images."""
    limited = limit(folder_of([30, 20]), 5, seed=3)

    kept = [f"{file.label}/{file.path.stem}" for file in limited.training]
    assert kept == ["0/001", "0/013", "0/014", "1/009", "1/017"]


def test_limit_below_two_a_class() -> None:
    with pytest.raises(DataError, match=r"at least 6 images .* 3 classes of root\), found 5\."):
        limit(folder_of([9, 9, 9]), 5)
