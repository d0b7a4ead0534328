"""`leafbench service`: real servers, each in a process, used by a pipeline, ended by signals."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.cli import main
from bench.config import make_config
from bench.errors import EXIT_USAGE, ConfigError
from bench.plan import build as build_plan
from leafmodel.data.folder import scan
from leafmodel.pipelines.build import build
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.spec import Augment, PipelineSpec
from leafmodel.service import address, watch

ROOT = Path(__file__).parents[2]
ONE_WORKER = PipelineSpec(augment=Augment.NONE, service_workers=1)


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch would end the process of the tests with the service that they end."""
    monkeypatch.setattr(watch, "begin", lambda _: threading.Event())


@contextmanager
def served(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A part of a service, and the line that it says when it is ready."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "service", *words],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def test_parts_that_were_started_serve_a_pipeline_and_end_by_their_signals(
    make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = scan(make_folder({"ash": 3, "elm": 2}, size=16))
    inputs = PipelineInput(folder.training, folder.class_names, 2, 16, 5, tmp_path / "work")
    with served("dispatcher", "--work", str(tmp_path)) as (dispatcher, said):
        found = re.search(r"dispatcher is at (127\.0\.0\.1:\d+)$", said.strip())
        assert found
        where = found[1]
        with served("worker", "--dispatcher", where) as (worker, ready):
            assert f"a worker of the tf.data service {where} is ready" in ready
            address.require_workers(where, 1)
            drained = list(build(ONE_WORKER, replace(inputs, service=where)).drain())
            labels = np.concatenate([np.asarray(labels) for _, labels in drained])
            assert sorted(labels.tolist()) == [0, 0, 0, 1, 1]
            worker.send_signal(signal.SIGINT)
            assert worker.wait(timeout=60) == 0
        dispatcher.send_signal(signal.SIGTERM)
        assert dispatcher.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"service": "somewhere"}, "--service: A tf.data service's address is HOST:PORT"),
        (
            {"service": "a:1", "variants": "default,in_model"},
            r"--service a:1: no variant .*--variants default,in_model,service",
        ),
    ],
)
def test_an_address_without_sense_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config("smoke", {"variants": "default,in_model,service", **given})


def test_trials_of_the_variant_alone_know_the_service() -> None:
    config = make_config("smoke", {"variants": "default,in_model,service", "service": "a:1"})
    known = {spec.variant: spec.service for spec in build_plan(config)}
    assert known.pop("service") == "a:1"
    assert set(known.values()) == {""}


def test_a_run_asks_its_service_before_anything_is_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        where = f"127.0.0.1:{listening.getsockname()[1]}"
    words = ["run", "--suite", "smoke", "--variants", "default,in_model,service"]
    out = tmp_path / "run"
    assert main([*words, "--service", where, "--out", str(out)]) == EXIT_USAGE
    assert f"Expected a tf.data service at {where}" in capsys.readouterr().err
    assert not out.exists()
