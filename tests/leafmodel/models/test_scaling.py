from __future__ import annotations

import keras
import pytest

from leafmodel.models.catalogue import BACKBONES, BackboneFacts, Family
from leafmodel.models.scaling import blocks, stem_filters


@pytest.mark.parametrize("number", [0, 1, 2])
def test_blocks_are_those_of_kerass_network(number: int) -> None:
    facts = BACKBONES[f"efficientnet_b{number}"]
    make = getattr(keras.applications, f"EfficientNetB{number}")
    model = make(include_top=False, weights=None, input_shape=(32, 32, 3))
    assert model.get_layer("stem_conv").filters == stem_filters(facts)
    named = [layer.name for layer in model.layers if layer.name.endswith("_dwconv")]
    assert [f"{block.name}_dwconv" for block in blocks(facts)] == named
    for block in blocks(facts):
        depthwise = model.get_layer(f"{block.name}_dwconv")
        assert depthwise.kernel.shape == (block.kernel, block.kernel, block.filters, 1)
        assert depthwise.strides == (block.stride, block.stride)
        assert model.get_layer(f"{block.name}_project_conv").filters == block.filters_out
    shortcuts = [layer.name for layer in model.layers if layer.name.endswith("_add")]
    assert [f"{block.name}_add" for block in blocks(facts) if block.has_shortcut] == shortcuts


@pytest.mark.parametrize(
    "facts", [facts for facts in BACKBONES.values() if facts.family is Family.EFFICIENTNET]
)
def test_features_are_the_scaled_head(facts: BackboneFacts) -> None:
    assert facts.features == round(1280 * facts.width / 8) * 8
    # Table 1's last stage has a quarter of the head's filters.
    assert abs(blocks(facts)[-1].filters_out * 4 - facts.features) <= 16
