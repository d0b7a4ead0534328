"""A sweep by real sessions with an executor that answers at once: folders, proofs, resuming."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench import session, sweep_session
from bench.device_schema import SweepSpec
from bench.requests import TrialRequest
from bench.schema import RunConfig, Shard, TrialRecord
from bench.session import Outcome, Tools
from bench.store import read
from tests.bench.fakes import FakeExecutor, FakeProgress, FakeReport, leaves, small_config
from tests.bench.fakes import tools as fake_tools

STEPS = ("1s", "5ms")
OWN, EACH = 10, 4 * 2  # two variants, two ceilings; the measured run has the noise floor besides


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    made = small_config(leaves(tmp_path / "leaves"))
    return replace(made, sweep=SweepSpec(STEPS, blocks=2, epochs=2))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "run"


class OpenProgress(FakeProgress):
    """Of several runs, one behind the other."""

    def close(self) -> None:
        """The next run goes on with it."""


def tools(executor: FakeExecutor) -> Tools:
    return replace(fake_tools(executor), progress=OpenProgress())


def start(config: RunConfig, out: Path, given: Tools, shard: Shard | None = None) -> Outcome:
    ended = session.start(config, out, ("leafbench", "run"), given, shard)
    return sweep_session.go_on(ended, given)


def stop_in(step: str, block: int = 0) -> Callable[[TrialRequest], TrialRecord | None]:
    """Interrupts the first trial of that device's block."""

    def stop(request: TrialRequest) -> TrialRecord | None:
        device = request.spec.device
        if device and device.name == f"emulated:step={step}" and request.spec.block == block:
            raise KeyboardInterrupt
        return None

    return stop


def test_devices_come_behind_the_measured_trials_in_the_order_given(
    config: RunConfig, out: Path
) -> None:
    executor = FakeExecutor()
    given = tools(executor)
    ended = start(config, out, given)
    assert (ended.planned, ended.recorded, ended.failed) == (OWN + 2 * EACH, OWN + 2 * EACH, 0)
    assert ended.exit_code == 0
    assert isinstance(given.report, FakeReport)
    folders = [out / "sweep" / f"step-{step}" for step in STEPS]
    assert given.report.made == [out, *folders, out]
    devices = [read(folder).run.config.device for folder in folders]
    assert [device.name for device in devices if device] == [f"emulated:step={s}" for s in STEPS]
    assert not (out / "sweep" / "latest").exists()
    assert (out.parent / "latest").readlink() == Path("run")


def test_what_was_measured_never_lies_beside_what_was_emulated(
    config: RunConfig, out: Path
) -> None:
    start(config, out, tools(FakeExecutor()))
    assert all(trial.spec.device is None for trial in read(out).trials)
    assert all(trial.spec.device for trial in read(out / "sweep" / "step-5ms").trials)


def test_pipelines_that_the_run_proved_are_not_proved_again(config: RunConfig, out: Path) -> None:
    assert config.sweep is not None
    executor = FakeExecutor()
    start(replace(config, sweep=replace(config.sweep, variants=("plain",))), out, tools(executor))
    assert executor.proved == [("default", "in_model"), ("plain",), ("plain",)]
    proofs = {proof.variant for proof in read(out / "sweep" / "step-1s").proofs}
    assert proofs == {"default", "in_model", "plain"}


def test_a_sweep_goes_on_where_it_was_stopped(config: RunConfig, out: Path) -> None:
    stopped = start(config, out, tools(FakeExecutor(on_trial=stop_in("1s", block=1))))
    assert stopped.interrupted
    assert stopped.recorded == OWN + EACH // 2
    executor = FakeExecutor()
    given = tools(executor)
    ended = sweep_session.go_on(session.resume(out, given), given)
    assert not ended.interrupted
    assert (ended.planned, ended.recorded) == (OWN + 2 * EACH, OWN + 2 * EACH)
    assert len(executor.seen) == EACH // 2 + EACH
    assert executor.proved == []


@pytest.mark.parametrize(("number", "swept"), [(1, True), (2, False)])
def test_of_several_shards_the_first_makes_the_sweep(
    config: RunConfig, out: Path, number: int, swept: bool
) -> None:
    start(config, out, tools(FakeExecutor()), Shard(number, 2))
    assert (out / "sweep").is_dir() == swept
