from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from leafmodel.training.executing import model_class, precision
from leafmodel.training.execution import AS_USUAL, Execution, Precision

MIXED = Execution(precision=Precision.MIXED_BFLOAT16)
COMPILED = Execution(jit_compile=True)


def test_layers_compute_in_the_precision_and_keep_float32_weights() -> None:
    with precision(MIXED):
        layer = keras.layers.Dense(2)
    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")
    assert keras.layers.Dense(2).compute_dtype == "float32"


def test_the_policy_is_as_before_behind_an_error() -> None:
    before = keras.config.dtype_policy()
    with pytest.raises(KeyError), precision(MIXED):
        raise KeyError
    assert keras.config.dtype_policy() == before


def test_as_usual_the_class_stays_as_it_is() -> None:
    assert model_class(AS_USUAL) is keras.Model


def _model(execution: Execution) -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    model = model_class(execution)(inputs, keras.layers.Dense(2, activation="softmax")(inputs))
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    return model


def test_a_compiled_step_is_compiled_and_learns_the_same() -> None:
    images = np.random.default_rng(0).normal(size=(10, 6)).astype(np.float32)
    labels = np.arange(10) % 2
    usual, compiled = _model(AS_USUAL), _model(COMPILED)
    for model in (usual, compiled):
        model.fit(images, labels, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for expected, found in zip(usual.get_weights(), compiled.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    data = (tf.constant(images[:4]), tf.constant(labels[:4]))
    graph = tf.function(compiled.train_step).get_concrete_function(data).graph.as_graph_def()
    assert any(function.attr["_XlaMustCompile"].b for function in graph.library.function)
