"""Findings about the backend that trains: what it does by itself, and what was not seen of it."""

from __future__ import annotations

from collections.abc import Iterator

from bench.backends import Backend
from bench.evidence import Evidence, Finding, Severity

_WHERE = "every variant"


def find(evidence: Evidence) -> Iterator[Finding]:
    """What to know of a run's backend."""
    backend = evidence.run.config.backend
    if backend is not Backend.TENSORFLOW:
        yield from _runs_ahead(evidence)
        yield _not_profiled(backend)
    yield from _gpu_not_used(evidence)


def _runs_ahead(evidence: Evidence) -> Iterator[Finding]:
    backend = evidence.run.config.backend
    if backend is Backend.JAX:
        yield Finding(
            "runs-ahead",
            Severity.INFO,
            "Keras on JAX hands a step over without waiting for it, so that the next batch is made "
            "while the device computes, with prefetch or without; on a GPU Keras also moves one "
            "batch ahead onto it",
            _WHERE,
            "do not read what prefetch gives here as what it gives on TensorFlow",
        )
    elif any(trial.epochs[0].wait_ns is None for trial in evidence.good):
        yield Finding(
            "wait-not-seen",
            Severity.INFO,
            "PyTorch on a GPU runs behind the host, so that nobody sees when a step had its batch: "
            "input wait was not metered",
            _WHERE,
            "compare an epoch with its ceiling instead",
        )


def _not_profiled(backend: Backend) -> Finding:
    return Finding(
        "not-profiled",
        Severity.INFO,
        f"no step was profiled, since profiles are read from TensorFlow's own steps, and these are "
        f"{backend.label}'s",
        _WHERE,
        "profile the same variants on TensorFlow (without --backend)",
    )


def _gpu_not_used(evidence: Evidence) -> Iterator[Finding]:
    """A GPU that the driver lists, and that no trial's backend found."""
    asked = [trial for trial in evidence.good if trial.devices]
    used = any(name.startswith(_GPU_NAMES) for trial in asked for name in trial.devices)
    gpus = evidence.run.environment.gpus
    if gpus and asked and not used:
        backend = evidence.run.config.backend
        yield Finding(
            "gpu-not-used",
            Severity.WARNING,
            f"the machine has {', '.join(gpus)}, and {backend.label} found only "
            f"{', '.join(asked[0].devices)}: the run says nothing of the GPU",
            _WHERE,
            _GPU_REMEDY[backend],
        )


_GPU_NAMES = ("gpu", "cuda", "rocm")
_GPU_REMEDY = {
    Backend.TENSORFLOW: "pip install 'leafbench[cuda]'",
    Backend.JAX: "pip install 'jax[cuda12]'",
    Backend.TORCH: "install a PyTorch that was built for this GPU's driver (pytorch.org)",
}
