"""Which backends there are, what is refused, and what a run says of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import backend_findings, backends, environment, plan
from bench.backends import Backend, require_installed
from bench.config import make_config
from bench.errors import ConfigError
from bench.evidence import Evidence, Finding
from bench.gate.asked import Asked
from bench.postmortem import worker_environment
from bench.report import emulated
from bench.report.provenance import run_command
from bench.schema import ProfileMode, RunConfig, TrialRecord
from tests.bench import samples


def on(backend: Backend) -> RunConfig:
    return make_config("smoke", {"backend": str(backend)})


def test_a_backend_that_is_not_installed_is_refused_with_the_command_that_installs_it() -> None:
    with pytest.raises(ConfigError, match=r"needs jax and jaxlib.*pip install 'leafbench\[jax\]'"):
        require_installed(Backend.JAX, lambda _module: False)


def test_a_folder_of_its_name_is_no_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leafbench_no_such_backend").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        backends, "PACKAGES", {Backend.TORCH: ("numpy", "leafbench_no_such_backend")}
    )
    with pytest.raises(ConfigError, match="needs leafbench_no_such_backend, not installed"):
        require_installed(Backend.TORCH)


def test_tensorflow_needs_nothing_more() -> None:
    require_installed(Backend.TENSORFLOW, lambda _module: False)


def test_the_command_line_stops_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench import cli

    monkeypatch.setattr(backends, "_is_installed", lambda _module: False)
    assert cli.main(["run", "--suite", "smoke", "--backend", "torch"]) == 2
    assert "--backend torch needs torch, not installed here" in capsys.readouterr().err


def test_an_unknown_backend_lists_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="--backend must be one of tensorflow, jax, torch"):
        make_config("smoke", {"backend": "theano"})


def test_every_trial_and_start_of_a_run_is_on_its_backend() -> None:
    config = replace(on(Backend.JAX), phases=("finetune",), backbone="efficientnet_lite0")
    assert {spec.backend for spec in plan.build(config)} == {Backend.JAX}
    assert {spec.backend for spec in plan.starts(config)} == {Backend.JAX}


def test_a_worker_is_started_on_its_backend() -> None:
    assert worker_environment(1, Backend.JAX)["KERAS_BACKEND"] == "jax"
    assert worker_environment(1)["KERAS_BACKEND"] == "tensorflow"


def test_a_profile_is_refused_when_it_is_asked_for_and_left_out_when_it_is_not() -> None:
    assert make_config("quick", {"backend": "jax"}).profile is ProfileMode.NONE
    with pytest.raises(ConfigError, match=r"--profile reads TensorFlow's steps.*on JAX"):
        make_config("quick", {"backend": "jax", "profile": "auto"})


def test_an_emulated_device_takes_no_backend() -> None:
    with pytest.raises(ConfigError, match="an emulated device trains nothing"):
        make_config("smoke", {"backend": "jax", "device": "emulated:step=10ms"})


def test_a_gate_refuses_another_backend() -> None:
    asked = Asked("HEAD", Path(), (), suite="smoke", overrides={"backend": "jax"})
    with pytest.raises(ConfigError, match="trains on JAX, and a gate plants"):
        asked.config()


def test_the_versions_of_the_backend_are_part_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environment, "_version", lambda package: f"{package}-1")
    assert environment.versions(Backend.JAX)["jaxlib"] == "jaxlib-1"
    assert "jax" not in environment.versions()


def test_runs_on_different_backends_are_not_compared() -> None:
    ours = samples.environment()
    theirs = replace(ours, backend="jax")
    assert [item.key for item in environment.must_match(ours, theirs)] == ["backend"]


def test_the_report_marks_a_run_on_another_backend_wherever_numbers_stand() -> None:
    config = on(Backend.JAX)
    assert emulated.heading(config, "Variant") == "Variant (Keras on JAX)"
    assert emulated.place(config).opening == "On this machine, with Keras on JAX,"
    table = "| Variant | s |\n|:--|--:|\n| plain | 1 |"
    assert emulated.marked(config, table).startswith("| Variant (Keras on JAX) | s |")
    assert "--backend jax" in " ".join(run_command(config))


def test_a_run_on_tensorflow_is_not_marked() -> None:
    config = on(Backend.TENSORFLOW)
    assert emulated.mark(config) == ""
    assert emulated.heading(config, "Variant") == "Variant"
    assert "--backend" not in run_command(config)


def _findings(
    config: RunConfig, trials: tuple[TrialRecord, ...], gpus: tuple[str, ...] = ()
) -> dict[str, Finding]:
    machine = samples.environment(gpus=gpus)
    run = replace(samples.run_record(machine=machine), config=config)
    evidence = Evidence(run, trials, (), (), {}, {})
    return {finding.code: finding for finding in backend_findings.find(evidence)}


def test_what_jax_does_by_itself_is_a_finding() -> None:
    found = _findings(on(Backend.JAX), ())
    assert sorted(found) == ["not-profiled", "runs-ahead"]
    assert "with prefetch or without" in found["runs-ahead"].what


def test_a_wait_that_nobody_saw_is_a_finding() -> None:
    trial = samples.trial_records(samples.run_record())[0]
    blind = tuple(replace(epoch, wait_ns=None, compute_ns=None) for epoch in trial.epochs)
    found = _findings(on(Backend.TORCH), (replace(trial, epochs=blind),))
    assert sorted(found) == ["not-profiled", "wait-not-seen"]


def test_a_gpu_that_the_backend_did_not_find_is_a_finding() -> None:
    trial = samples.trial_records(samples.run_record())[0]
    on_cpu = replace(trial, devices=("cpu",))
    config = on(Backend.TENSORFLOW)
    found = _findings(config, (on_cpu,), ("NVIDIA T4, 15360 MiB",))
    assert "TensorFlow found only cpu" in found["gpu-not-used"].what
    on_gpu = replace(trial, devices=("cpu", "gpu NVIDIA T4"))
    assert _findings(config, (on_gpu,), ("NVIDIA T4, 15360 MiB",)) == {}
    assert _findings(config, (trial,), ("NVIDIA T4, 15360 MiB",)) == {}  # an older record
    assert _findings(config, (on_cpu,)) == {}
