from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from leafmodel.data.folder import ImageFile, scan
from leafmodel.data.prepare import Conversion, link_farm, prepare
from leafmodel.errors import DataError

MakeFolder = Callable[[Mapping[str, int]], Path]
SaveImage = Callable[..., Path]


def noise(mode: str, seed: int = 0) -> Image.Image:
    """Make smooth random colours, which JPEG decoders agree on, in any mode."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    colours = Image.fromarray(coarse).resize((48, 40), Image.Resampling.BILINEAR)
    if mode == "I;16":
        return Image.fromarray(np.asarray(colours.convert("L")).astype(np.uint16) * 257)
    if mode == "RGBA":
        colours.putalpha(Image.linear_gradient("L").resize(colours.size))
    return colours.convert(mode)


def prepared_path(path: Path, work: Path) -> tuple[Path, str | None]:
    (file,), conversions = prepare([ImageFile(path, 3)], work)
    assert file.label == 3
    return file.path, conversions[0].reason if conversions else None


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


UNDISPUTED = [("a.jpg", "RGB"), ("a.JPEG", "L"), ("a.png", "RGB"), ("ä b.PNG", "L")]
DISPUTED = [
    ("palette.png", "P", "P colours"),
    ("bits.png", "1", "1-bit PNG"),
    ("clear.png", "RGBA", "RGBA colours"),
    ("clear grey.png", "LA", "LA colours"),
    ("deep.png", "I;16", "16-bit PNG"),
    ("print.jpg", "CMYK", "CMYK colours"),
    ("true.bmp", "RGB", "BMP file"),
    ("palette.bmp", "P", "BMP file"),
    ("grey.bmp", "L", "BMP file"),
    ("bits.bmp", "1", "BMP file"),
    ("blätter rot.gif", "P", "GIF file"),
]


@pytest.mark.parametrize(("name", "mode"), UNDISPUTED)
def test_plain_files_pass_through(tmp_path: Path, name: str, mode: str) -> None:
    noise(mode).save(tmp_path / name)

    assert prepared_path(tmp_path / name, tmp_path / "work") == (tmp_path / name, None)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(("name", "mode", "reason"), DISPUTED)
def test_disputed_files_become_plain_png(tmp_path: Path, name: str, mode: str, reason: str) -> None:
    noise(mode).save(tmp_path / name)

    path, why = prepared_path(tmp_path / name, tmp_path / "work")

    assert why == reason
    assert path.parent == tmp_path / "work"
    assert path.name.startswith(Path(name).stem)
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (48, 40))
        assert image.info == {}


@pytest.mark.parametrize(("name", "mode"), [*UNDISPUTED, *(entry[:2] for entry in DISPUTED)])
def test_tensorflow_and_pillow_see_the_same_pixels(tmp_path: Path, name: str, mode: str) -> None:
    tf = pytest.importorskip("tensorflow")
    noise(mode).save(tmp_path / name)
    path, _ = prepared_path(tmp_path / name, tmp_path / "work")

    decoded = tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False).numpy()

    apart = np.abs(decoded.astype(int) - pixels(path).astype(int))
    assert apart.mean() <= (3 if path.suffix.lower() in (".jpg", ".jpeg") else 0)


def test_loaders_do_differ_without_preparation(tmp_path: Path) -> None:
    """Why the module exists: if this fails, the loaders have learnt to agree."""
    tf = pytest.importorskip("tensorflow")
    noise("P").save(tmp_path / "palette.bmp")

    decoded = tf.io.decode_image((tmp_path / "palette.bmp").read_bytes(), channels=3).numpy()

    assert np.abs(decoded.astype(int) - pixels(tmp_path / "palette.bmp")).mean() > 20


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.array([[0, 255, 256, 0x7FFF, 0x8000, 0xFFFF]], np.uint16)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")

    path, _ = prepared_path(tmp_path / "ramp.png", tmp_path / "work")

    assert pixels(path)[0].tolist() == [[level] * 3 for level in (0, 0, 1, 127, 128, 255)]


def test_sixteen_bit_colours_are_not_taken_for_eight(tmp_path: Path) -> None:
    """Pillow cannot write one and says RGB when it reads one, so the depth is read by hand."""
    cv2 = pytest.importorskip("cv2")
    deep = np.arange(4 * 4 * 3, dtype=np.uint16).reshape(4, 4, 3) * 1000
    (tmp_path / "deep.png").write_bytes(cv2.imencode(".png", deep[..., ::-1])[1].tobytes())

    path, reason = prepared_path(tmp_path / "deep.png", tmp_path / "work")

    assert reason == "16-bit PNG"
    assert np.array_equal(pixels(path), deep >> 8)


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "leaf.gif", save_all=True, append_images=frames[1:])

    path, _ = prepared_path(tmp_path / "leaf.gif", tmp_path / "work")

    assert np.unique(pixels(path).reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]


def test_transparency_is_dropped_not_composited(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (10, 200, 30, 0)).save(tmp_path / "clear.png")

    path, _ = prepared_path(tmp_path / "clear.png", tmp_path / "work")

    assert pixels(path)[0, 0].tolist() == [10, 200, 30]


def test_exif_orientation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    noise("CMYK").save(tmp_path / "turned.jpg", exif=exif)

    path, _ = prepared_path(tmp_path / "turned.jpg", tmp_path / "work")

    assert pixels(path).shape == (40, 48, 3)


def test_png_named_jpg(tmp_path: Path) -> None:
    noise("RGB").save(tmp_path / "liar.jpg", format="PNG")

    path, reason = prepared_path(tmp_path / "liar.jpg", tmp_path / "work")

    assert reason == "PNG data in a file named .jpg"
    assert path.suffix == ".png"
    assert np.array_equal(pixels(path), pixels(tmp_path / "liar.jpg"))


def test_order_and_labels_stay(tmp_path: Path) -> None:
    names = [f"{number}.{'gif' if number % 3 else 'png'}" for number in range(12)]
    files = [ImageFile(tmp_path / name, number) for number, name in enumerate(names)]
    for file in files:
        noise("L", file.label).save(file.path)

    prepared, conversions = prepare(files, tmp_path / "work", workers=4)

    assert [file.label for file in prepared] == list(range(12))
    for file, original in zip(prepared, files, strict=True):
        assert np.array_equal(pixels(file.path), pixels(original.path))
    assert [conversion.original for conversion in conversions] == [
        file.path for file in files if file.path.suffix == ".gif"
    ]
    assert conversions[0] == Conversion(files[1].path, prepared[1].path, "GIF file")


def test_equal_names_in_two_classes_stay_apart(tmp_path: Path) -> None:
    for number, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        noise("RGB", number).save(tmp_path / name / "1.bmp")

    prepared, _ = prepare([ImageFile(tmp_path / name / "1.bmp", 0) for name in "ab"], tmp_path)

    assert prepared[0].path != prepared[1].path


def test_conversion_is_reused_until_the_source_changes(tmp_path: Path) -> None:
    source, work = tmp_path / "leaf.bmp", tmp_path / "work"
    noise("RGB").save(source)
    first, _ = prepared_path(source, work)
    written = first.stat().st_mtime_ns

    assert prepared_path(source, work)[0] == first
    assert first.stat().st_mtime_ns == written

    noise("L").save(source)
    second, _ = prepared_path(source, work)
    assert second != first
    assert np.array_equal(pixels(second), pixels(source))


def test_very_long_name(tmp_path: Path) -> None:
    source = tmp_path / f"{'葉' * 80}.bmp"
    noise("RGB").save(source)

    path, _ = prepared_path(source, tmp_path / "work")
    farm = link_farm([ImageFile(source, 0)], ["a"], tmp_path / "farm")

    assert path.is_file()
    assert len(list(farm.rglob("*.bmp"))) == 1


def test_bad_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_text("<html>")

    with pytest.raises(DataError, match=r"can be decoded at .*page\.jpg, found: .*Check the"):
        prepare([ImageFile(tmp_path / "page.jpg", 0)], tmp_path)


def test_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise("RGB").save(tmp_path / "leaf.bmp")

    def save(_: Image.Image, stream: BinaryIO, format: str) -> None:
        stream.write(format.encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", save)

    with pytest.raises(DataError, match=r"write to .*work, found: No space left on device\. Free"):
        prepare([ImageFile(tmp_path / "leaf.bmp", 0)], tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


def test_work_that_is_a_file(tmp_path: Path) -> None:
    noise("RGB").save(tmp_path / "leaf.bmp")
    (tmp_path / "work").touch()

    with pytest.raises(DataError, match=r"Expected to write to .*/work, found"):
        prepare([ImageFile(tmp_path / "leaf.bmp", 0)], tmp_path / "work")


def farm_contents(farm: Path) -> dict[str, list[Path]]:
    return {
        folder.name: [link.readlink() for link in sorted(folder.iterdir())]
        for folder in sorted(farm.iterdir())
    }


def test_link_farm_holds_exactly_the_files_in_their_order(make_folder: MakeFolder) -> None:
    folder = scan(make_folder({"Apfel grün": 3, "葉 (b)": 2, "空": 1}))
    chosen = [file for file in reversed(folder.training) if folder.class_names[file.label] != "空"]

    farm = link_farm(chosen, folder.class_names, folder.root.with_name("farm"))

    assert farm_contents(farm) == {
        "Apfel grün": [file.path for file in chosen if file.label == 0],
        "空": [],
        "葉 (b)": [file.path for file in chosen if folder.class_names[file.label] == "葉 (b)"],
    }
    names = sorted(path.name for path in farm.glob("Apfel grün/*"))
    assert names == ["00002_leaf 002.jpg", "00003_leaf 001.jpg", "00004_leaf 000.jpg"]


def test_link_farm_with_relative_paths(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"a": 1, "b": 1})
    monkeypatch.chdir(root)

    farm = link_farm([ImageFile(Path("a/leaf 000.jpg"), 0)], ["a"], Path("../farm"))

    assert [path.resolve() for path in farm.rglob("*.jpg")] == [root / "a/leaf 000.jpg"]


def test_link_farm_is_idempotent_and_forgets_earlier_files(make_folder: MakeFolder) -> None:
    folder = scan(make_folder({"a": 4, "b": 2}))
    farm = folder.root.with_name("farm")
    link_farm(folder.training, folder.class_names, farm)
    before = farm_contents(farm)

    link_farm(folder.training, folder.class_names, farm)
    assert farm_contents(farm) == before

    link_farm(folder.training[2:4], ["a"], farm)
    assert farm_contents(farm) == {"a": [file.path for file in folder.training[2:4]]}


def test_link_farm_touches_nothing_of_the_users(make_folder: MakeFolder) -> None:
    root = make_folder({"a": 2, "b": 1})
    before = sorted(root.rglob("*"))

    with pytest.raises(DataError, match=r"hold only links .*found .*leaf 000\.jpg\. Name an empty"):
        link_farm(scan(root).training, ["a", "b"], root)
    assert sorted(root.rglob("*")) == before


def test_link_farm_that_cannot_be_written(tmp_path: Path, save_image: SaveImage) -> None:
    image = save_image(tmp_path / "1.jpg")
    (tmp_path / "file").touch()

    with pytest.raises(DataError, match=r"Expected to write to .*/file/farm, found: Not a dir"):
        link_farm([ImageFile(image, 0)], ["a"], tmp_path / "file/farm")


@pytest.mark.parametrize("names", [["b", "a"], ["a", "a"]])
def test_link_farm_refuses_names_that_keras_would_reorder(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(ValueError, match="sorted and distinct"):
        link_farm([], names, tmp_path / "farm")
