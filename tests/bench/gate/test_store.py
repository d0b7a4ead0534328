"""The folder of a check: nothing measured is lost, nothing half written is read."""

from __future__ import annotations

import errno
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.errors import ConfigError, RecordError, StoreError
from bench.gate import store as stores
from bench.gate.store import CheckStore, read_blocks
from tests.bench.gate import made


def test_blocks_are_read_in_the_order_in_which_they_were_measured(tmp_path: Path) -> None:
    with CheckStore.create(tmp_path / "check") as store:
        for number in (0, 1, 2):
            store.write_block(made.block(number))
        (store.folder / stores.HEAD_FILE).write_text("{}")
    assert [block.block for block in read_blocks(tmp_path / "check")] == [0, 1, 2]
    assert read_blocks(tmp_path / "check")[1] == made.block(1)


def test_scratch_is_gone_when_the_check_ends_however_it_ends(tmp_path: Path) -> None:
    store = CheckStore.create(tmp_path / "check")

    def interrupted() -> None:
        with store:
            store.scratch("files.json", made.block(0))
            (store.logs / "b000.log").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not store.work.exists()
    assert store.logs.is_dir()


def test_a_check_that_never_began_leaves_its_folder_free_for_the_next_try(tmp_path: Path) -> None:
    with pytest.raises(ConfigError), CheckStore.create(tmp_path / "check"):
        raise ConfigError("There are no images.")
    with CheckStore.create(tmp_path / "check") as store:
        store.write_block(made.block(0))
    assert (tmp_path / "check" / "blocks").exists()


def test_a_folder_that_somebody_took_away_hides_no_other_error(tmp_path: Path) -> None:
    store = CheckStore.create(tmp_path / "check")
    shutil.rmtree(store.folder)
    with pytest.raises(ConfigError), store:
        raise ConfigError("There are no images.")


def test_what_a_check_leaves_is_no_change_of_the_working_tree(tmp_path: Path) -> None:
    git = ("git", "-C", str(tmp_path))
    subprocess.run((*git, "init", "--quiet"), check=True)
    with CheckStore.create(tmp_path / "reports" / "check") as store:
        store.write_block(made.block(0))
    status = subprocess.run((*git, "status", "--porcelain"), check=True, capture_output=True)
    assert status.stdout == b""


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with CheckStore.create(tmp_path / "check") as store:
        monkeypatch.setattr(stores, "write_whole", full)
        with pytest.raises(StoreError, match="The disk is full"):
            store.write_block(made.block(0))


def test_a_folder_is_used_by_one_check_at_a_time(tmp_path: Path) -> None:
    with CheckStore.create(tmp_path / "check"), pytest.raises(StoreError, match="not empty"):
        CheckStore.create(tmp_path / "check")


def test_what_is_no_check_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a check of leafbench"):
        read_blocks(tmp_path)


def test_a_half_written_block_is_named(tmp_path: Path) -> None:
    with CheckStore.create(tmp_path / "check") as store:
        store.write_block(made.block(0))
        (store.folder / stores.HEAD_FILE).write_text("{}")
        path = next(store.blocks.glob("*.json"))
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(RecordError, match=path.name):
            read_blocks(store.folder)
