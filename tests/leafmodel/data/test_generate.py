"""A folder of leaves: the right counts, the same bytes, resumable, never over others' files."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from leafmodel.data import generate as module
from leafmodel.data.generate import allocate, generate, read_manifest
from leafmodel.data.generate_manifest import write_whole
from leafmodel.data.leaf import Image, draw_leaf
from leafmodel.data.species import COURSE_IMAGES, SPECIES, Species
from leafmodel.errors import DataError


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def small(out: Path, images: int = 40, seed: int = 0) -> module.Manifest:
    return generate(out, images=images, size=16, seed=seed, workers=1)


def test_the_whole_course_is_allocated_exactly() -> None:
    assert allocate(COURSE_IMAGES) == {each.name: each.course_images for each in SPECIES}


@pytest.mark.parametrize("images", [14, 15, 40, 67, 68, 500, 2_800, 17_727, 100_000])
def test_any_number_is_allocated_in_proportion(images: int) -> None:
    counts = allocate(images)
    assert sum(counts.values()) == images
    assert min(counts.values()) >= 1
    if images >= 500:
        exact = {each.name: images * each.course_images / COURSE_IMAGES for each in SPECIES}
        assert all(abs(counts[name] - exact[name]) < 1 for name in exact)


def test_layout_and_manifest(tmp_path: Path) -> None:
    made = small(tmp_path / "leaves")
    files = contents(tmp_path / "leaves")
    assert json.loads(files.pop("manifest.json")) == dataclasses.asdict(made)
    assert read_manifest(tmp_path / "leaves") == made
    assert files.keys() == {
        f"{name}/{name.lower()}_{number:05d}.jpg"
        for name, count in made.counts.items()
        for number in range(1, count + 1)
    }


def test_the_fingerprint_is_over_paths_and_bytes(tmp_path: Path) -> None:
    made = small(tmp_path)
    files = contents(tmp_path)
    del files["manifest.json"]
    lines = [f"{path} {hashlib.sha256(files[path]).hexdigest()}\n" for path in sorted(files)]
    assert made.fingerprint == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_same_bytes_whatever_the_number_of_workers(tmp_path: Path) -> None:
    generate(tmp_path / "one", images=70, size=32, workers=1)
    generate(tmp_path / "two", images=70, size=32, workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_another_seed_gives_another_fingerprint(tmp_path: Path) -> None:
    first, second = (small(tmp_path / str(seed), seed=seed) for seed in (0, 1))
    assert first.fingerprint != second.fingerprint


def test_more_images_keep_the_earlier_ones(tmp_path: Path) -> None:
    small(tmp_path / "few", images=40)
    small(tmp_path / "many", images=80)
    few, many = contents(tmp_path / "few"), contents(tmp_path / "many")
    del few["manifest.json"]
    assert few.items() <= many.items()


class _InterruptError(Exception):
    """Stands for a person's Ctrl-C."""


def _interrupt(done: int, total: int) -> None:
    raise _InterruptError(f"{done} of {total}")


def test_an_interrupted_run_makes_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = small(tmp_path / "whole")
    out = tmp_path / "out"
    with pytest.raises(_InterruptError, match="32 of 40"):
        generate(out, images=40, size=16, workers=1, progress=_interrupt)
    assert read_manifest(out) is None
    (out / "Tomato" / ".tomato_00001.jpg.4711.part").write_bytes(b"half")
    drawn: list[int] = []

    def counted(species: Species, seed: Sequence[int], size: int) -> Image:
        drawn.append(seed[1])
        return draw_leaf(species, seed, size)

    monkeypatch.setattr(module, "draw_leaf", counted)
    assert small(out) == whole
    assert len(drawn) == 8
    assert contents(out) == contents(tmp_path / "whole")


def test_a_complete_folder_is_only_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = small(tmp_path)
    monkeypatch.setattr(module, "draw_leaf", lambda *_: pytest.fail("drew again"))
    assert small(tmp_path) == made


@pytest.mark.parametrize("loss", ["deleted", "emptied"])
def test_a_lost_image_comes_back(tmp_path: Path, loss: str) -> None:
    made = small(tmp_path)
    victim = tmp_path / "Corn" / "corn_00001.jpg"
    victim.unlink()
    if loss == "emptied":
        victim.touch()
    assert small(tmp_path) == made
    assert victim.stat().st_size > 0


def test_a_changed_image_is_told(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "Corn" / "corn_00001.jpg").write_bytes(b"not a leaf")
    with pytest.raises(DataError, match=r"changed after they were made.*generate it again"):
        small(tmp_path)


def test_progress_ends_at_all_of_them(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    generate(tmp_path, images=40, size=16, workers=1, progress=lambda *at: seen.append(at))
    assert seen == [(32, 40), (40, 40)]


@pytest.mark.parametrize("name", ["x", "holiday.jpg", "Tomato/tomato_99999.jpg", "notes.part"])
def test_foreign_files_are_never_touched(tmp_path: Path, name: str) -> None:
    foreign = tmp_path / name
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_bytes(b"mine")
    with pytest.raises(DataError, match=f"expected an empty folder.*found {name}.*another folder"):
        small(tmp_path)
    assert contents(tmp_path) == {name: b"mine"}


def test_images_without_a_manifest_are_foreign(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(DataError, match="nothing was overwritten"):
        small(tmp_path)


@pytest.mark.parametrize("complete", [True, False])
def test_a_folder_made_with_other_parameters_is_refused(tmp_path: Path, complete: bool) -> None:
    small(tmp_path, seed=1)
    if not complete:
        (tmp_path / "manifest.json").rename(tmp_path / "manifest.partial.json")
    before = contents(tmp_path)
    with pytest.raises(DataError, match=r"'seed': 0.*found.*'seed': 1.*another folder"):
        small(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("text", ["", "[1]", "{}", '"x"', "\x80"])
def test_a_strange_manifest_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match="expected the manifest of generated images"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"images": 13}, "images: expected 14 or more .*found 13"),
        ({"size": 15}, "size: expected 16 to .*found 15"),
        ({"size": 5000}, "size: expected 16 to .*found 5000"),
        ({"seed": -1}, "seed: expected 0 or more, found -1"),
        ({"workers": 0}, "workers: expected 1 or more, found 0"),
    ],
)
def test_impossible_arguments_are_told_before_anything_is_written(
    tmp_path: Path, wrong: dict[str, int], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        generate(tmp_path / "out", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(DataError, match="expected a folder, found a file"):
        small(tmp_path / "out")
    with pytest.raises(DataError, match="expected a folder that can be written to"):
        small(tmp_path / "out" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="can be written to, found: Permission denied"):
        small(tmp_path / "out")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.ENOSPC, r"the disk is full, \d+ MB free; make room"),
        (errno.EACCES, "expected a folder that can be written to"),
    ],
)
def test_what_the_disk_says_is_told_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, told: str
) -> None:
    def fail_on_images(path: Path, data: bytes) -> None:
        if path.suffix == ".jpg":
            raise OSError(code, os.strerror(code), str(path))
        write_whole(path, data)

    monkeypatch.setattr(module, "write_whole", fail_on_images)
    with pytest.raises(DataError, match=told):
        small(tmp_path)
    monkeypatch.undo()
    assert small(tmp_path).images == 40
