"""Proof, before it is timed, that a pipeline is what its spec says: from its graph and its output.

The output is followed file by file: the pipeline is built once more with every label replaced by
the file's number, so that what arrives tells which file it was, whichever loader read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter
from numpy.typing import NDArray

from leafmodel.data.folder import ImageFile
from leafmodel.pipelines.build import build
from leafmodel.pipelines.checks import (
    form_checks,
    graph_checks,
    hidden_checks,
    service_checks,
    verdict,
    worker_checks,
)
from leafmodel.pipelines.facts import ProofCheck, ProofStatus
from leafmodel.pipelines.front import CastImages
from leafmodel.pipelines.graph import Stage, layer_resamplings, stages
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.resident import ResidentImages, decode_all
from leafmodel.pipelines.spec import Augment, Decode, Loader, PipelineSpec, Resize

MOST_FILES = 256  # enough to see an order and a missing file; keeps a proof to seconds
MOST_AUGMENTED = 48
PIXEL_TOLERANCE = 2.0  # grey levels of 255; Pillow and TensorFlow decode a JPEG up to 1 apart
# Grey levels, mean over an image. A JPEG scaled while it is decoded is smoother than one that is
# resized by bilinear interpolation, which skips pixels; another image is tens away.
MOST_SMOOTHED = 24.0
AUGMENTED_CHANGE = 2.0  # grey levels; a claim-strength augmentation moves an image by tens


@dataclass(frozen=True)
class Proof:
    """Everything found about one pipeline."""

    stages: tuple[str, ...]
    checks: tuple[ProofCheck, ...]
    images_checked: int


def prove(spec: PipelineSpec, given: PipelineInput) -> Proof:
    """Build the pipeline over a sample of the files; check graph, files, pixels, augmentation."""
    sample = replace(given, files=tuple(given.files)[:MOST_FILES])
    pipeline = build(spec, replace(sample, work=given.work / "proof"))
    remote, dataset = _timed_datasets(spec, given, pipeline)
    found = tuple(stage for part in (remote, dataset) if part is not None for stage in stages(part))
    checks = (
        *graph_checks(spec, found, len(given.files)),
        *worker_checks(spec, pipeline.workers),
        *hidden_checks(spec, dataset, found),
        *service_checks(spec),
        *form_checks(spec, _resamplings(found, pipeline, given.image_size)),
        *_delivery_checks(spec, pipeline, sample),
        *_file_checks(spec, sample),
        _augmentation_check(spec, pipeline, sample),
    )
    return Proof(tuple(map(str, found)), checks, len(sample.files))


def _timed_datasets(spec: PipelineSpec, given: PipelineInput, sampled: Pipeline) -> tuple[Any, Any]:
    """The data set that `fit` will iterate, to read its graph, and what a service runs before it.

    Over all files, since a shuffle buffer may cover no more than a sample. For a generator it is
    what Keras makes of it, which is none outside TensorFlow; what lies on the device would fill it,
    so a sample must do.
    """
    if spec.loader in (Loader.IMAGE_DATA_GENERATOR, Loader.PY_DATASET):
        on_tensorflow = keras.backend.backend() == "tensorflow"
        return None, PyDatasetAdapter(sampled.source).get_tf_dataset() if on_tensorflow else None
    if spec.is_on_device:
        return None, sampled.dataset
    whole = build(spec, replace(given, work=given.work / "whole"))
    return whole.remote, whole.dataset


def _resamplings(found: Sequence[Stage], pipeline: Pipeline, image_size: int) -> int:
    """How often an image is resampled to augment it, in the data set's maps and in the model."""
    in_maps = sum(stage.resamplings for stage in found)
    return in_maps + layer_resamplings(_augmenting(pipeline), image_size)


def _augmenting(pipeline: Pipeline) -> Sequence[Any]:
    """The Keras layers that augment in the model."""
    if pipeline.features is not None:
        return pipeline.features.augmentation
    delivering = (ResidentImages, CastImages)
    return [layer for layer in pipeline.front if not isinstance(layer, delivering)]


def _numbered(sample: PipelineInput, folder: str) -> PipelineInput:
    """The same files, each with its own number as label."""
    files = tuple(ImageFile(file.path, number) for number, file in enumerate(sample.files))
    names = tuple(f"{number:06d}" for number in range(len(files)))
    return replace(sample, files=files, class_names=names, work=sample.work / folder)


def _epochs(
    pipeline: Pipeline, sample: PipelineInput
) -> Iterator[Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]]:
    """Two epochs, each as batches of images (those on the device looked up) and labels."""
    lookup = next((item for item in pipeline.front if isinstance(item, ResidentImages)), None)
    if pipeline.features is not None:
        lookup = pipeline.features.attach(_sees_images(sample.image_size))
    for epoch in range(2):
        for callback in pipeline.callbacks:
            callback.on_epoch_begin(epoch)
        yield (
            (
                _looked_up(lookup, np.asarray(batch)),
                np.asarray(labels, np.int64),
            )
            for batch, labels in pipeline.drain()
        )


def _looked_up(lookup: Any, batch: NDArray[Any]) -> NDArray[np.float32]:
    images = batch if lookup is None else keras.ops.convert_to_numpy(lookup(batch))
    return np.asarray(images, np.float32)


def _sees_images(image_size: int) -> Any:
    """A backbone whose features are the image itself, to look into a cache of features."""
    images = keras.Input((image_size, image_size, 3))
    return keras.Model(images, keras.layers.Identity()(images))


def _delivery_checks(
    spec: PipelineSpec, pipeline: Pipeline, sample: PipelineInput
) -> tuple[ProofCheck, ...]:
    """The labels of an epoch, and the type of its images where it delivers any."""
    types, labels = set(), []
    for images, batch in pipeline.drain():
        types.add(np.asarray(images).dtype.name)
        labels.append(np.asarray(batch))
    label_check = _label_check(np.concatenate(labels), sample)
    if spec.is_on_device:
        return (label_check,)
    remedy = "cast in the pipeline for float32, in the model for uint8, as the spec names it"
    expected, found = str(spec.delivers), ", ".join(sorted(types))
    return label_check, verdict("type of delivered images", expected, found, remedy)


def _label_check(delivered: NDArray[Any], sample: PipelineInput) -> ProofCheck:
    classes = len(sample.class_names)
    expected = np.bincount(sample.labels, minlength=classes)
    found = np.bincount(delivered.astype(int), minlength=classes)
    return verdict(
        "labels per epoch",
        expected.tolist(),
        found.tolist(),
        "the loader must give each file the label of the split",
    )


def _file_checks(spec: PipelineSpec, sample: PipelineInput) -> tuple[ProofCheck, ...]:
    numbered = _numbered(sample, "numbered")
    pipeline = build(spec.without_augmentation(), numbered)
    reference = decode_all(numbered)
    means = np.full(len(numbered.files), np.nan)
    apart = np.full(len(numbered.files), np.nan)
    orders = []
    for batches in _epochs(pipeline, numbered):
        order: list[int] = []
        for images, numbers in batches:
            means[numbers] = images.mean(axis=(1, 2, 3))
            apart[numbers] = np.abs(images - reference[numbers]).mean(axis=(1, 2, 3))
            order += numbers.tolist()
        orders.append(order)
    checks = [*_order_checks(orders, len(numbered.files)), _pixel_check(spec, means, reference)]
    if spec.decode is Decode.TARGET:
        checks.append(_decode_check(apart))
    return tuple(checks)


def _order_checks(orders: Sequence[list[int]], files: int) -> tuple[ProofCheck, ...]:
    whole = [sorted(order) == list(range(files)) for order in orders]
    same = orders[0] == orders[1]
    return (
        ProofCheck(
            "every file once an epoch",
            ProofStatus.OK if all(whole) else ProofStatus.FAILED,
            f"{files} files, each once, in two epochs",
            ", ".join(f"{len(order)} delivered, {len(set(order))} distinct" for order in orders),
            "" if all(whole) else "deliver each file of the split exactly once an epoch",
        ),
        ProofCheck(
            "another order in the next epoch",
            ProofStatus.FAILED if same and files > 1 else ProofStatus.OK,
            "two orders",
            "the same order twice" if same else "two orders",
            "shuffle anew each epoch (reshuffle_each_iteration, and behind any cache)"
            if same
            else "",
        ),
    )


def _pixel_check(
    spec: PipelineSpec, means: NDArray[np.float64], reference: NDArray[np.uint8]
) -> ProofCheck:
    expected = reference.astype(np.float32).mean(axis=(1, 2, 3))
    worst = float(np.abs(means - expected).max())
    close = worst <= PIXEL_TOLERANCE  # False for NaN, an image that never came
    on_purpose = spec.resize is not Resize.BILINEAR and np.isfinite(worst)
    status = ProofStatus.OK if close else ProofStatus.DIFFERS if on_purpose else ProofStatus.FAILED
    return ProofCheck(
        "pixels before augmentation",
        status,
        f"each image's mean within {PIXEL_TOLERANCE:g} grey level of a {Resize.BILINEAR} reference",
        f"at most {worst:.3f} grey levels away ({spec.resize} resize)",
        "" if close else "resize images beforehand, or choose the same resize for all variants",
    )


def _decode_check(apart: NDArray[np.float64]) -> ProofCheck:
    """How far images that were scaled while being decoded are from those decoded whole."""
    worst = float(apart.max())
    status = ProofStatus.FAILED
    if worst <= MOST_SMOOTHED:  # False for NaN, an image that never came
        status = ProofStatus.DIFFERS if worst else ProofStatus.OK
    remedies = {
        ProofStatus.OK: "",
        ProofStatus.DIFFERS: "none: it is what decoding to the target means; compare its accuracy",
        ProofStatus.FAILED: "scale by 1/2, 1/4 or 1/8 to no less than the target, then resize",
    }
    return ProofCheck(
        "pixels of decoding to the target",
        status,
        f"as decoded whole; no image more than {MOST_SMOOTHED:g} grey levels away on average",
        f"at most {worst:.2f} grey levels away on average",
        remedies[status],
    )


def _augmentation_check(
    spec: PipelineSpec, pipeline: Pipeline, sample: PipelineInput
) -> ProofCheck:
    small = replace(sample, files=tuple(sample.files)[:MOST_AUGMENTED])
    measure: dict[Augment, Callable[[], float]] = {
        Augment.NONE: lambda: _change_in_pipeline(spec, small),
        Augment.PIPELINE: lambda: _change_in_pipeline(spec, small),
        Augment.MODEL: lambda: _change_in_model(pipeline, small),
    }
    in_features = pipeline.features is not None
    change = _change_in_pipeline(spec, small) if in_features else measure[spec.augment]()
    expected = spec.augment is not Augment.NONE
    varies = change >= AUGMENTED_CHANGE
    return ProofCheck(
        "augmentation differs between epochs",
        ProofStatus.OK if varies == expected else ProofStatus.FAILED,
        f"{'differs' if expected else 'does not differ'} (augment={spec.augment})",
        f"the same file differs by {change:.1f} grey levels between two epochs",
        "" if varies == expected else "draw new random numbers for each image in each epoch",
    )


def _change_in_pipeline(spec: PipelineSpec, small: PipelineInput) -> float:
    """Median over files of the mean absolute difference between two epochs' images."""
    numbered = _numbered(small, "augmented")
    epochs = []
    for batches in _epochs(build(spec, numbered), numbered):
        images: dict[int, NDArray[np.float32]] = {}
        for batch, numbers in batches:
            images |= dict(zip(numbers.tolist(), batch, strict=True))
        epochs.append(images)
    first, second = epochs
    return float(np.median([np.abs(first[n] - second[n]).mean() for n in first]))


def _change_in_model(pipeline: Pipeline, small: PipelineInput) -> float:
    """The same for the front layers that augment in the model."""
    images = keras.ops.convert_to_tensor(decode_all(small), "float32")
    layers = _augmenting(pipeline)
    passes = []
    for _ in range(2):
        x = images
        for layer in layers:
            x = layer(x, training=True)
        passes.append(keras.ops.convert_to_numpy(x))
    change = np.abs(passes[0] - passes[1]).mean(axis=(1, 2, 3))
    return float(np.median(change))
