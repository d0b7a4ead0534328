from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import RecordError, StoreError
from bench.requests import WorkerFiles
from bench.schema import SCHEMA_VERSION
from bench.store import Store, read
from tests.bench.samples import proof_records, run_record, trial_record, trial_records

RUN = run_record(blocks=1)
SPLIT = WorkerFiles(SCHEMA_VERSION, ("Apple", "Corn"), (("Apple/1.jpg", 0),), (), ())


def begun(folder: Path) -> Store:
    store = Store.create(folder)
    store.write_run(RUN, SPLIT)
    return store


def trial_path(store: Store, index: int = 0) -> Path:
    return store.folder / "trials" / f"{RUN.plan[index].name}.json"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = begun(tmp_path / "run")
    trials = trial_records(RUN, {})
    for record in trials:
        store.write_trial(record)
    for proof in proof_records(RUN):
        store.write_scratch(f"../proofs/{proof.variant}.json", proof)
    store.close()
    stored = read(tmp_path / "run")
    assert stored.run == RUN
    assert sorted(stored.trials, key=lambda r: r.spec.name) == sorted(
        trials, key=lambda r: r.spec.name
    )
    assert {proof.variant for proof in stored.proofs} == set(RUN.config.variants)
    assert stored.broken == ()


def test_scratch_is_removed_and_the_rest_kept(tmp_path: Path) -> None:
    store = begun(tmp_path / "run")
    (store.work / "big").write_text("scratch")
    (store.folder / "trials" / "a.json.tmp").write_text("half")
    store.close()
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == ["logs", "profiles", "proofs", "run.json", "split.json", "trials"]
    assert list((tmp_path / "run" / "trials").iterdir()) == []


def test_latest_is_moved_to_the_newest_run(tmp_path: Path) -> None:
    begun(tmp_path / "first").close()
    begun(tmp_path / "second").close()
    latest = tmp_path / "latest"
    assert latest.readlink() == Path("second")
    assert read(latest).run == RUN
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "latest", "second"]


def test_a_folder_called_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    begun(tmp_path / "run").close()
    assert not (tmp_path / "latest").is_symlink()


def test_latest_is_no_name_for_a_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="choose another --out"):
        Store.create(tmp_path / "latest")


def test_second_run_into_one_folder_is_refused(tmp_path: Path) -> None:
    begun(tmp_path / "run").close()
    with pytest.raises(StoreError, match=r"holds a run already: .*--resume .*another --out"):
        Store.create(tmp_path / "run")


def test_two_processes_cannot_hold_one_folder(tmp_path: Path) -> None:
    store = begun(tmp_path / "run")
    with pytest.raises(StoreError, match="Another leafbench works on"):
        Store.create(tmp_path / "run")
    with pytest.raises(StoreError, match="Another leafbench works on"):
        Store.reopen(tmp_path / "run")
    store.close()
    Store.reopen(tmp_path / "run").close()


def test_a_holder_that_was_killed_holds_no_longer(tmp_path: Path) -> None:
    begun(tmp_path / "run").close()
    code = (
        "import os, signal, sys; from pathlib import Path; from bench.store import Store;"
        "store = Store.reopen(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    assert subprocess.run(command, check=False).returncode == -9
    Store.reopen(tmp_path / "run").close()


def test_folder_with_other_things_is_refused_and_an_empty_one_taken(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    with pytest.raises(StoreError, match="is there already and not empty"):
        Store.create(tmp_path / "full")
    assert (tmp_path / "full" / "thesis.tex").read_text() == "precious"
    (tmp_path / "empty").mkdir()
    Store.create(tmp_path / "empty").close()


def test_folder_under_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"Cannot write .*file/run"):
        Store.create(tmp_path / "file" / "run")


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_what_is_no_run_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    for use in (read, Store.reopen):
        with pytest.raises(StoreError, match="is not a run of leafbench: there is no"):
            use(tmp_path / name)


def test_discarded_run_leaves_nothing(tmp_path: Path) -> None:
    begun_never = Store.create(tmp_path / "run")
    begun_never.discard()
    assert not (tmp_path / "run").exists()


def test_full_disk_says_what_is_safe_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = begun(tmp_path / "run")
    first, second = trial_records(RUN, {})[:2]
    store.write_trial(first)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError) as caught:
        store.write_trial(second)
    message = str(caught.value)
    assert message.startswith("The disk is full: ")
    assert f"the trials in {store.folder / 'trials'} are safe. Free some space." in message
    assert f"leafbench run --resume {store.folder}" in message
    monkeypatch.undo()
    store.close()
    assert read(tmp_path / "run").trials == (first,)


def test_interrupt_during_a_write_leaves_the_old_record_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = begun(tmp_path / "run")
    record = trial_record(RUN.plan[0])

    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write_trial(record)
    monkeypatch.undo()
    assert not trial_path(store).exists()
    assert store.completed() == ()
    store.close()
    assert read(tmp_path / "run").broken == ()


def test_half_written_record_is_named_in_a_report_and_set_aside_for_a_resume(
    tmp_path: Path,
) -> None:
    store = begun(tmp_path / "run")
    whole, half = trial_records(RUN, {})[:2]
    store.write_trial(whole)
    store.write_trial(half)
    path = store.folder / "trials" / f"{half.spec.name}.json"
    path.write_bytes(path.read_bytes()[:200])
    stored = read(store.folder)
    assert stored.trials == (whole,)
    assert [path.name in str(error) for error in stored.broken] == [True]
    assert store.completed() == (whole,)
    assert not path.exists()
    assert path.with_name(path.name + ".broken").exists()
    store.close()


def test_record_of_a_newer_schema_stops_a_resume_and_is_kept(tmp_path: Path) -> None:
    store = begun(tmp_path / "run")
    store.write_trial(trial_record(RUN.plan[0]))
    path = trial_path(store)
    newer = json.loads(path.read_bytes()) | {"schema_version": SCHEMA_VERSION + 1}
    path.write_text(json.dumps(newer))
    with pytest.raises(RecordError, match=rf"{path.name} has schema {SCHEMA_VERSION + 1}"):
        store.completed()
    assert json.loads(path.read_bytes()) == newer
    assert len(read(store.folder).broken) == 1
    store.close()


def test_head_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    begun(tmp_path / "run").close()
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"schema_version": 99}))
    with pytest.raises(RecordError, match=r"run\.json has schema 99.*install"):
        read(tmp_path / "run")
