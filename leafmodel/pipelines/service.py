"""Images that the worker processes of a tf.data service read and decode, here or elsewhere.

The process that trains draws an order of all files for each epoch, as `tf_data` does, and registers
an epoch's work with the service: paths in that order, decode, batch. Workers ask the dispatcher for
one path after the other (`ShardingPolicy.DYNAMIC`), and the batches that come back, in whatever
order, are cut into images again, counted, and batched anew: workers end an epoch with batches of
any size. A shuffle within the workers would not do: each would fill its buffer with all the paths
it can get, and draw the same order in every epoch.

Bytes travel, uncompressed: decoded photographs hardly shrink. The cast follows where they arrive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from leafmodel.errors import PipelineError
from leafmodel.pipelines import tf_data
from leafmodel.pipelines.front import front
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.spec import Delivers, PipelineSpec
from leafmodel.service.own import service_address
from leafmodel.service.server import PROTOCOL

REQUESTS_A_WORKER = 2  # batches asked for ahead of need
_MISSING = re.compile(r"expected to contain (\d+) elements but contained only (\d+)")
_UNLIKE = re.compile(r"server is running version (\d+), while the client is running version (\d+)")

Remote = Callable[[NDArray[np.int64]], Any]


def build(spec: PipelineSpec, given: PipelineInput) -> Pipeline:
    """Batches of all images, decoded by the service, as uint8 or cast to float32 in 0-255.

    An epoch in which images get lost ends in an error of TensorFlow's (see `explained`).

    Raises:
        ServiceError: the service does not answer, has other workers, or could not begin.
    """
    address = service_address(spec.service_workers, given.service)
    count, calls = len(given.files), tf_data.parallel_calls(spec.map_parallelism)
    remote = remote_work(spec, given)
    # `take` ends the epoch with its last image: the service says that it is done a second later.
    dataset = images(spec, given, address).take(count)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count)).batch(given.batch_size)
    if spec.delivers is Delivers.FLOAT32:
        dataset = dataset.map(_cast, num_parallel_calls=calls)
    if spec.prefetch:
        dataset = dataset.prefetch(spec.prefetch)
    dataset = dataset.with_options(tf_data.options(spec))
    return Pipeline(
        source=dataset,
        front=front(spec, given.seed),
        drain=lambda: iter(dataset),
        dataset=dataset,
        remote=remote(np.arange(count)),
    )


def _cast(batch: Any, labels: Any) -> tuple[Any, Any]:
    with tf.name_scope("convert"):
        return tf.cast(batch, tf.float32), labels


def remote_work(spec: PipelineSpec, given: PipelineInput) -> Remote:
    """What the service does in an epoch with this order of the files: uint8 images and labels."""
    paths, labels = np.array(given.paths), np.array(given.labels, np.int32)

    def decode(path: Any, label: Any) -> tuple[Any, Any]:
        return tf_data.decode_image(path, given.image_size, spec.resize, spec.decode), label

    def work(order: NDArray[np.int64]) -> Any:
        ordered = tf.constant(paths[order].tolist(), tf.string), tf.constant(labels[order])
        return (
            tf.data.Dataset.from_tensor_slices(ordered)
            .map(decode, num_parallel_calls=tf_data.parallel_calls(spec.map_parallelism))
            .batch(given.batch_size)
            .with_options(tf_data.options(spec))
        )

    return work


def images(spec: PipelineSpec, given: PipelineInput, address: str, sharding: Any = None) -> Any:
    """An epoch's single images as they come from the service: uint8, and their labels.

    Each iteration is an epoch of its own: an order of its own, and a job that nobody else can join.

    Args:
        sharding: a `ShardingPolicy`; None is `DYNAMIC`.
    """
    count, service = len(given.files), f"{PROTOCOL}://{address}"
    remote = remote_work(spec, given)
    element_spec = remote(np.arange(count)).element_spec
    tf_service = tf.data.experimental.service
    policy = tf_service.ShardingPolicy.DYNAMIC if sharding is None else sharding

    def register(order: NDArray[np.int64]) -> Any:
        return tf_service.register_dataset(service, remote(order), compression=None).numpy()

    def served(order: Any) -> Any:
        dataset_id = tf.numpy_function(register, [order], tf.string)
        dataset_id.set_shape(())
        batches = tf_service.from_dataset_id(
            policy,
            service,
            dataset_id,
            element_spec=element_spec,
            max_outstanding_requests=REQUESTS_A_WORKER * spec.service_workers,
        )
        return batches.unbatch()

    order = tf.data.Dataset.range(count)
    order = order.shuffle(count, seed=given.seed, reshuffle_each_iteration=True).batch(count)
    return order.flat_map(served)


@contextmanager
def explained(spec: PipelineSpec) -> Iterator[None]:
    """Errors that reach whoever iterates the pipeline of `spec`, as sentences.

    Raises:
        PipelineError: an epoch lacks images, a worker cannot read a file, or the service is of
            another version.
    """
    try:
        yield
    except tf.errors.NotFoundError as error:
        if not spec.service_workers:
            raise
        raise PipelineError(
            f"A file could not be read: {_first_line(error)}. Images must lie under the same path "
            "on every machine where a worker of the tf.data service runs (on a shared disk, say), "
            "readable for the user who started it."
        ) from error
    except tf.errors.OpError as error:
        sentence = _sentence(str(error)) if spec.service_workers else ""
        if not sentence:
            raise
        raise PipelineError(sentence) from error


def _sentence(said: str) -> str:
    """What an error of TensorFlow's means for a service's user; empty if it is about others."""
    if missing := _MISSING.search(said):
        return (
            f"Expected {missing[1]} images in an epoch, found {missing[2]}: a worker of the "
            "tf.data service ended with some of them. Dynamic sharding repeats none and gives none "
            "back: start the worker again, and run again."
        )
    if unlike := _UNLIKE.search(said):
        return (
            f"Expected a tf.data service of version {unlike[2]}, that of the TensorFlow here "
            f"({tf.__version__}), found version {unlike[1]}: install the same TensorFlow where the "
            "service runs, and start its parts again."
        )
    return ""


def _first_line(error: tf.errors.OpError) -> str:
    return str(error.message).strip().splitlines()[0]
