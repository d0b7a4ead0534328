from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from leafmodel.data.folder import FORMATS, ImageFile, named_type, scan
from leafmodel.errors import DataError

MakeFolder = Callable[[Mapping[str, int]], Path]


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_flat_layout_lists_classes_and_files_in_sorted_order(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/10.JPEG", "a/x.png", "a/Z.Gif", "a/y.bmp"):
        touch(tmp_path / name)

    folder = scan(tmp_path)

    assert folder.class_names == ("a", "b")
    assert folder.training == (
        ImageFile(tmp_path / "a/Z.Gif", 0),
        ImageFile(tmp_path / "a/x.png", 0),
        ImageFile(tmp_path / "a/y.bmp", 0),
        ImageFile(tmp_path / "b/10.JPEG", 1),
        ImageFile(tmp_path / "b/2.jpg", 1),
    )
    assert folder.test == ()


def test_training_and_test_layout_gives_test_images_the_labels_of_training(tmp_path: Path) -> None:
    for name in ("training/a/1.jpg", "training/b/1.jpg", "test/b/9.jpg", "manifest.json"):
        touch(tmp_path / name)

    folder = scan(tmp_path)

    assert folder.root == tmp_path
    assert [file.label for file in folder.training] == [0, 1]
    assert folder.test == (ImageFile(tmp_path / "test/b/9.jpg", 1),)


def test_test_folder_is_optional(tmp_path: Path) -> None:
    touch(tmp_path / "training/a/1.jpg")
    touch(tmp_path / "training/b/1.jpg")

    assert scan(tmp_path).test == ()


def test_other_files_in_class_folders_are_kept_apart(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "a/.DS_Store", "b/1.jpg", "b/leaf.webp", "README.md", ".git/x/1.jpg"):
        touch(tmp_path / name)

    folder = scan(tmp_path)

    assert folder.class_names == ("a", "b")
    assert folder.ignored == (tmp_path / "a/.DS_Store", tmp_path / "b/leaf.webp")


def test_same_files_as_keras_in_the_same_order(tmp_path: Path) -> None:
    dataset_utils = pytest.importorskip("keras.src.utils.dataset_utils")
    names = [
        "Apfel grün/ä ö.jpg",
        "Apfel grün/deep/.hidden/2.JPG",
        "Apfel grün/deep/1.png",
        "Apfel grün/deep er/1.png",
        "Zea mays/._resource.jpg",
        "Zea mays/.jpg",
        "Zea mays/b.bmp",
        "Zea mays/notes.txt",
        "a lower/1.gif",
        "a lower/A.gif",
        ".cache/1.jpg",
        "葉/1.jpeg",
    ]
    for name in names:
        touch(tmp_path / name)
    (tmp_path / "Zea mays/linked").symlink_to(tmp_path / "葉", target_is_directory=True)
    (tmp_path / "Zea mays/linked.jpg").symlink_to(tmp_path / "葉/1.jpeg")

    folder = scan(tmp_path)

    paths, labels, class_names = dataset_utils.index_directory(
        str(tmp_path), "inferred", FORMATS, shuffle=False, verbose=False
    )
    assert [str(file.path) for file in folder.training] == paths
    assert [file.label for file in folder.training] == list(labels)
    assert list(folder.class_names) == class_names


def test_formats_are_those_of_keras() -> None:
    image_dataset_utils = pytest.importorskip("keras.src.utils.image_dataset_utils")

    assert set(FORMATS) == set(image_dataset_utils.ALLOWLIST_FORMATS)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.JPG", "JPEG"), (".jpeg", "JPEG"), ("a.jpg.png", "PNG"), ("ü.Gif", "GIF")]
)
def test_named_type(name: str, kind: str) -> None:
    assert named_type(Path(name)) == kind


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Expected a folder of images at .*/leafs, found nothing"):
        scan(tmp_path / "leafs")


def test_file_in_place_of_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images\.zip, found a file\. Name the folder"):
        scan(touch(tmp_path / "images.zip"))


def test_no_class_folder_says_what_lies_there_instead(tmp_path: Path) -> None:
    touch(tmp_path / "1.jpg")
    touch(tmp_path / "2.jpg")

    with pytest.raises(DataError, match=r"found no class folder but 2 files, such as '1\.jpg'"):
        scan(tmp_path)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"at least two class folders .*, found no class folder\."):
        scan(tmp_path)


def test_empty_training_folder(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()

    with pytest.raises(DataError, match=r"class folders in .*/training, found no class folder"):
        scan(tmp_path)


def test_one_class(make_folder: MakeFolder) -> None:
    with pytest.raises(DataError, match=r"found only one class folder, 'Apple scab',\. Put"):
        scan(make_folder({"Apple scab": 3}))


def test_class_folder_that_is_a_file_is_named(make_folder: MakeFolder) -> None:
    root = make_folder({"Apple": 3})
    touch(root / "Corn")

    with pytest.raises(DataError, match=r"only one class folder, 'Apple', but 1 files?, .*'Corn'"):
        scan(root)


def test_empty_classes_are_named(make_folder: MakeFolder) -> None:
    root = make_folder({"Apple": 1, "Corn": 0, "Grüne Paprika": 0})
    touch(root / "Corn/notes.txt")

    with pytest.raises(DataError, match=r"found none in 'Corn', 'Grüne Paprika'\. Add images"):
        scan(root)


def test_test_class_that_training_lacks(make_folder: MakeFolder) -> None:
    root = make_folder({"training/a": 1, "training/b": 1, "test/a": 1, "test/c": 1})

    with pytest.raises(DataError, match=r"only classes that training has, found 'c'\. .*'a', 'b'"):
        scan(root)


def test_test_folder_without_images(make_folder: MakeFolder) -> None:
    root = make_folder({"training/a": 1, "training/b": 1, "test/a": 0})

    with pytest.raises(DataError, match=r"Expected images in .*/test, found none"):
        scan(root)


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "val"), ("Apple", "test")])
def test_misnamed_parts_do_not_become_classes(
    make_folder: MakeFolder, parts: tuple[str, str]
) -> None:
    root = make_folder({f"{part}/{name}": 1 for part in parts for name in ("a", "b")})

    with pytest.raises(DataError, match=r"found class folders inside .*'training'"):
        scan(root)


def test_class_that_is_called_training(make_folder: MakeFolder) -> None:
    root = make_folder({"training": 1, "weight lifting": 1})

    assert scan(root).class_names == ("training", "weight lifting")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every folder")
def test_closed_class_folder(make_folder: MakeFolder) -> None:
    root = make_folder({"a": 1, "b": 1})
    (root / "b").chmod(0)
    try:
        with pytest.raises(DataError, match=r"read the folder .*/b, found: Permission denied"):
            scan(root)
    finally:
        (root / "b").chmod(0o700)


def test_unreadable_subfolder_fails_where_keras_would_skip_it(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"a": 1, "b": 1, "b/closed": 1})
    real = os.scandir

    def guarded(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)

    with pytest.raises(DataError, match=r"read the folder .*/b/closed, found: Permission denied"):
        scan(root)


def test_unreadable_root(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_folder({"a": 1, "b": 1})

    def closed(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", closed)

    with pytest.raises(DataError, match=r"read the folder .*images, found: Permission denied"):
        scan(root)
