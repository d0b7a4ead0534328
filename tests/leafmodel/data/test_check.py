from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL import ImageFile as PillowFile

from leafmodel.data.check import CheckReport, Problem, check, fingerprint, without
from leafmodel.data.folder import Folder, ImageFile, scan
from leafmodel.errors import DataError

MakeFolder = Callable[[Mapping[str, int]], Path]
SaveImage = Callable[..., Path]
BAD_IMAGES = Path(__file__).resolve().parents[3].parent / "shared" / "bad_images"


def only_problem(report: CheckReport) -> Problem:
    (problem,) = report.problems
    return problem


@pytest.fixture
def root(make_folder: MakeFolder) -> Path:
    return make_folder({"Apfel grün": 2, "Corn": 3})


@pytest.fixture
def check_bytes(root: Path) -> Callable[[str, bytes], CheckReport]:
    """Check a sound folder with one more file of these bytes."""

    def checked(name: str, data: bytes) -> CheckReport:
        (root / "Corn" / name).write_bytes(data)
        return check(scan(root))

    return checked


def encoded(kind: str, **options: object) -> bytes:
    stream = BytesIO()
    noise = Image.effect_noise((40, 40), 90).convert("RGB")
    noise.save(stream, kind, **options)
    return stream.getvalue()


def test_sound_folder(make_folder: MakeFolder, save_image: SaveImage) -> None:
    root = make_folder({"training/a": 4, "training/b": 1, "test/b": 2})
    save_image(root / "training/b/grey.png", 99, size=(5, 6), mode="L")

    report = check(scan(root))

    assert report.problems == ()
    assert report.training_counts == {"a": 4, "b": 2}
    assert report.test_counts == {"a": 0, "b": 2}
    assert report.imbalance == 2.0
    assert list(report.sizes.items()) == [((9, 8), 7), ((5, 6), 1)]
    assert list(report.modes.items()) == [("JPEG/RGB", 7), ("PNG/L", 1)]
    assert report.duplicates_across_classes == ()
    assert report.duplicates_across_splits == ()


def test_progress_counts_every_file(root: Path) -> None:
    seen: list[tuple[int, int]] = []

    check(scan(root), workers=2, progress=lambda done, total: seen.append((done, total)))

    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_zero_bytes(check_bytes: Callable[[str, bytes], CheckReport]) -> None:
    problem = only_problem(check_bytes("void.jpg", b""))

    assert (problem.path.name, problem.kind, problem.detail) == ("void.jpg", "empty", "0 bytes")


def test_text_renamed_to_jpg(check_bytes: Callable[[str, bytes], CheckReport]) -> None:
    problem = only_problem(check_bytes("page.jpg", b"<html>404</html>"))

    assert problem.kind == "unreadable"
    assert problem.detail == "not an image; it begins with b'<html>404</h'"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
@pytest.mark.parametrize("kept", [0.03, 0.5, 0.98])
def test_truncated(
    check_bytes: Callable[[str, bytes], CheckReport], kind: str, kept: float
) -> None:
    data = encoded(kind)

    problem = only_problem(check_bytes(f"cut.{kind.lower()}", data[: int(len(data) * kept)]))

    assert problem.kind == "truncated"


@pytest.mark.parametrize(("kind", "missing"), [("PNG", 12), ("JPEG", 2)])
def test_missing_end_that_pillow_alone_accepts(
    check_bytes: Callable[[str, bytes], CheckReport], kind: str, missing: int
) -> None:
    data = encoded(kind)[:-missing] + b"\0" * (100 if kind == "JPEG" else 0)
    Image.open(BytesIO(data)).load()

    problem = only_problem(check_bytes(f"cut.{kind.lower()}", data))

    assert problem.kind == "truncated"
    assert problem.detail == "the end of the file is missing"


def test_end_of_a_thumbnail_is_not_the_end_of_the_file(
    check_bytes: Callable[[str, bytes], CheckReport],
) -> None:
    whole = encoded("JPEG", exif=b"Exif\0\0" + encoded("JPEG"))

    problem = only_problem(check_bytes("cut.jpg", whole[:-2] + b"\0" * 100))

    assert problem.kind == "truncated"


def test_bytes_after_the_end_are_harmless(
    check_bytes: Callable[[str, bytes], CheckReport],
) -> None:
    report = check_bytes("motion photo.jpg", encoded("JPEG") + b"\xff\xda" + b"\0" * 100)

    assert report.problems == ()


@pytest.mark.skipif(not BAD_IMAGES.is_dir(), reason=f"no broken photographs at {BAD_IMAGES}")
def test_real_truncated_photographs() -> None:
    photographs = sorted(BAD_IMAGES.glob("*.jpg"))
    folder = Folder(BAD_IMAGES, ("a", "b"), tuple(ImageFile(path, 0) for path in photographs), ())

    report = check(folder)

    assert [problem.path for problem in report.problems] == photographs
    assert {problem.kind for problem in report.problems} == {"truncated"}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_other_type_named_jpg(check_bytes: Callable[[str, bytes], CheckReport], kind: str) -> None:
    problem = only_problem(check_bytes("liar.jpg", encoded(kind)))

    assert problem.kind == "wrong type"
    assert problem.detail == f"named as JPEG, but holds {kind} data; rename or convert it"


def test_jpeg_that_contains_more_pictures_is_a_jpeg(
    check_bytes: Callable[[str, bytes], CheckReport],
) -> None:
    second = Image.effect_noise((8, 8), 50)
    report = check_bytes("phone.jpg", encoded("MPO", save_all=True, append_images=[second]))

    assert report.problems == ()
    assert report.modes["MPO/RGB"] == 1


def test_no_permission(root: Path, deny_open: Callable[[Path], None]) -> None:
    folder = scan(root)
    deny_open(folder.training[1].path)

    problem = only_problem(check(folder))

    assert problem == Problem(
        folder.training[1].path, "permission", "cannot be opened: Permission denied"
    )


def test_link_to_nothing(root: Path) -> None:
    (root / "Corn/gone.jpg").symlink_to(root / "nowhere.jpg")

    problem = only_problem(check(scan(root)))

    assert problem.kind == "unreadable"
    assert "No such file" in problem.detail


def test_named_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "Corn/pipe.jpg")

    assert only_problem(check(scan(root))).detail == "cannot be opened: not a regular file"


@pytest.mark.parametrize("limit", [40 * 40 - 1, 40 * 40 // 2 - 1])
def test_giant_image(
    check_bytes: Callable[[str, bytes], CheckReport], monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)

    problem = only_problem(check_bytes("giant.png", encoded("PNG")))

    assert problem.kind == "unsupported"
    assert problem.detail.startswith("too large to decode safely: ")


def test_images_that_loaders_pass_over_are_reported_and_other_files_are_not(root: Path) -> None:
    for name in ("leaf.webp", "IMG_1.HEIC", "notes.txt", ".DS_Store"):
        (root / "Corn" / name).touch()

    report = check(scan(root))

    assert [(problem.path.name, problem.kind) for problem in report.problems] == [
        ("IMG_1.HEIC", "unsupported"),
        ("leaf.webp", "unsupported"),
    ]


def test_name_that_is_not_utf8(root: Path) -> None:
    os.link(root / "Corn/leaf 000.jpg", os.fsencode(root) + b"/Corn/\xff.jpg")

    problem = only_problem(check(scan(root)))

    assert problem.kind == "unsupported"
    assert "not valid UTF-8" in problem.detail


def test_leniency_set_elsewhere_in_the_program_does_not_count(
    check_bytes: Callable[[str, bytes], CheckReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PillowFile, "LOAD_TRUNCATED_IMAGES", True)

    assert only_problem(check_bytes("cut.jpg", encoded("JPEG")[:900])).kind == "truncated"
    assert PillowFile.LOAD_TRUNCATED_IMAGES is True


def test_duplicates_across_classes_and_splits(make_folder: MakeFolder) -> None:
    root = make_folder({"training/a": 2, "training/b": 2, "test/b": 1})
    one, two = root / "training/a/leaf 000.jpg", root / "training/b/leaf 000.jpg"
    copy, held_out = root / "training/b/leaf 001.jpg", root / "test/b/leaf 000.jpg"
    copy.write_bytes(one.read_bytes())
    held_out.write_bytes(two.read_bytes())

    report = check(scan(root))

    assert report.duplicates_across_classes == ((one, copy),)
    assert report.duplicates_across_splits == ((two, held_out),)


def test_empty_files_are_not_duplicates(root: Path) -> None:
    (root / "Corn/void.jpg").touch()
    (root / "Apfel grün/void.jpg").touch()

    report = check(scan(root))

    assert report.duplicates_across_classes == ()
    assert report.fingerprint == fingerprint(report.folder.training, root)


def test_fingerprint_knows_files_not_order(root: Path) -> None:
    folder = scan(root)
    golden = fingerprint(folder.training, root)

    assert fingerprint(reversed(folder.training), root) == golden
    assert fingerprint(folder.training[1:], root) != golden
    assert check(folder).fingerprint == golden


def test_fingerprint_survives_a_move_but_not_a_change(root: Path) -> None:
    before = fingerprint(scan(root).training, root)
    moved = root.rename(root.with_name("elsewhere"))
    assert fingerprint(scan(moved).training, moved) == before

    (moved / "Corn/leaf 000.jpg").write_bytes(b"other")
    assert fingerprint(scan(moved).training, moved) != before


def test_fingerprint_format_is_pinned(tmp_path: Path) -> None:
    """Stored runs carry it: a change here makes every older run another data set."""
    path = tmp_path / "é" / "1.jpg"
    path.parent.mkdir()
    path.write_bytes(b"leaf")

    golden = "0939419923ffc52a2d7145509182b1dd697f4a2cd8aec8b79197acc927026dec"
    assert fingerprint([ImageFile(path, 0)], tmp_path) == golden


def test_fingerprint_needs_every_file(root: Path, deny_open: Callable[[Path], None]) -> None:
    folder = scan(root)
    deny_open(folder.training[0].path)

    with pytest.raises(DataError, match=r"read .*leaf 000\.jpg, found: Permission denied"):
        fingerprint(folder.training, root)


def test_without_drops_the_bad_files_of_both_parts(make_folder: MakeFolder) -> None:
    root = make_folder({"training/a": 2, "training/b": 2, "test/b": 2})
    bad = root / "training/a/leaf 001.jpg", root / "test/b/leaf 000.jpg"
    for path in bad:
        path.write_bytes(b"")
    folder = scan(root)

    sound = without(folder, check(folder).problems)

    assert sound == replace(
        folder,
        training=tuple(file for file in folder.training if file.path not in bad),
        test=(folder.test[1],),
    )
    assert check(sound).problems == ()


def test_without_refuses_to_empty_a_class(root: Path) -> None:
    for path in (root / "Apfel grün").iterdir():
        path.write_bytes(b"")
    folder = scan(root)

    with pytest.raises(DataError, match=r"found only bad ones in 'Apfel grün'\. Replace them"):
        without(folder, check(folder).problems)
