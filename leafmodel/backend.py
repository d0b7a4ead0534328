"""What differs between Keras' backends."""

from __future__ import annotations

import keras


def compiles_steps() -> bool:
    """Keras' `jit_compile` for every model here: on JAX alone.

    There a step that is not compiled runs operation by operation in Python (Keras 3.15,
    `JAXTrainer.make_train_function`). On TensorFlow it is a graph anyway, and "auto" would compile
    some variants' models on a GPU and not others'; on PyTorch it runs eagerly, as Keras has it.
    """
    return bool(keras.backend.backend() == "jax")
