from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leafmodel.errors import WeightsError
from leafmodel.models import backbone, efficientnet_lite, lite_weights
from leafmodel.models.catalogue import BACKBONES, Bundled
from leafmodel.models.lite_weights import bundled_file, weights_by_layer
from leafmodel.models.torch_state import tensors
from tests.leafmodel.models import torch_files

LITE0 = BACKBONES["efficientnet_lite0"]
TOP = "_conv_head.weight"


def bundled(name: str) -> Bundled:
    found = BACKBONES[name].bundled
    assert found is not None
    return found


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray[Any, Any]]:
    """The tensors of Lite0's own file."""
    content = bundled_file(bundled("efficientnet_lite0")).read_bytes()
    return tensors(content, "lite0")


@pytest.fixture(autouse=True)
def nothing_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are refused before a network is built."""

    def build(*_: Any) -> None:
        raise AssertionError("A network was built.")

    monkeypatch.setattr(efficientnet_lite, "build", build)


def refusal(content: bytes, folder: Path) -> str:
    path = folder / "own.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as refused:
        backbone("efficientnet_lite0", weights=str(path))
    assert str(path) in str(refused.value)
    return str(refused.value)


def test_the_packages_are_not_imported() -> None:
    found = weights_by_layer(LITE0, "imagenet")
    assert found["stem_conv"][0].shape == (3, 3, 3, 32)
    assert not any("pytorch_model" in module for module in sys.modules)


@pytest.mark.parametrize("name", [f"efficientnet_lite{number}" for number in range(3)])
def test_the_bundled_weights_fill_their_network(name: str) -> None:
    found = weights_by_layer(BACKBONES[name], "imagenet")
    assert all(array.dtype == np.float32 for arrays in found.values() for array in arrays)
    assert found["top_conv"][0].shape[-1] == BACKBONES[name].features


def test_a_package_that_is_missing_is_named_with_the_remedy() -> None:
    gone = replace(bundled("efficientnet_lite0"), distribution="efficientnet-lite9-pytorch-model")
    with pytest.raises(WeightsError, match=r"pip install .*efficientnet-lite9-pytorch-model"):
        bundled_file(gone)


def test_a_package_without_its_file_is_named_with_the_remedy() -> None:
    gone = replace(bundled("efficientnet_lite0"), file="nothing.pth")
    with pytest.raises(WeightsError, match=r"is installed without .*nothing.pth. Install it again"):
        bundled_file(gone)


def test_a_bundled_file_is_read_only_if_it_is_the_published_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(*_: Any) -> None:
        raise AssertionError("The file was read.")

    monkeypatch.setattr(lite_weights.torch_state, "tensors", read)
    other = replace(bundled("efficientnet_lite0"), sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"expected SHA-256 0{64}, found 579344248a93"):
        weights_by_layer(replace(LITE0, bundled=other), "imagenet")


def test_an_own_file_is_as_good(tmp_path: Path, state: dict[str, np.ndarray[Any, Any]]) -> None:
    path = tmp_path / "own.pth"
    path.write_bytes(torch_files.state_file(state))
    published = weights_by_layer(LITE0, "imagenet")
    for layer, arrays in weights_by_layer(LITE0, str(path)).items():
        for own, expected in zip(arrays, published[layer], strict=True):
            np.testing.assert_array_equal(own, expected)


@pytest.mark.parametrize("classes", [0, 14])
def test_a_classifier_is_left_out_whatever_its_classes(
    classes: int, tmp_path: Path, state: dict[str, np.ndarray[Any, Any]]
) -> None:
    own = {name: array for name, array in state.items() if not name.startswith("_fc.")}
    if classes:
        own |= {"_fc.weight": np.ones((14, 1280), "<f4"), "_fc.bias": np.ones(14, "<f4")}
    path = tmp_path / "own.pth"
    path.write_bytes(torch_files.state_file(own))
    assert "top_conv" in weights_by_layer(LITE0, str(path))


def test_weights_of_another_lite_are_refused(tmp_path: Path) -> None:
    content = bundled_file(bundled("efficientnet_lite1")).read_bytes()
    message = refusal(content, tmp_path)
    assert "does not hold weights of efficientnet_lite0: expected its 245 tensors" in message
    assert "found 320, with an unknown _blocks." in message
    assert "more like that. Give the weights of efficientnet_lite0, or the backbone" in message


BROKEN: dict[str, tuple[dict[str, np.ndarray[Any, Any] | None], str]] = {
    "missing": ({TOP: None}, f"found 244, with no {TOP} (expected shape (1280, 320, 1, 1))"),
    "more": ({"_se.weight": np.ones(3, "<f4")}, "found 246, with an unknown _se.weight."),
    "shape": (
        {TOP: np.ones((1280, 352, 1, 1), "<f4")},
        f"with {TOP} of shape (1280, 352, 1, 1) (expected (1280, 320, 1, 1)).",
    ),
    "turned": (
        {TOP: np.ones((1, 1, 320, 1280), "<f4")},
        f"with {TOP} of shape (1, 1, 320, 1280) (expected (1280, 320, 1, 1)).",
    ),
    "not finite": (
        {"_bn0.bias": np.full(32, np.nan, "<f4")},
        "with _bn0.bias with values that are no finite numbers",
    ),
    "integers": (
        {"_bn0.bias": np.ones(32, "<i8")},
        "with _bn0.bias with values that are no finite numbers",
    ),
}


@pytest.mark.parametrize(("change", "found"), BROKEN.values(), ids=BROKEN)
def test_weights_that_do_not_fit_are_refused_with_what_does_not(
    change: dict[str, np.ndarray[Any, Any] | None],
    found: str,
    tmp_path: Path,
    state: dict[str, np.ndarray[Any, Any]],
) -> None:
    own = {name: array for name, array in (state | change).items() if array is not None}
    assert found in refusal(torch_files.state_file(own), tmp_path)


def test_a_hostile_file_is_refused(tmp_path: Path) -> None:
    order = torch_files.named("os", "system") + torch_files.many(torch_files.text("id")) + b"R"
    assert "the name 'os system'" in refusal(torch_files.file(order), tmp_path)


def test_a_kerass_file_is_refused(tmp_path: Path) -> None:
    assert "expected a PyTorch state file" in refusal(b"\x89HDF\r\n\x1a\n", tmp_path)


def test_a_file_too_large_for_a_lite_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lite_weights, "_MOST_BYTES", 1000)
    assert "at most 1,000 bytes, found 1,001" in refusal(b"\x80" * 1001, tmp_path)
