"""What a tf.data pipeline consists of, read from the data set's own serialised graph.

A name ("prefetch") and a builder can lie; the graph is what tf.data runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2

_DATASET = "Dataset"
_CALLS_INPUT_FROM_END = 1
_RESAMPLING = "ImageProjectiveTransform"
_RANDOM_OPS = ("Random", "Multinomial", _RESAMPLING)


@dataclass(frozen=True)
class Stage:
    """One stage of a pipeline.

    Attributes:
        kind: `map`, `cache`, `shuffle`, `batch`, `prefetch`, `slices`, ... in lower case.
        work: what a map does: `decode`, `augment`, `python`, `cast`; `file` for a cache in a file;
            empty for other stages.
        calls: calls in flight of a map: 1 sequential, -1 autotuned; None for other stages.
        buffer: elements that a shuffle or prefetch holds, -1 autotuned; None for other stages.
        resamplings: how often a map moves an image's pixels to places in between, to augment it.
    """

    kind: str
    work: str = ""
    calls: int | None = None
    buffer: int | None = None
    resamplings: int = 0

    def __str__(self) -> str:
        details = [self.work] if self.work else []
        if self.calls is not None:
            details.append(f"{_count(self.calls)} calls" if self.calls != 1 else "sequential")
        if self.buffer is not None:
            details.append(f"buffer {_count(self.buffer)}")
        return f"{self.kind}({', '.join(details)})" if details else self.kind


def _count(value: int) -> str:
    return "autotuned" if value == -1 else str(value)


def stages(dataset: Any) -> tuple[Stage, ...]:
    """The stages of a `tf.data.Dataset`, in the order that data takes."""
    serialised = dataset._as_serialized_graph().numpy()  # the only way tf.data offers to see it
    graph = graph_pb2.GraphDef.FromString(serialised)
    nodes = {node.name: node for node in graph.node}
    functions = {function.signature.name: function for function in graph.library.function}
    found = [_stage(node, nodes, functions) for node in graph.node if _DATASET in node.op]
    return tuple(stage for stage in found if stage.kind != "options")


def _stage(node: Any, nodes: Any, functions: Any) -> Stage:
    kind = node.op.partition(_DATASET)[0]
    if kind in ("Map", "ParallelMap"):
        ops = _ops(node.attr["f"].func.name, functions)
        calls = 1
        if kind == "ParallelMap":
            calls = _constant(nodes[node.input[len(node.input) - _CALLS_INPUT_FROM_END]])
        return Stage("map", work=_work(ops), calls=calls, resamplings=_resamplings(ops))
    if kind == "Cache":
        return Stage("cache", work="file" if _text(nodes[node.input[1]]) else "")
    if kind in ("Shuffle", "Prefetch"):
        return Stage(kind.lower(), buffer=_constant(nodes[node.input[1]]))
    return Stage("slices" if kind == "TensorSlice" else kind.lower())


def _constant(node: Any) -> int:
    return int(tf.make_ndarray(node.attr["value"].tensor))


def _text(node: Any) -> str:
    return str(tf.make_ndarray(node.attr["value"].tensor).item().decode())


def _ops(function_name: str, functions: Any) -> Counter[str]:
    """How many of each operation are in a function and in the functions that it calls."""
    seen: set[str] = set()
    names: Counter[str] = Counter()
    todo = [function_name]
    while todo:
        name = todo.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for op in functions[name].node_def:
            names[op.op] += 1
            for value in op.attr.values():
                called = [value.func] if value.HasField("func") else value.list.func
                todo += [function.name for function in called]
    return names


def layer_resamplings(layers: Sequence[Any], image_size: int) -> int:
    """How often these layers resample an image in training, from the graph that they become."""

    def augment(images: Any) -> Any:
        for layer in layers:
            images = layer(images, training=True)
        return images

    batch = tf.TensorSpec((None, image_size, image_size, 3), tf.float32)
    graph = tf.function(augment).get_concrete_function(batch).graph.as_graph_def()
    nodes = [*graph.node, *(n for function in graph.library.function for n in function.node_def)]
    return _resamplings(Counter(node.op for node in nodes))


def _resamplings(ops: Counter[str]) -> int:
    return sum(count for op, count in ops.items() if op.startswith(_RESAMPLING))


def _work(ops: Counter[str]) -> str:
    decodes = any(op.startswith("Decode") for op in ops)
    augments = any(mark in op for op in ops for mark in _RANDOM_OPS)
    python = any("PyFunc" in op for op in ops)
    does = (("decode", decodes), ("augment", augments), ("python", python))
    named = [name for name, holds in does if holds]
    return "+".join(named) or "cast"
