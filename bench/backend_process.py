"""A worker's process made ready for its backend, and what devices the backend finds there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from bench.backends import Backend
from bench.errors import WorkerFailedError


def prepare(backend: Backend, seed: int) -> None:
    """Seed everything; leave the GPU to the backend that trains on it.

    tf.data runs on TensorFlow whatever the backend, and TensorFlow takes all memory of every GPU
    that it sees.

    Raises:
        WorkerFailedError: Keras runs on another backend than the request asks for.
    """
    found = keras.backend.backend()
    if found != backend:
        raise WorkerFailedError(
            f"Expected Keras on {backend} in this process, found {found}: start it with "
            f"KERAS_BACKEND={backend}."
        )
    if backend is not Backend.TENSORFLOW:
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")
    keras.utils.set_random_seed(seed)


def devices() -> tuple[str, ...]:
    """What this process' backend can compute on: `cpu`, `gpu NVIDIA H100 80GB HBM3`."""
    return _FINDERS[Backend(keras.backend.backend())]()


def _tensorflow() -> tuple[str, ...]:
    import tensorflow as tf

    return tuple(_tensorflow_name(tf, device) for device in tf.config.list_physical_devices())


def _tensorflow_name(tf: Any, device: Any) -> str:
    details = tf.config.experimental.get_device_details(device)
    return f"{device.device_type.lower()} {details.get('device_name', '')}".rstrip()


def _jax() -> tuple[str, ...]:
    import jax

    return tuple(
        device.platform
        if device.device_kind == device.platform
        else f"{device.platform} {device.device_kind}"
        for device in jax.devices()
    )


def _torch() -> tuple[str, ...]:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ("cpu", *(f"gpu {torch.cuda.get_device_name(number)}" for number in range(count)))


_FINDERS: dict[Backend, Callable[[], tuple[str, ...]]] = {
    Backend.TENSORFLOW: _tensorflow,
    Backend.JAX: _jax,
    Backend.TORCH: _torch,
}
