"""The worker on JAX: what stands in a record, in one process for all requests (JAX starts slowly).

PyTorch is tested alike where it is installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.backends import Backend
from bench.codec import decode, encode
from bench.errors import EXIT_OK, EXIT_USAGE
from bench.requests import ProofRequest, TrialRequest, WorkerFiles
from bench.schema import (
    SCHEMA_VERSION,
    TrialKind,
    TrialRecord,
    TrialSpec,
    VariantProof,
    ceiling_variant,
)
from bench.variants import VARIANTS
from leafmodel.data.folder import scan
from leafmodel.pipelines.spec import Augment, Loader, PipelineSpec
from tests.bench import train_trial

ROOT = Path(__file__).parents[2]
CLOCKS = {Backend.JAX: "completion_to_completion", Backend.TORCH: "end_to_end"}
PROVED = ("default", "fused_model", "uint8_model", "resident", "feature_cache")
BATCH = 5  # a divisor of the images: each other size of a batch is compiled, too
CEILING = PipelineSpec(loader=Loader.RESIDENT, augment=Augment.NONE)


def _spec(name: str, variant: str, backend: Backend) -> TrialSpec:
    kind = TrialKind.TRAIN if variant in VARIANTS else TrialKind.CEILING
    pipeline = VARIANTS[variant].pipeline if variant in VARIANTS else CEILING
    spec = TrialSpec(name, kind, variant, pipeline, "cnn", 0, 0, 0, 2, BATCH, 32, 7, 60.0)
    return replace(spec, backend=backend)


class Ran:
    """One process' requests on a backend, and what they left."""

    def __init__(self, folder: Path, files: Path, backend: Backend) -> None:
        self.folder = folder
        self.backend = backend
        trials = (
            _spec("model", "in_model", backend),
            _spec("bytes", "memory_mapped_fused", backend),
            _spec("ceiling", ceiling_variant(Augment.NONE), backend),
            _spec("astray", "plain", Backend.TENSORFLOW),
        )
        for spec in trials:
            out = str(folder / f"{spec.name}.json")
            work = str(folder / "work")
            request = TrialRequest(SCHEMA_VERSION, spec, str(files), work, out)
            (folder / f"{spec.name}.trial.json").write_bytes(encode(request))
        self._ask_for_proofs(files)
        self.statuses = self._run()

    def _ask_for_proofs(self, files: Path) -> None:
        (self.folder / "proofs").mkdir()
        pipelines = {name: VARIANTS[name].pipeline for name in PROVED}
        work, out = str(self.folder / "work"), str(self.folder / "proofs")
        request = ProofRequest(
            SCHEMA_VERSION, pipelines, BATCH, 32, 7, str(files), work, out, self.backend
        )
        (self.folder / "all.proof.json").write_bytes(encode(request))

    def _run(self) -> dict[str, int]:
        chosen = {"KERAS_BACKEND": str(self.backend), "JAX_PLATFORMS": "cpu"}
        chosen["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiling takes longer here than running
        done = subprocess.run(
            [sys.executable, train_trial.__file__, str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | chosen | {"PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        self.errors = done.stderr
        statuses: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
        return statuses

    def record(self, name: str) -> TrialRecord:
        path = self.folder / f"{name}.json"
        return decode(path.read_bytes(), TrialRecord, name)

    def proof(self, name: str) -> VariantProof:
        return decode((self.folder / "proofs" / f"{name}.json").read_bytes(), VariantProof, name)


@pytest.fixture(scope="module", params=[Backend.JAX, Backend.TORCH])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    backend: Backend = request.param
    if importlib.util.find_spec(str(backend)) is None:
        pytest.skip(f"needs {backend} (pip install 'leafbench[{backend}]')")
    folder = tmp_path_factory.mktemp(str(backend))
    return Ran(folder, _files(tmp_path_factory.mktemp("images")), backend)


def _files(root: Path) -> Path:
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for name in ("ash", "elm"):
        (root / "all" / name).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "all" / name / f"{number}.png")
    folder = scan(root / "all")
    pairs = tuple((str(file.path), file.label) for file in folder.training)
    path = root / "files.json"
    files = WorkerFiles(SCHEMA_VERSION, folder.class_names, pairs[:10], pairs[10:], pairs[:2])
    path.write_bytes(encode(files))
    return path


def test_a_model_is_trained_on_bytes_from_a_file(ran: Ran) -> None:
    record = ran.record("bytes")
    assert ran.statuses["bytes.trial.json"] == EXIT_OK
    assert [epoch.images for epoch in record.epochs] == [10, 10]
    assert record.traces == 1
    assert record.made_once is not None
    assert not record.made_once.found


def test_a_trial_leaves_a_whole_record(ran: Ran) -> None:
    record = ran.record("model")
    assert ran.statuses["model.trial.json"] == EXIT_OK
    assert record.step_clock == CLOCKS[ran.backend]
    assert record.devices == ("cpu",)
    assert {"tensorflow", str(ran.backend)} <= set(record.versions)
    assert [len(epoch.step_ns) for epoch in record.epochs] == [2, 2]
    assert all(epoch.val_accuracy is not None for epoch in record.epochs)
    assert record.test_accuracy is not None
    assert record.traces == 1
    if shutil.which("nvidia-smi") is None:
        assert record.gpu is None


def test_a_step_is_its_wait_and_its_compute(ran: Ran) -> None:
    for epoch in ran.record("model").epochs:
        assert epoch.wait_ns is not None
        assert epoch.compute_ns is not None
        parts = zip(epoch.wait_ns, epoch.compute_ns, strict=True)
        assert tuple(wait + compute for wait, compute in parts) == epoch.step_ns
    assert ran.record("model").first_batch_ns > 0


def test_the_ceiling_trains_too(ran: Ran) -> None:
    assert ran.statuses["ceiling.trial.json"] == EXIT_OK
    assert [epoch.images for epoch in ran.record("ceiling").epochs] == [10, 10]


def test_every_loader_is_proved(ran: Ran) -> None:
    assert ran.statuses["all.proof.json"] == EXIT_OK
    for name in PROVED:
        assert ran.proof(name).ok, ran.proof(name).checks


def test_keras_puts_no_prefetch_around_a_generator_outside_tensorflow(ran: Ran) -> None:
    hidden = next(c for c in ran.proof("default").checks if c.check == "hidden prefetch")
    assert (hidden.status, hidden.found) == ("ok", "none")


def test_a_process_on_another_backend_than_the_trial_is_refused(ran: Ran) -> None:
    assert ran.statuses["astray.trial.json"] == EXIT_USAGE
    assert f"Expected Keras on tensorflow in this process, found {ran.backend}" in ran.errors
