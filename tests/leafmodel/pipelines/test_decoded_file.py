"""The file of decoded images: whole or not there, and refused where it is not what is wanted."""

from __future__ import annotations

import errno
import json
import os
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as cases
from hypothesis import strategies as st
from numpy.typing import NDArray

from leafmodel.data.folder import ImageFile
from leafmodel.errors import DataError, PipelineError
from leafmodel.pipelines import decoded_file, scratch
from leafmodel.pipelines.decoded_file import HEADER_BYTES, Contents, DecodedFile, contents, write
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.spec import Augment, Decode, PipelineSpec, Resize

Given = Callable[..., PipelineInput]
Images = NDArray[np.uint8]

WANTED = Contents("ab" * 32, 5, 8)
SPEC = PipelineSpec(augment=Augment.NONE)


def _images(count: int = WANTED.images, size: int = WANTED.image_size) -> Images:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A whole file of five images, in a folder that was not there."""
    path = WANTED.path(tmp_path / "new" / "folder")
    write(path, WANTED, [_images()[:4], _images()[4:]])
    return path


def test_rows_come_back_in_the_order_that_is_asked_for(path: Path) -> None:
    file = DecodedFile(path, WANTED)
    wanted = np.array([4, 0, 2, 2], np.int32)
    np.testing.assert_array_equal(file.rows(wanted), _images()[wanted])
    assert file.build_ns > 0


def test_rows_are_copies_that_outlive_the_next_ones(path: Path) -> None:
    file = DecodedFile(path, WANTED)
    first = file.rows(np.array([1]))
    file.rows(np.array([3]))
    np.testing.assert_array_equal(first, _images()[[1]])
    assert first.flags.owndata


def test_a_row_that_is_not_there_is_refused(path: Path) -> None:
    with pytest.raises(IndexError):
        DecodedFile(path, WANTED).rows(np.array([5]))


def test_nothing_but_the_file_is_left(path: Path) -> None:
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_size == WANTED.file_bytes == HEADER_BYTES + 5 * 8 * 8 * 3


@cases(st.integers(1, 9), st.integers(1, 9), st.data())
def test_any_images_in_any_batches_come_back(
    tmp_path_factory: pytest.TempPathFactory, count: int, size: int, data: st.DataObject
) -> None:
    images, wanted = _images(count, size), Contents("cd" * 32, count, size)
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=4)))
    path = wanted.path(tmp_path_factory.mktemp("any"))
    write(path, wanted, np.split(images, cuts))
    rows = np.array(data.draw(st.lists(st.integers(0, count - 1), max_size=12)), np.int32)
    np.testing.assert_array_equal(DecodedFile(path, wanted).rows(rows), images[rows])


@pytest.mark.parametrize("change", [-1, -200, 1])
def test_another_length_is_refused_with_what_to_delete(path: Path, change: int) -> None:
    os.truncate(path, WANTED.file_bytes + change)
    found = f"expected {WANTED.file_bytes:,} bytes, found {WANTED.file_bytes + change:,}"
    with pytest.raises(PipelineError, match=found) as caught:
        DecodedFile(path, WANTED)
    assert str(caught.value).endswith(f"Delete {path}, and it is made again.")


@pytest.mark.parametrize("kept", [0, 100, HEADER_BYTES // 2])
def test_a_file_that_was_cut_off_in_its_header_is_refused(path: Path, kept: int) -> None:
    whole = json.loads(path.read_bytes()[:HEADER_BYTES])
    path.write_bytes(json.dumps(whole).encode()[: min(kept, 100)] + b"\0" * (kept // 2))
    with pytest.raises(PipelineError, match="has no header") as caught:
        DecodedFile(path, WANTED)
    assert str(caught.value).endswith(f"Delete {path}, and it is made again.")


@pytest.mark.parametrize("head", [b"[]", b"{}", b'{"fingerprint": "ab"}', b"\xff\xd8\xff"])
def test_a_file_of_somebody_else_is_refused(path: Path, head: bytes) -> None:
    path.write_bytes(head.ljust(HEADER_BYTES))
    with pytest.raises(PipelineError, match="has no header that says which decoded images"):
        DecodedFile(path, WANTED)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fingerprint": "ef" * 32}, "expected 5 of 8x8 pixels with fingerprint efef"),
        ({"image_size": 4}, "expected 5 of 4x4 pixels"),
        ({"images": 6}, "expected 6 of 8x8 pixels"),
    ],
)
def test_a_file_of_other_images_is_refused(
    path: Path, change: dict[str, object], says: str
) -> None:
    with pytest.raises(PipelineError, match=says) as caught:
        DecodedFile(path, replace(WANTED, **change))  # type: ignore[arg-type]
    assert "holds other images than those of this training" in str(caught.value)
    assert "found 5 of 8x8 pixels with fingerprint abab" in str(caught.value)


def test_another_format_is_refused(path: Path) -> None:
    head = path.read_bytes()[:HEADER_BYTES].replace(b"images 1", b"images 2")
    path.write_bytes(head + path.read_bytes()[HEADER_BYTES:])
    with pytest.raises(PipelineError, match="holds other images"):
        DecodedFile(path, WANTED)


def _failing(error: BaseException) -> Iterator[Images]:
    yield _images()[:4]
    raise error


def test_a_disk_that_fills_up_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    path = WANTED.path(tmp_path)
    with pytest.raises(PipelineError) as caught:
        write(path, WANTED, _failing(OSError(errno.ENOSPC, "No space left on device")))
    assert str(caught.value).startswith("The disk is full: the file of decoded images could not")
    assert str(path) in str(caught.value)
    assert "free some space" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_was_there_before_survives_a_disk_that_fills_up(path: Path) -> None:
    with pytest.raises(PipelineError):
        write(path, WANTED, _failing(OSError(errno.ENOSPC, "No space left on device")))
    np.testing.assert_array_equal(DecodedFile(path, WANTED).rows(np.arange(5)), _images())


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(WANTED.path(tmp_path), WANTED, _failing(KeyboardInterrupt()))
    assert not list(tmp_path.iterdir())


def test_no_room_for_it_is_seen_before_it_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("Usage", ["free"])
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda _: usage(WANTED.file_bytes - 1))
    with pytest.raises(PipelineError, match="The file of decoded images takes"):
        write(WANTED.path(tmp_path), WANTED, _failing(AssertionError("begun")))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(PipelineError, match=r"cannot be written to .* exists"):
        write(WANTED.path(tmp_path / "file"), WANTED, [_images()])


def test_the_name_follows_from_what_the_file_is_made_from(given: Given) -> None:
    inputs = given()
    found = contents(SPEC, inputs)
    assert (found.images, found.image_size) == (10, 16)
    assert contents(SPEC, inputs) == found
    others = {
        contents(SPEC, replace(inputs, image_size=8)).fingerprint,
        contents(SPEC.evolve(resize=Resize.NEAREST), inputs).fingerprint,
        contents(SPEC.evolve(decode=Decode.TARGET), inputs).fingerprint,
        contents(SPEC, replace(inputs, files=inputs.files[:-1])).fingerprint,
        contents(SPEC, replace(inputs, files=inputs.files[::-1])).fingerprint,
    }
    assert len(others - {found.fingerprint}) == 5


def test_labels_places_and_what_is_done_with_images_do_not_matter(
    given: Given, tmp_path: Path
) -> None:
    inputs = given()
    moved = tmp_path / "moved.jpg"
    moved.write_bytes(inputs.files[0].path.read_bytes())
    files = (ImageFile(moved, 2), *inputs.files[1:])
    other = replace(inputs, files=files, seed=9, batch_size=3)
    busy = SPEC.evolve(augment=Augment.MODEL, prefetch=2, map_parallelism=4)
    assert contents(busy, other) == contents(SPEC, inputs)


def test_one_changed_byte_makes_another_file(given: Given) -> None:
    inputs = given()
    before = contents(SPEC, inputs)
    with inputs.files[3].path.open("ab") as stream:
        stream.write(b"\0")
    assert contents(SPEC, inputs).fingerprint != before.fingerprint


def test_an_image_that_is_gone_is_named(given: Given) -> None:
    inputs = given()
    inputs.files[3].path.unlink()
    with pytest.raises(DataError, match=str(inputs.files[3].path)):
        contents(SPEC, inputs)


def test_the_header_fits_into_its_page() -> None:
    largest = Contents("f" * 64, 10**15, 10**6)
    head = decoded_file._header(largest, 10**18)
    assert len(head) == HEADER_BYTES
    assert json.loads(head)["images"] == 10**15
