"""Starting points: trained once a run, kept whole, and what happens where they cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import plan, session
from bench.schema import Failure, FailureKind, RunConfig, TrialStatus
from bench.session import Outcome
from bench.store import read
from tests.bench.fakes import FakeExecutor, leaves, small_config, tools

OUT_OF_MEMORY = Failure(FailureKind.MEMORY, "killed by the system", "...")


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return small_config(
        leaves(tmp_path / "leaves"),
        phases=("transfer", "finetune", "improved"),
        backbone="efficientnet_lite0",
        weights="imagenet",
        blocks=1,
    )


def start(config: RunConfig, out: Path, executor: FakeExecutor) -> Outcome:
    return session.start(config, out, ("leafbench", "run"), tools(executor))


def test_each_phase_that_continues_has_one_start(config: RunConfig) -> None:
    specs = plan.starts(config)
    assert [spec.phase for spec in specs] == ["transfer", "transfer+mish"]
    assert {spec.epochs for spec in specs} == {config.start_epochs}
    assert plan.starts(small_config(Path("x"))) == ()


def test_phases_with_one_network_share_a_start(tmp_path: Path) -> None:
    config = small_config(
        tmp_path, phases=("finetune", "finetune+ranger", "finetune+label_smoothing")
    )
    assert [spec.phase for spec in plan.starts(config)] == ["transfer"]


def test_trials_begin_with_the_weights_of_their_start(config: RunConfig, tmp_path: Path) -> None:
    executor = FakeExecutor()
    start(config, tmp_path / "run", executor)
    begun = {Path(path).name for path in executor.begun_with["finetune"]}
    assert begun == {"transfer.weights.h5"}
    assert executor.begun_with["transfer"] == {""}
    assert executor.started == ["transfer", "transfer+mish"]
    assert [record.spec.phase for record in read(tmp_path / "run").starts] == executor.started


def test_a_whole_start_is_not_trained_again_and_a_changed_one_is(
    config: RunConfig, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    start(config, out, FakeExecutor())
    again = FakeExecutor()
    session.resume(out, tools(again))
    assert again.started == []
    (out / "starts" / "transfer.weights.h5").write_bytes(b"other weights")
    session.resume(out, tools(again))
    assert again.started == ["transfer"]


def test_a_start_that_fails_costs_only_the_phases_that_need_it(
    config: RunConfig, tmp_path: Path
) -> None:
    executor = FakeExecutor(start_failure={"transfer+mish": OUT_OF_MEMORY})
    outcome = start(config, tmp_path / "run", executor)
    failed = [t for t in read(tmp_path / "run").trials if t.status is TrialStatus.FAILED]
    assert {trial.spec.phase for trial in failed} == {"improved"}
    assert outcome.failed == len(failed)
    failure = failed[0].failure
    assert failure is not None
    assert failure.kind is FailureKind.MEMORY
    assert "its starting point could not be: killed by the system" in failure.message
