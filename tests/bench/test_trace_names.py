"""What names mean. Every rule of a table decides at least one of the examples here."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import trace_names
from bench.profile_schema import KINDS, STAGES
from bench.trace_names import (
    ITERATOR_RULES,
    KIND_RULES,
    STAGE_RULES,
    Rule,
    is_operation,
    iterator_stage,
    kind_of,
    shown,
    stage_of,
)

CALL = "StatefulPartitionedCall/"
TAPE = f"{CALL}gradient_tape/functional_1/cnn_1"
MODEL = f"{CALL}functional_1/cnn_1"

KIND_EXAMPLES = (
    (f"{CALL}m_1/random_zoom_1/ImageProjectiveTransformV3:ImageProjectiveTransformV3", 0),
    (f"{CALL}m_1/augmentation/Mul:Mul", 0),
    (f"{CALL}m_1/resident_images_1/SelectV2:SelectV2", 1),
    (f"{CALL}adam/Square_3:Square", 2),
    (f"{CALL}adam_4/Cast_3:Cast", 2),
    (f"{CALL}sgd/AssignSubVariableOp:AssignSubVariableOp", 2),
    (f"{CALL}loss_scale_optimizer/Mul:Mul", 2),
    (f"{MODEL}/batch_normalization_2_1/batchnorm/mul_1:Mul", 3),
    (f"{MODEL}/batch_normalization_1/AssignVariableOp:AssignVariableOp", 3),
    (f"{MODEL}/bn/FusedBatchNormV3:_FusedBatchNormEx", 4),
    (f"{MODEL}/conv2d_4_1/Relu:_MklNativeFusedConv2D", 5),
    (f"{TAPE}/conv2d_1/convolution/Conv2DBackpropInput:_MklNativeConv2DBackpropInput", 5),
    (f"{MODEL}/depthwise/depthwise:DepthwiseConv2dNative", 5),
    (f"{TAPE}/max_pooling2d_1/MaxPool2d/MaxPoolGrad:_MklNativeMaxPoolGrad", 6),
    (f"{MODEL}/global_average_pooling2d_1/Mean:Mean", 7),
    (f"{TAPE}/dense_1/MatMul/MatMul_1:_MklMatMul", 8),
    (f"{MODEL}/dense_1/BiasAdd:_MklNativeFusedMatMul", 8),
    (f"{TAPE}/dense_1/ReluGrad:ReluGrad", 9),
    (f"{MODEL}/dense_1/Softmax:_MklSoftmax", 9),
    (f"{MODEL}/flatten/Transpose:Transpose", 10),
    (f"{CALL}Cast_1:Cast", 10),
    (f"{CALL}arg0:_Recv", 11),
    (f"{CALL}AssignAddVariableOp_1:AssignAddVariableOp", 12),
    (f"{CALL}update:ResourceApplyGradientDescent", 12),
    (f"{TAPE}/conv2d_1_2/BiasAdd/BiasAddGrad:BiasAddGrad", 13),
    (f"{TAPE}/dense_1/BiasAdd/BiasAddGrad:BiasAddGrad", 14),
)
OF_NO_KIND = (
    f"{CALL}AddN_9:AddN",
    f"{MODEL}/dropout_1/stateless_dropout/stateless_random_uniform/Mul:Mul",
    f"{MODEL}/dropout_1/random_uniform/RandomUniform:RandomUniform",
    f"{CALL}loss/SparseSoftmaxCrossEntropyWithLogits:SparseSoftmaxCrossEntropyWithLogits",
)
STAGE_EXAMPLES = (
    ("random_zoom_1/strided_slice:StridedSlice", 0),
    ("random_flip_1/Cast:Cast", 0),
    ("fused_augmentation_1/clip:Maximum", 0),
    ("projection:ImageProjectiveTransformV3", 1),
    ("ReadFile:ReadFile", 2),
    ("decode_image/DecodeImage:DecodeImage", 3),
    ("scaled/ResizeBilinear:ResizeBilinear", 4),
    ("PyFunc:PyFunc", 5),
    ("EagerPyFunc:EagerPyFunc", 5),
    ("ArithmeticOptimizer/ReorderCastLikeAndValuePreserving_float_Cast:Cast", 6),
)
ITERATOR_EXAMPLES = (
    ("Iterator::Root::Prefetch::BatchV2", 0),
    ("Iterator::Root::BatchV2::ParallelMapV2::Shuffle", 1),
    ("Iterator::Root::BatchV2::MemoryCache", 2),
)


@pytest.mark.parametrize(("name", "rule"), KIND_EXAMPLES)
def test_a_model_operation_has_a_kind(name: str, rule: int) -> None:
    assert kind_of(name) == KIND_RULES[rule].name


@pytest.mark.parametrize("name", OF_NO_KIND)
def test_a_model_operation_of_no_kind_is_other(name: str) -> None:
    assert kind_of(name) == "other"


@pytest.mark.parametrize(("name", "rule"), STAGE_EXAMPLES)
def test_an_operation_without_scope_has_the_stage_of_what_it_is(name: str, rule: int) -> None:
    assert stage_of(name) == STAGE_RULES[rule].name


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("read/ReadFile:ReadFile", "read"),
        ("read/PyFunc:PyFunc", "read"),
        ("read/EagerPyFunc:EagerPyFunc", "read"),
        ("resize/cond/Cast:Cast", "resize"),
        ("convert/Cast:Cast", "convert"),
        ("augment/random_zoom_1/Sub:Sub", "augment"),
        (f"{CALL}decode/Mul:Mul", "decode"),
    ],
)
def test_a_scope_of_ours_goes_before_what_the_operation_is(name: str, stage: str) -> None:
    assert stage_of(name) == stage


@pytest.mark.parametrize("name", ["All:All", "cache:Mul", "strided_slice:StridedSlice"])
def test_a_name_that_does_not_tell_has_no_stage(name: str) -> None:
    assert stage_of(name) is None


@pytest.mark.parametrize(("name", "rule"), ITERATOR_EXAMPLES)
def test_an_iterator_that_works_has_a_stage(name: str, rule: int) -> None:
    assert iterator_stage(name) == ITERATOR_RULES[rule].name


@pytest.mark.parametrize(
    "last",
    ["Root", "Prefetch", "Map", "ParallelMapV2", "MapAndBatch", "ParallelBatch", "FlatMap"],
)
def test_an_iterator_that_only_waits_has_none(last: str) -> None:
    assert iterator_stage(f"Iterator::Root::BatchV2::{last}") is None


def test_an_iterator_is_told_by_its_last_name() -> None:
    assert iterator_stage("Iterator::Root::FlatMap[0]::Generator") is None
    assert iterator_stage("Iterator::Root::FlatMap[0]::Batch[2]") == "batch"


@pytest.mark.parametrize(
    "name",
    [
        "IteratorGetNextOp::DoCompute",
        "ExecutorState::Process",
        "EagerLocalExecute: OptionalHasValue",
        "DecodeImageV2Op::JPEG",
        "MemoryAllocation",
        "Iterator::Root::BatchV2",
        "augment",
        "a:b:C",
    ],
)
def test_what_is_no_operation(name: str) -> None:
    assert not is_operation(name)


@pytest.mark.parametrize("name", ["ReadFile:ReadFile", "a/b_1:_MklMatMul", "x:Addons>Gelu"])
def test_what_is_an_operation(name: str) -> None:
    assert is_operation(name)


def test_names_are_shown_without_what_all_have() -> None:
    assert shown(f"{CALL}adam/Mul:Mul") == "adam/Mul:Mul"


@pytest.mark.parametrize(
    ("rules", "examples", "names"),
    [
        (KIND_RULES, KIND_EXAMPLES, KINDS),
        (STAGE_RULES, STAGE_EXAMPLES, STAGES),
        (ITERATOR_RULES, ITERATOR_EXAMPLES, STAGES),
    ],
    ids=["kinds", "stages", "iterators"],
)
def test_every_rule_has_an_example_and_a_name_of_the_schema(
    rules: Sequence[Rule], examples: Sequence[tuple[str, int]], names: Sequence[str]
) -> None:
    assert {rule for _, rule in examples} == set(range(len(rules)))
    assert {rule.name for rule in rules} <= set(names)


@pytest.mark.parametrize("module", ["trace_names", "trace_work", "trace_steps", "trace_summary"])
def test_the_arithmetic_needs_no_xprof(module: str) -> None:
    source = Path(trace_names.__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    froms = [node.module for node in ast.walk(ast.parse(source)) if hasattr(node, "module")]
    assert not {"xprof.profile_data", "xprof.convert", "bench.xplane"} & set(froms)
