"""What the names in a profiler's trace mean: which are operations, and of which stage or kind.

Every rule is a line of a table, tried in order; the first that fits decides. The names are those
of TensorFlow 2.20 and later; see `Rule` for how one is written.

    stage_of("decode/decode_image/DecodeImage:DecodeImage")  "decode"
    kind_of("StatefulPartitionedCall/cnn_1/conv2d_1/Relu:_MklNativeFusedConv2D")  "convolution"
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

from bench.profile_schema import STAGES

STEP = "train"
STEP_NUMBER = "step_num"
WAIT = "IteratorGetNextOp::DoCompute"
ITERATOR = "Iterator::"
# A generator's own event around its augmentation, which no operation's name gives away.
AUGMENT_MARKER = "augment"
OTHER = "other"
# TensorFlow puts it before the name of every operation of a function that another one calls.
CALL_PREFIX = "StatefulPartitionedCall/"

# `path:OpType`, not `Class::method`, nor the `EagerLocalExecute: name` of the eager runtime.
_OPERATION = re.compile(r"[^:\s]+:_?[A-Z][\w>]*")
# An iterator of several branches has its index behind its name: `FlatMap[0]`.
_INDEX = re.compile(r"\[\d+\]$")
_NUMBER = r"(_\d+)*"
_AUGMENTATION = r"(fused_)?augment.*|random_(?!uniform|normal).+"


class Rule(NamedTuple):
    """`pattern` must be the whole operation type (`op`), or the whole of any one path element."""

    name: str
    field: Literal["op", "path"]
    pattern: str


# Only where no scope of ours says it: Keras' own loaders, and traces of other programs.
STAGE_RULES = (
    Rule("augment", "path", _AUGMENTATION),
    Rule("augment", "op", r"ImageProjectiveTransformV\d"),
    Rule("read", "op", r"ReadFile"),
    Rule("decode", "op", r"Decode\w+"),
    Rule("resize", "op", r"Resize\w+|CropAndResize\w*"),
    Rule("python", "op", r"(Eager)?PyFunc(Stateless)?"),
    Rule("convert", "op", r"Cast"),
)
_OPTIMISERS = r"(loss_scale_)?optimizer|(nes|n)?adamw?|ada(grad|delta|max|factor)|rmsprop|sgd|ftrl"
_LAYER_NORMS = r"(batch|layer|group|unit|spectral|rms)_?normalization|normalization"
KIND_RULES = (
    Rule("augmentation", "path", _AUGMENTATION),
    Rule("copy", "path", rf"resident_images{_NUMBER}"),
    Rule("optimiser", "path", rf"({_OPTIMISERS}|lion|lamb|muon){_NUMBER}"),
    Rule("normalisation", "path", rf"({_LAYER_NORMS}){_NUMBER}"),
    Rule("normalisation", "op", r"_?\w*FusedBatchNorm\w*"),
    Rule("convolution", "op", r"\w*(Conv[123]D|DepthwiseConv)\w*"),
    Rule("pooling", "op", r"\w*Pool\w*"),
    Rule("pooling", "path", rf"(global_)?(average|max)_pooling\dd{_NUMBER}"),
    Rule("dense", "op", r"\w*(MatMul|Einsum)\w*"),
    Rule("activation", "op", r"\w*(Relu6?|Elu|Selu|Sigmoid|Tanh|Soft(plus|sign|max))(Grad)?"),
    Rule("copy", "op", r"Cast|Gather\w*|Transpose|Concat\w*|Identity\w*"),
    Rule("copy", "op", r"_(Host)?(Send|Recv)|Mem[Cc]py\w*"),
    Rule("optimiser", "op", r"Resource(Sparse)?Apply\w*|Assign\w*"),
    # What is left of a layer: its bias where that is not fused.
    Rule("convolution", "path", rf"(separable_|depthwise_)?conv\dd(_transpose)?{_NUMBER}"),
    Rule("dense", "path", rf"dense{_NUMBER}"),
)
# Iterators that work themselves. All others (maps, prefetch, generators, the root) hand on what
# other events show being made, or wait for it.
ITERATOR_RULES = (
    Rule("batch", "op", r"(Padded)?Batch\w*"),
    Rule("shuffle", "op", r"Shuffle\w*"),
    Rule("cache", "op", r"(Memory|File)?Cache\w*"),
)


@cache
def is_operation(name: str) -> bool:
    """Whether an event is a run of an operation's kernel."""
    return _OPERATION.fullmatch(name) is not None


@cache
def stage_of(name: str) -> str | None:
    """The pipeline stage of an operation; None where its name does not tell.

    A scope of ours (`read/PyFunc:PyFunc`) goes before what the operation is.
    """
    path, op = _split(name)
    if path[0] in STAGES and len(path) > 1:
        return path[0]
    return _first(STAGE_RULES, path, op)


@cache
def kind_of(name: str) -> str:
    """The kind of a model's operation, one of `KINDS`."""
    return _first(KIND_RULES, *_split(name)) or OTHER


@cache
def iterator_stage(name: str) -> str | None:
    """The stage that `Iterator::Root::…::Name` works at itself; None if it only waits."""
    last = _INDEX.sub("", name.rpartition("::")[2])
    return _first(ITERATOR_RULES, (), last)


def shown(name: str) -> str:
    """An operation's name as a reader wants it: without what every one begins with."""
    return name.removeprefix(CALL_PREFIX)


def _split(name: str) -> tuple[tuple[str, ...], str]:
    path, _, op = shown(name).rpartition(":")
    return tuple(path.split("/")), op


def _first(rules: Sequence[Rule], path: Sequence[str], op: str) -> str | None:
    return next((rule.name for rule in rules if _fits(rule, path, op)), None)


def _fits(rule: Rule, path: Sequence[str], op: str) -> bool:
    candidates = (op,) if rule.field == "op" else path
    return any(re.fullmatch(rule.pattern, candidate) for candidate in candidates)
