from __future__ import annotations

import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from leafmodel.errors import PipelineError
from leafmodel.pipelines import scratch

Usage = namedtuple("Usage", ["total", "used", "free"])


def test_every_training_has_a_folder_of_its_own(tmp_path: Path) -> None:
    work = tmp_path / "not" / "there"
    one, other = scratch.own_folder(work, "cache"), scratch.own_folder(work, "cache")
    assert one != other
    assert one.parent == other.parent == work
    assert not list(one.iterdir())


def test_the_folder_goes_with_its_process(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from leafmodel.pipelines.scratch import own_folder\n"
        "folder = own_folder(pathlib.Path(sys.argv[1]), 'cache')\n"
        "(folder / 'decoded').write_text('pixels'); print(folder)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).parent == tmp_path
    assert not list(tmp_path.iterdir())


def test_what_the_disk_cannot_hold_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda _: Usage(2**40, 2**39, 2**30))
    scratch.require_room(tmp_path, 2**30, "The cache")
    with pytest.raises(PipelineError) as caught:
        scratch.require_room(tmp_path, 2**30 + 2**29, "The cache")
    assert str(caught.value).startswith(
        f"The cache takes 1.50 GiB, and the disk of {tmp_path} has 1.00 GiB left: free some space"
    )
