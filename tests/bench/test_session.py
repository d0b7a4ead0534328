from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import changes, plan, session
from bench.errors import ConfigError, PlanChangedError, StoreError
from bench.requests import TrialRequest
from bench.schema import (
    Failure,
    FailureKind,
    ProfileMode,
    RunConfig,
    Shard,
    TrialRecord,
    TrialStatus,
)
from bench.session import Outcome, Tools
from bench.store import read
from leafmodel.errors import DataError
from tests.bench.fakes import (
    FakeExecutor,
    FakeProgress,
    FakeReport,
    crash,
    leaves,
    small_config,
    tools,
)
from tests.bench.samples import environment

COMMAND = ("leafbench", "run")


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return small_config(leaves(tmp_path / "leaves"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "run"


def start(config: RunConfig, out: Path, given: Tools) -> Outcome:
    return session.start(config, out, COMMAND, given)


def progress_of(given: Tools) -> FakeProgress:
    assert isinstance(given.progress, FakeProgress)
    return given.progress


def reports_of(given: Tools) -> list[Path]:
    assert isinstance(given.report, FakeReport)
    return given.report.made


class StopAt:
    """Interrupts the trial with this number."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, _request: TrialRequest) -> TrialRecord | None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return None


def test_trials_run_in_the_order_of_the_plan_and_are_stored(config: RunConfig, out: Path) -> None:
    executor = FakeExecutor()
    given = tools(executor)
    outcome = start(config, out, given)
    names = [spec.name for spec in plan.build(config)]
    assert executor.seen == names
    stored = read(out)
    assert sorted(record.spec.name for record in stored.trials) == names
    assert (outcome.planned, outcome.recorded, outcome.failed) == (10, 10, 0)
    assert outcome.exit_code == 0
    assert reports_of(given) == [out]
    assert progress_of(given).closed


def test_each_record_is_stored_before_the_next_trial_starts(config: RunConfig, out: Path) -> None:
    counts: list[int] = []

    def count(_request: TrialRequest) -> None:
        counts.append(len(list((out / "trials").glob("*.json"))))

    start(config, out, tools(FakeExecutor(on_trial=count)))
    assert counts == list(range(10))


def test_head_and_split_say_what_was_used(config: RunConfig, out: Path) -> None:
    start(config, out, tools(FakeExecutor()))
    run = read(out).run
    assert run.run_id == "run"
    assert run.created_at == "2026-01-02T12:00:00+00:00"
    assert run.command == COMMAND
    assert run.config == config
    assert run.plan == plan.build(config)
    assert run.data.class_names == ("Apple", "Corn")
    assert (run.data.train_images, run.data.validation_images) == (20, 4)
    assert run.data.image_sizes == {"8x8": 24}
    assert run.data.source == "a folder of images"
    text = (out / "split.json").read_text()
    assert "Apple/00.png" in text
    assert str(out.parent.parent) not in text
    assert not (out / "work").exists()


def test_workers_get_absolute_paths_of_every_image(config: RunConfig, out: Path) -> None:
    seen: list[str] = []

    def look(request: TrialRequest) -> None:
        seen.append(Path(request.files).read_text())

    start(config, out, tools(FakeExecutor(on_trial=look)))
    assert seen[0].count(f'"{Path(config.data).absolute()}/') == 24


def test_failed_trial_is_a_record_and_the_run_goes_on(config: RunConfig, out: Path) -> None:
    def fail_plain(request: TrialRequest) -> TrialRecord | None:
        return crash(request) if request.spec.variant == "in_model" else None

    outcome = start(config, out, tools(FakeExecutor(on_trial=fail_plain)))
    assert (outcome.recorded, outcome.failed) == (10, 2)
    assert outcome.exit_code == 1


def test_variant_that_is_not_what_it_says_is_not_timed(config: RunConfig, out: Path) -> None:
    executor = FakeExecutor(refuted=["in_model"])
    outcome = start(config, out, tools(executor))
    assert outcome.failed == 2
    assert not any("-in_model-" in name for name in executor.seen)
    assert any("ceiling_model" in name for name in executor.seen)
    failures = [record.failure for record in read(out).trials if record.failure]
    assert failures[0].message == (
        "not timed, because it is not what it says: "
        "prefetch: expected no prefetch, found a prefetch. Set prefetch=0."
    )


def test_variant_without_a_proof_is_not_timed(config: RunConfig, out: Path) -> None:
    broke = Failure(FailureKind.CRASH, "crashed: SIGSEGV", "the log")
    executor = FakeExecutor(unproved=["default"], proof_failure=broke)
    start(config, out, tools(executor))
    failures = [record.failure for record in read(out).trials if record.failure]
    assert len(failures) == 4  # the baseline twice in each of two blocks
    assert failures[0].message == "not timed, because its proof did not finish: crashed: SIGSEGV"
    assert failures[0].kind is FailureKind.CRASH
    assert failures[0].log_tail == "the log"


def test_a_variant_that_breaks_the_proving_does_not_stop_the_others(
    config: RunConfig, out: Path
) -> None:
    executor = FakeExecutor(
        unproved=["default"], proof_failure=Failure(FailureKind.TIMEOUT, "killed", "")
    )
    start(config, out, tools(executor))
    assert executor.proved == [config.variants, config.variants[1:]]
    timed = {record.spec.variant for record in read(out).trials if record.status is TrialStatus.OK}
    assert set(config.variants[1:]) <= timed
    assert "default" not in timed


def test_interrupt_keeps_what_is_measured_and_reports_it(config: RunConfig, out: Path) -> None:
    given = tools(FakeExecutor(on_trial=StopAt(3)))
    outcome = start(config, out, given)
    assert outcome.interrupted
    assert outcome.exit_code == 130
    assert (outcome.recorded, outcome.planned) == (3, 10)
    assert reports_of(given) == [out]
    names = [spec.name for spec in plan.build(config)]
    assert sorted(record.spec.name for record in read(out).trials) == names[:3]


def test_interrupt_before_the_first_record_makes_no_report(config: RunConfig, out: Path) -> None:
    given = tools(FakeExecutor(on_trial=StopAt(0)))
    outcome = start(config, out, given)
    assert outcome.exit_code == 130
    assert outcome.report is None
    assert reports_of(given) == []
    assert (out / "run.json").exists()


def test_resume_goes_on_behind_the_last_record(config: RunConfig, out: Path) -> None:
    start(config, out, tools(FakeExecutor(on_trial=StopAt(3))))
    before = {p.name: p.read_bytes() for p in (out / "trials").iterdir()}
    executor = FakeExecutor()
    given = tools(executor)
    outcome = session.resume(out.parent / "latest", given)
    assert executor.seen == [spec.name for spec in plan.build(config)][3:]
    assert executor.proved == []
    assert progress_of(given).begun_with == 3
    assert (outcome.recorded, outcome.exit_code) == (10, 0)
    assert all((out / "trials" / name).read_bytes() == data for name, data in before.items())


def test_resume_keeps_failed_records(config: RunConfig, out: Path) -> None:
    start(config, out, tools(FakeExecutor(on_trial=crash)))
    executor = FakeExecutor()
    outcome = session.resume(out, tools(executor))
    assert executor.seen == []
    assert (outcome.failed, outcome.exit_code) == (10, 1)


def test_resume_runs_half_written_trials_again(config: RunConfig, out: Path) -> None:
    start(config, out, tools(FakeExecutor()))
    half = sorted((out / "trials").iterdir())[4]
    half.write_bytes(half.read_bytes()[:99])
    executor = FakeExecutor()
    session.resume(out, tools(executor))
    assert executor.seen == [half.stem]
    assert read(out).broken == ()


def test_resume_proves_what_is_not_proved_yet(config: RunConfig, out: Path) -> None:
    start(config, out, tools(FakeExecutor(on_trial=StopAt(0))))
    (out / "proofs" / "in_model.json").write_text("{")
    executor = FakeExecutor()
    session.resume(out, tools(executor))
    assert executor.proved == [("in_model",)]


def refusal(out: Path, given: Tools | None = None) -> str:
    executor = FakeExecutor()
    with pytest.raises(PlanChangedError) as caught:
        session.resume(out, given or tools(executor))
    assert executor.seen == []
    return str(caught.value)


@pytest.fixture
def stopped(config: RunConfig, out: Path) -> Path:
    start(config, out, tools(FakeExecutor(on_trial=StopAt(3))))
    return out


def test_resume_refuses_changed_images(config: RunConfig, stopped: Path) -> None:
    first, second = sorted(Path(config.data, "Apple").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    message = refusal(stopped)
    assert "Run run cannot go on" in message
    assert f"images in {config.data}, fingerprint: " in message
    assert " -> " in message


def test_resume_refuses_another_number_of_images(config: RunConfig, stopped: Path) -> None:
    Path(config.data, "Apple", "00.png").unlink()
    assert "validation_images: 4 -> 3" in refusal(stopped)


def test_resume_refuses_other_versions_and_another_machine(stopped: Path) -> None:
    versions = {**environment().versions, "keras": "9.9"}
    machine = environment(versions=versions, cores=64, noise=0.9, load_1min=7.0)
    message = refusal(stopped, tools(FakeExecutor(), machine))
    assert "keras: 3.13.0 -> 9.9" in message
    assert "cores: 2 -> 64" in message
    assert "noise" not in message


def test_resume_refuses_another_leafbench(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "leafbench_version", lambda: "9.9")
    assert "-> 9.9" in refusal(stopped)


def test_resume_refuses_a_changed_plan(
    config: RunConfig, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = plan.build(config)
    changed = (trials[0], replace(trials[1], batch_size=99), *trials[2:])
    monkeypatch.setattr("bench.plan.build", lambda _config: changed)
    message = refusal(stopped)
    assert f"plan, from trial {trials[1].name} on: batch_size 4 -> 99" in message
    monkeypatch.setattr("bench.plan.build", lambda _config: trials[:3])
    assert "plan: 10 trials -> 3 trials" in refusal(stopped)


def test_missing_folder_says_how_to_make_leaves(config: RunConfig, out: Path) -> None:
    with pytest.raises(DataError, match=r"no folder of images at .*leafbench data make"):
        start(replace(config, data="nowhere"), out, tools(FakeExecutor()))
    assert not out.exists()


def test_bad_files_are_refused_with_the_list(config: RunConfig, out: Path) -> None:
    Path(config.data, "Apple", "00.png").write_bytes(b"")
    Path(config.data, "Corn", "01.png").write_text("not an image")
    with pytest.raises(DataError) as caught:
        start(config, out, tools(FakeExecutor()))
    message = str(caught.value)
    assert message.startswith("2 files in ")
    assert "  Apple/00.png: empty, 0 bytes\n  Corn/01.png: unreadable" in message
    assert "--skip-bad" in message
    assert not out.exists()


def test_bad_files_can_be_skipped_and_are_reported(config: RunConfig, out: Path) -> None:
    Path(config.data, "Apple", "00.png").write_bytes(b"")
    given = tools(FakeExecutor())
    start(replace(config, skip_bad=True), out, given)
    data = read(out).run.data
    assert data.skipped == ("Apple/00.png: empty, 0 bytes",)
    assert data.train_images + data.validation_images == 23
    assert any("1 files" in note for note in progress_of(given).notes)


def test_more_batch_than_images_is_refused(config: RunConfig, out: Path) -> None:
    with pytest.raises(ConfigError, match="A batch of 21 is more than the 20 training images"):
        start(replace(config, batch_size=21), out, tools(FakeExecutor()))
    assert not out.exists()


def test_fewer_images_than_the_suite_asks_for_are_noted(config: RunConfig, out: Path) -> None:
    given = tools(FakeExecutor())
    start(replace(config, images=1000), out, given)
    assert any("has 24 training images" in note for note in progress_of(given).notes)


def test_two_runs_into_one_folder_lose_nothing(config: RunConfig, out: Path) -> None:
    start(config, out, tools(FakeExecutor()))
    before = sorted(out.rglob("*"))
    with pytest.raises(StoreError, match="holds a run already"):
        start(config, out, tools(FakeExecutor()))
    assert sorted(out.rglob("*")) == before


def test_full_disk_in_the_middle_loses_nothing(
    config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_disk(request: TrialRequest) -> None:
        if request.spec.position == 3:
            monkeypatch.setattr("os.fsync", full)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    given = tools(FakeExecutor(on_trial=fill_disk))
    with pytest.raises(StoreError, match=r"The disk is full.*leafbench run --resume"):
        start(config, out, given)
    monkeypatch.undo()
    assert progress_of(given).closed
    assert len(read(out).trials) == 3
    assert session.resume(out, tools(FakeExecutor())).recorded == 10


def test_interrupt_while_checking_leaves_no_folder(
    config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.images.load", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start(config, out, tools(FakeExecutor()))
    assert not out.exists()


def test_failed_records_have_a_status_and_no_epochs(config: RunConfig, out: Path) -> None:
    start(config, out, tools(FakeExecutor(refuted=["default", "in_model"])))
    failed = [record for record in read(out).trials if record.failure]
    assert len(failed) == 6
    assert all(r.status is TrialStatus.FAILED and not r.epochs for r in failed)


def test_every_trial_is_in_tensorboard_as_soon_as_it_is_stored(
    config: RunConfig, out: Path
) -> None:
    seen: list[int] = []

    def on_trial(_request: TrialRequest) -> None:
        board = out / "tensorboard"
        seen.append(len([path for path in board.iterdir() if path.is_dir()]))

    start(config, out, tools(FakeExecutor(on_trial=on_trial)))
    assert seen == list(range(len(seen)))
    runs = {path.name for path in (out / "tensorboard").iterdir() if path.is_dir()}
    assert runs == {spec.name for spec in plan.build(config)}


def test_a_shard_runs_its_blocks_of_the_whole_plan(config: RunConfig, out: Path) -> None:
    config = replace(config, blocks=3, profile=ProfileMode.ALL, audit_data=True)
    seen = {}
    for number in (1, 2):
        executor = FakeExecutor()
        given = tools(executor)
        folder = out.with_name(f"shard-{number}")
        outcome = session.start(config, folder, COMMAND, given, Shard(number, 2))
        stored = read(folder)
        assert stored.run.plan == plan.build(config)
        assert stored.run.config == config
        assert stored.run.shard == Shard(number, 2)
        assert executor.proved == [config.variants]
        assert (outcome.planned, outcome.recorded) == (len(stored.trials),) * 2
        seen[number] = executor.seen
    blocks = [
        [spec.name for spec in plan.build(config) if spec.block in own] for own in ((0, 2), (1,))
    ]
    assert seen == {1: [*blocks[0], "default-cnn", "in_model-cnn"], 2: blocks[1]}
    assert [out.with_name(f"shard-{n}").joinpath("audit.json").exists() for n in (1, 2)] == [
        True, False,
    ]  # fmt: skip


def test_each_shard_trains_its_own_starting_point(config: RunConfig, out: Path) -> None:
    phases = {"phases": ("finetune",), "backbone": "EfficientNetLite0", "weights": "none"}
    executor = FakeExecutor()
    session.start(replace(config, **phases), out, COMMAND, tools(executor), Shard(2, 2))
    assert executor.started == ["transfer"]
    assert executor.begun_with == {"finetune": {str(out / "starts" / "transfer.weights.h5")}}


def test_resume_of_a_shard_goes_on_with_its_blocks_only(config: RunConfig, out: Path) -> None:
    given = tools(FakeExecutor(on_trial=StopAt(3)))
    stopped = session.start(config, out, COMMAND, given, Shard(2, 2))
    assert (stopped.recorded, stopped.planned, stopped.interrupted) == (3, 5, True)
    executor = FakeExecutor()
    outcome = session.resume(out, tools(executor))
    assert executor.seen == [spec.name for spec in plan.build(config) if spec.block == 1][3:]
    assert (outcome.recorded, outcome.planned, outcome.exit_code) == (5, 5, 0)
    assert session.resume(out, tools(FakeExecutor())).recorded == 5
