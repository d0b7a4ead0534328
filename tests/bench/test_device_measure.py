from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import device_file, device_measure
from bench.cli import main
from bench.device_schema import (
    FREE,
    Cost,
    DeviceProfile,
    End,
    Range,
    StepCost,
    Transfer,
)
from bench.devices import device
from bench.errors import ConfigError
from bench.results import RunResults, compute
from bench.values import Given
from leafmodel.pipelines.spec import AugmentForm
from tests.bench.emulated_samples import emulated_run, emulated_trials
from tests.bench.samples import environment, proof_records, run_record, trial_records

RUN = Path(__file__).parents[2] / "reports" / "cpu-2core-generated"
GPU = environment(gpus=("NVIDIA X, 81559 MiB",))
SECONDS = st.floats(1e-6, 100)
RANGES = st.tuples(SECONDS, SECONDS, st.text(min_size=1).filter(str.strip)).map(
    lambda drawn: Range(min(drawn[:2]), max(drawn[:2]), drawn[2])
)
COSTS = st.builds(Cost, step_s=st.one_of(RANGES, st.just(FREE)), image_s=RANGES)
STEPS = st.builds(
    StepCost,
    phase=st.sampled_from(["", "cnn", "finetune+mish"]),
    precision=st.sampled_from(["", *device_file.PRECISIONS]),
    image_size=st.integers(0, 999),
    cost=COSTS,
)


def measured(**run: object) -> RunResults:
    record = run_record(**run)  # type: ignore[arg-type]
    return compute(record, trial_records(record), proof_records(record))


def test_the_ceiling_becomes_the_time_of_an_image_with_its_interval() -> None:
    results = measured()
    found = device_measure.profile(results)
    (step,) = found.steps
    ceiling = results.find("ceiling_none", "cnn")
    assert ceiling is not None
    assert ceiling.steady_epoch_s is not None
    assert (step.phase, step.precision, step.image_size) == ("cnn", "float32", 256)
    assert step.cost.image_s.low == pytest.approx(ceiling.steady_epoch_s.low / 640)
    assert step.cost.image_s.high == pytest.approx(ceiling.steady_epoch_s.high / 640)
    assert "ceiling_none of run 20260102-030405-quick" in step.cost.image_s.source
    assert found.augmentation[AugmentForm.STOCK].image_s.low == pytest.approx(1 / 640, rel=0.1)
    assert AugmentForm.FUSED not in found.augmentation
    assert (found.ahead, found.transfer.step_s.low) == (0, 0.0)


def test_a_gpu_needs_its_transfer_rate_and_runs_ahead() -> None:
    results = measured(machine=GPU)
    with pytest.raises(ConfigError, match=r"How fast batches travel to NVIDIA X.*--bytes-per-s"):
        device_measure.profile(results)
    found = device_measure.profile(results, bytes_per_s=1e10)
    assert found.transfer.byte_s.low == pytest.approx(1e-10)
    assert found.ahead == device_measure.AHEAD_ON_GPU
    assert device_measure.profile(results, bytes_per_s=1e10, ahead=0).ahead == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"bytes_per_s": -1.0}, "--bytes-per-s must be a number of bytes a second from 10000"),
        ({"bytes_per_s": float("nan")}, "--bytes-per-s must be a number of bytes a second"),
        ({"bytes_per_s": 1e10, "ahead": -1}, "--ahead must be a whole number from 0 to 1000"),
    ],
)
def test_absurd_options_are_refused(options: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        device_measure.profile(measured(machine=GPU), **options)  # type: ignore[arg-type]
    assert says in str(caught.value)


def test_an_emulated_run_measures_no_device() -> None:
    run = emulated_run("emulated:step=51ms")
    results = compute(run, emulated_trials(run), proof_records(run))
    with pytest.raises(ConfigError, match=r"was emulated .*: it measured no device"):
        device_measure.profile(results)


def test_a_run_without_ceilings_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no compute ceiling with a steady epoch"):
        device_measure.profile(measured(ceilings=False))


@given(
    st.lists(STEPS, min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(list(AugmentForm)), COSTS),
    RANGES,
    st.integers(0, 1000),
)
def test_what_is_written_is_read_back(
    steps: list[StepCost], augmentation: dict[AugmentForm, Cost], transfer: Range, ahead: int
) -> None:
    made = DeviceProfile(
        "mine", "a device", End.MIDDLE, ahead, tuple(steps), Transfer(transfer), augmentation
    )
    assert _read(device_measure.text(made)) == made


def test_a_rate_is_written_as_bytes_a_second() -> None:
    made = device_measure.profile(measured(machine=GPU), bytes_per_s=1.25e10)
    text = device_measure.text(made)
    assert "[transfer.bytes_per_s]\nvalue = 12500000000.0\n" in text
    assert _read(text).transfer.byte_s.low == pytest.approx(8e-11)


def _read(text: str) -> DeviceProfile:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return device_file.read_profile("mine", End.MIDDLE, path)


def test_the_command_writes_a_profile_that_run_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cpu.toml"
    assert main(["device", "measure", str(RUN), "--out", str(out)]) == 0
    assert f"Profile: {out}" in capsys.readouterr().out
    ours = device(Given("cpu_2core", "--device"))
    assert replace(device(Given(str(out), "--device")), name="cpu_2core") == ours


def test_a_place_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["device", "measure", str(RUN), "--out", str(tmp_path / "no" / "x.toml")]) == 2
    assert "Cannot write" in capsys.readouterr().err
