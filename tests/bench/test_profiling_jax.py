"""The profiler's window on Keras' JAX backend, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.profile_reader import answer
from bench.requests import ReadingRequest
from bench.schema import SCHEMA_VERSION
from bench.trace_analyser import analyser_steps

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="needs jax (pip install leafbench[dev])"
)

PROGRAM = """
import json, sys
from dataclasses import asdict
from pathlib import Path
import keras, numpy as np
from bench.profile_schema import ProfileWindow
from bench.profiling import ProfilerWindow

model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
model.compile("sgd", "mse")
window = ProfilerWindow(ProfileWindow(epoch=1, first_step=2, steps=6), Path(sys.argv[1]))
data = np.ones((40, 8, 8, 3)), np.ones((40, 2))
model.fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=[window])
print(json.dumps(asdict(window.capture())))
"""


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    logdir = tmp_path_factory.mktemp("jax")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(logdir)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr[-1000:]
    captured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return captured


def test_the_trace_lies_where_tensorboard_looks(capture: dict[str, Any]) -> None:
    assert capture["failure"] is None
    assert Path(capture["trace"]).parts[-4:-2] == ("plugins", "profile")


def test_xprof_sees_the_steps(capture: dict[str, Any], tmp_path: Path) -> None:
    copy = tmp_path / "jax.xplane.pb"
    copy.write_bytes(Path(capture["trace"]).read_bytes())
    steps, note = analyser_steps(copy)
    assert note == ""
    assert [step.number for step in steps] == [3, 4, 5, 6]  # it leaves out the first and last
    assert all(step.step_ns > 0 for step in steps)


def test_a_wait_that_cannot_be_seen_is_not_called_zero(
    capture: dict[str, Any], tmp_path: Path
) -> None:
    request = ReadingRequest(
        SCHEMA_VERSION,
        capture["trace"],
        tuple(range(2, 8)),
        capture["begin_real_ns"],
        capture["end_real_ns"],
        devices=False,
        out=str(tmp_path / "out.json"),
    )
    outcome = answer(request)
    assert outcome.reading is None
    assert outcome.failure is not None
    assert "in none of them is a batch fetched" in outcome.failure.message
