"""Profiles in a run, with an executor that neither trains nor reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import session
from bench.profile_schema import ProfileFailureKind
from bench.schema import ProfileMode, RunConfig, TrialStatus
from bench.session import Outcome
from bench.store import StoredRun, read
from tests.bench.fakes import FakeExecutor, FakeProgress, crash, leaves, small_config, tools

VARIANTS = ("default", "plain", "parallel", "in_model", "resident")


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    folder = leaves(tmp_path / "leaves")
    return small_config(folder, variants=VARIANTS, profile=ProfileMode.AUTO, blocks=1)


def run(config: RunConfig, out: Path, executor: FakeExecutor) -> tuple[Outcome, StoredRun]:
    outcome = session.start(config, out, ("leafbench", "run"), tools(executor))
    return outcome, read(out)


def test_the_telling_variants_are_profiled_after_the_last_timed_trial(
    config: RunConfig, tmp_path: Path
) -> None:
    executor = FakeExecutor(epoch_s={"resident": 1.0})
    _, stored = run(config, tmp_path / "run", executor)
    assert executor.seen[-4:] == ["default-cnn", "plain-cnn", "in_model-cnn", "resident-cnn"]
    assert executor.seen[: len(stored.run.plan)] == [spec.name for spec in stored.run.plan]
    assert [r.spec.trial.variant for r in stored.profiles] == [
        *("default", "in_model", "plain", "resident")
    ]
    assert all(record.reading is not None for record in stored.profiles)


def test_a_profile_is_no_trial(config: RunConfig, tmp_path: Path) -> None:
    outcome, stored = run(config, tmp_path / "run", FakeExecutor())
    assert len(stored.trials) == len(stored.run.plan) == outcome.recorded
    assert outcome.exit_code == 0


@pytest.mark.parametrize(
    ("mode", "profiled"),
    [(ProfileMode.NONE, set()), (ProfileMode.ALL, set(VARIANTS))],
)
def test_modes(config: RunConfig, tmp_path: Path, mode: ProfileMode, profiled: set[str]) -> None:
    _, stored = run(replace(config, profile=mode), tmp_path / "run", FakeExecutor())
    assert {record.spec.trial.variant for record in stored.profiles} == profiled


def test_the_trace_is_named_from_the_run_folder(config: RunConfig, tmp_path: Path) -> None:
    _, stored = run(config, tmp_path / "run", FakeExecutor())
    record = stored.profiles[0]
    assert record.trace == "tensorboard/default-cnn/plugins/profile/now/host.xplane.pb"
    assert (tmp_path / "run" / record.trace).stat().st_size == record.trace_bytes > 0


def test_a_variant_that_could_not_be_timed_is_not_profiled(
    config: RunConfig, tmp_path: Path
) -> None:
    def on_trial(request: object) -> object:
        return crash(request) if request.spec.variant == "plain" else None

    _, stored = run(config, tmp_path / "run", FakeExecutor(on_trial=on_trial))
    assert "plain" not in {record.spec.trial.variant for record in stored.profiles}


@pytest.mark.parametrize(
    ("broken", "kind", "message"),
    [
        ("train", ProfileFailureKind.TRIAL, "The profiled training failed: crashed: SIGSEGV"),
        ("capture", ProfileFailureKind.BUSY, "another one is running"),
        ("read", ProfileFailureKind.UNREADABLE, "is cut off"),
    ],
)
def test_a_profile_that_fails_is_a_record_that_says_why(
    config: RunConfig, tmp_path: Path, broken: str, kind: ProfileFailureKind, message: str
) -> None:
    outcome, stored = run(config, tmp_path / "run", FakeExecutor(profile_fails={"plain": broken}))
    record = next(r for r in stored.profiles if r.spec.trial.variant == "plain")
    assert record.reading is None
    assert record.failure is not None
    assert record.failure.kind is kind
    assert message in record.failure.message
    assert (record.trial.status is TrialStatus.FAILED) == (broken == "train")
    assert outcome.exit_code == 0  # nothing timed is missing; the report tells the rest
    assert len(stored.profiles) == 3


def test_resume_makes_the_profiles_that_are_missing_or_failed(
    config: RunConfig, tmp_path: Path
) -> None:
    run(config, tmp_path / "run", FakeExecutor(profile_fails={"plain": "read"}))
    (tmp_path / "run" / "profiles" / "in_model-cnn.json").unlink()
    again = FakeExecutor()
    session.resume(tmp_path / "run", tools(again))
    assert again.seen == ["plain-cnn", "in_model-cnn"]
    assert all(record.reading is not None for record in read(tmp_path / "run").profiles)


def test_an_interrupt_while_profiling_keeps_everything_timed(
    config: RunConfig, tmp_path: Path
) -> None:
    given = tools(FakeExecutor(profile_fails={"plain": "interrupt"}))
    outcome = session.start(config, tmp_path / "run", ("leafbench", "run"), given)
    assert outcome.interrupted
    assert outcome.recorded == outcome.planned
    assert [r.spec.trial.variant for r in read(tmp_path / "run").profiles] == ["default"]
    assert isinstance(given.progress, FakeProgress)
    assert given.progress.notes[-1] == "Profiling plain-cnn (2 of 3)"
