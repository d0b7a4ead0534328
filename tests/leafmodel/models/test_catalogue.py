from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from leafmodel.errors import ModelError, WeightsError
from leafmodel.models.catalogue import BACKBONES, default_backbone, require_backbone


def test_it_needs_no_tensorflow() -> None:
    program = (
        "import sys, leafmodel.models.catalogue, leafmodel.models.scaling\n"
        "print(*sys.modules.keys() & {'tensorflow', 'keras', 'numpy', 'h5py'})"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.split() == []


def test_the_default_is_what_the_machine_can_carry() -> None:
    assert default_backbone(has_accelerator=False) == "efficientnet_lite0"
    assert default_backbone(has_accelerator=True) == "efficientnet_b4"
    assert {default_backbone(True), default_backbone(False)} <= BACKBONES.keys()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("efficientnet_lite", "efficientnet_lite0"),
        ("EfficientNetB4", "efficientnet_b4"),
        ("efficientnet-lite2", "efficientnet_lite2"),
        ("efficientnet_b44", "efficientnet_b4"),
    ],
)
def test_an_unknown_backbone_is_answered_with_the_likeliest(written: str, meant: str) -> None:
    with pytest.raises(ModelError, match=f"Unknown backbone '{written}'. Did you mean {meant}?"):
        require_backbone(written, "none")


def test_a_backbone_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(ModelError) as refused:
        require_backbone("vgg", "none")
    assert "Did you mean" not in str(refused.value)
    assert all(name in str(refused.value) for name in BACKBONES)


def test_weights_are_a_word_or_a_file_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "weights.h5"
    with pytest.raises(WeightsError, match="expected 'imagenet', 'none' or the path of a file"):
        require_backbone("efficientnet_b0", str(file))
    with pytest.raises(WeightsError, match="'imagnet'"):
        require_backbone("efficientnet_b0", "imagnet")
    with pytest.raises(WeightsError, match="found no such file"):
        require_backbone("efficientnet_b0", str(tmp_path))
    file.touch()
    for weights in ("imagenet", "none", str(file)):
        assert require_backbone("efficientnet_b0", weights).image_size == 224
