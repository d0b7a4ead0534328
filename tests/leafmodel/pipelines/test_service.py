"""The pipeline of a tf.data service, with a real dispatcher and a real worker process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from leafmodel.data.folder import ImageFile
from leafmodel.errors import PipelineError
from leafmodel.pipelines import service
from leafmodel.pipelines.build import build
from leafmodel.pipelines.facts import ProofStatus
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.proof import prove
from leafmodel.pipelines.resident import decode_all
from leafmodel.pipelines.spec import Augment, Delivers, PipelineSpec
from leafmodel.service import watch

Given = Callable[..., PipelineInput]

SPEC = PipelineSpec(
    map_parallelism=2,
    prefetch=2,
    augment=Augment.NONE,
    delivers=Delivers.UINT8,
    service_workers=1,
)


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch would end the process of the tests with the service that they end."""
    monkeypatch.setattr(watch, "begin", lambda _: threading.Event())


def _numbered(inputs: PipelineInput) -> PipelineInput:
    return replace(inputs, files=tuple(replace(f, label=n) for n, f in enumerate(inputs.files)))


def test_every_epoch_has_each_image_once_in_an_order_of_its_own(given: Given) -> None:
    inputs = _numbered(given())
    expected = decode_all(inputs)
    pipeline = build(SPEC, inputs)
    orders = []
    for _ in range(2):
        order: list[int] = []
        for images, numbers in pipeline.drain():
            np.testing.assert_array_equal(np.asarray(images), expected[np.asarray(numbers)])
            order += np.asarray(numbers).tolist()
        orders.append(order)
    assert [sorted(order) for order in orders] == [list(range(10))] * 2
    assert orders[0] != orders[1]
    assert int(pipeline.dataset.cardinality()) == 3


def test_it_is_proved_to_be_what_it_says_and_says_what_it_does_not_promise(given: Given) -> None:
    proof = prove(SPEC.evolve(delivers=Delivers.FLOAT32, augment=Augment.MODEL), given())
    failed = [check for check in proof.checks if check.status is ProofStatus.FAILED]
    assert failed == []
    found = {c.check: c.found for c in proof.checks if c.status is ProofStatus.DIFFERS}
    assert found.keys() == {"sharding promise", "hidden prefetch"}
    assert "none twice" in found["sharding promise"]
    assert proof.stages[:3] == ("slices", "map(decode, 2 calls)", "batch")  # what the worker does


def test_a_file_that_a_worker_cannot_read_is_an_error_about_its_machine(given: Given) -> None:
    inputs = given()
    gone = ImageFile(inputs.files[0].path.with_name("gone.jpg"), 0)
    pipeline = build(SPEC, replace(inputs, files=(*inputs.files, gone)))
    with (
        pytest.raises(PipelineError, match=r"gone\.jpg.*under the same path on every machine"),
        service.explained(SPEC),
    ):
        list(pipeline.drain())


def _five_of_seven() -> object:
    short = tf.data.Dataset.range(5).apply(tf.data.experimental.assert_cardinality(7))
    return list(short)


def test_an_epoch_that_lacks_images_says_how_many() -> None:
    with (
        pytest.raises(PipelineError, match="Expected 7 images in an epoch, found 5"),
        service.explained(SPEC),
    ):
        _five_of_seven()


def test_a_service_of_another_tensorflow_is_told_by_its_version() -> None:
    said = (
        "Version mismatch with tf.data service server. The server is running version 8, while the "
        "client is running version 9. Please ensure that the client and server side are alike."
    )
    with (
        pytest.raises(PipelineError, match=rf"of version 9, .*{tf.__version__}.*found version 8: "),
        service.explained(SPEC),
    ):
        raise tf.errors.UnknownError(None, None, f"FailedPreconditionError: {said}")


def test_errors_of_the_service_without_a_sentence_stay_what_they_are() -> None:
    with pytest.raises(tf.errors.ResourceExhaustedError), service.explained(SPEC):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")


def test_errors_of_other_pipelines_are_left_alone() -> None:
    with (
        pytest.raises(tf.errors.OpError, match="expected to contain 7"),
        service.explained(SPEC.evolve(service_workers=0)),
    ):
        _five_of_seven()
