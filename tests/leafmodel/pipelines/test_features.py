"""Cached features: computed once, looked up rightly, turned by epoch."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from leafmodel.errors import PipelineError
from leafmodel.pipelines.build import build
from leafmodel.pipelines.facts import ProofStatus
from leafmodel.pipelines.features import FeatureCache
from leafmodel.pipelines.pipeline import Pipeline, PipelineInput
from leafmodel.pipelines.proof import prove
from leafmodel.pipelines.resident import decode_all
from leafmodel.pipelines.spec import Augment, AugmentForm, Loader, PipelineSpec
from leafmodel.training.phases import phase
from leafmodel.training.train import assemble

Given = Callable[..., PipelineInput]
ONCE = PipelineSpec(loader=Loader.FEATURES, augment=Augment.NONE, feature_passes=1)
TWICE = PipelineSpec(loader=Loader.FEATURES, augment=Augment.MODEL, feature_passes=2)
FUSED = TWICE.evolve(augment_form=AugmentForm.FUSED)


def mean_colour() -> keras.Model:
    images = keras.Input((16, 16, 3))
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(images))


def attached(spec: PipelineSpec, inputs: PipelineInput) -> tuple[Pipeline, FeatureCache]:
    pipeline = build(spec, inputs)
    assert isinstance(pipeline.features, FeatureCache)
    pipeline.features.attach(mean_colour())
    return pipeline, pipeline.features


def test_an_index_becomes_the_features_of_its_image(given: Given) -> None:
    inputs = given()
    _, cache = attached(ONCE, inputs)
    cache.on_epoch_begin(0)
    assert cache.layer is not None
    expected = decode_all(inputs).astype(np.float32).mean(axis=(1, 2))
    found = np.asarray(cache.layer(np.array([7, 2, 0])))
    np.testing.assert_allclose(found, expected[[7, 2, 0]], rtol=1e-5)


def test_epochs_take_the_augmented_passes_in_turn(given: Given) -> None:
    _, cache = attached(TWICE, given())
    assert cache.layer is not None
    seen = []
    for epoch in range(4):
        cache.on_epoch_begin(epoch)
        seen.append(np.asarray(cache.layer(np.arange(10))))
    assert np.abs(seen[0] - seen[1]).max() > 1
    np.testing.assert_array_equal(seen[0], seen[2])
    np.testing.assert_array_equal(seen[1], seen[3])


def test_the_proof_says_that_features_are_cached_on_purpose(given: Given) -> None:
    expected = (
        (ONCE, "features are computed once"),
        (TWICE, "2 augmented passes, taken in turn"),
        (FUSED, "2 augmented passes, taken in turn, each resampled once"),
    )
    for spec, what in expected:
        checks = {check.check: check for check in prove(spec, given()).checks}
        assert {c.status for c in checks.values()} == {ProofStatus.OK, ProofStatus.DIFFERS}
        assert checks["augmentation form"].found.endswith(what)
        assert checks["every file once an epoch"].status is ProofStatus.OK


def test_a_proof_catches_a_cache_that_mixes_up_its_images(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = FeatureCache._fill

    def shifted(self: FeatureCache, layer: keras.Layer) -> None:
        whole(self, layer)
        layer.features.assign(np.roll(np.asarray(layer.features), 1, axis=0))

    monkeypatch.setattr(FeatureCache, "_fill", shifted)
    checks = {check.check: check for check in prove(ONCE, given()).checks}
    assert checks["pixels before augmentation"].status is ProofStatus.FAILED


@pytest.mark.parametrize("name", ["cnn", "finetune"])
def test_a_phase_that_changes_its_features_is_refused(name: str, given: Given) -> None:
    inputs = given(image_size=32)
    with pytest.raises(PipelineError, match=f"need a frozen backbone, and phase {name} trains"):
        assemble(phase(name), build(ONCE, inputs), inputs)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"feature_passes": 0}, "set feature_passes=1, found 0"),
        ({"feature_passes": 3}, "every pass is the same"),
        ({"augment": Augment.MODEL}, "which freezes the augmentation"),
        ({"augment": Augment.PIPELINE}, "augment=model or none"),
        ({"loader": Loader.TF_DATA}, "needs loader=features"),
        ({"prefetch": 2}, "prefetch=0"),
    ],
)
def test_what_cannot_be_is_refused_with_the_axis_to_change(
    axes: dict[str, object], message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        ONCE.evolve(**axes)
