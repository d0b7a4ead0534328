from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from leafmodel.data.folder import scan
from leafmodel.data.split import split
from leafmodel.errors import ModelError
from leafmodel.models.network import BackboneChoice
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.spec import Augment, Loader, PipelineSpec
from leafmodel.training.checkpoints import Checkpoints
from leafmodel.training.full import Job, train
from leafmodel.training.phases import Phase, phase, start_of

PLAIN = PipelineSpec(augment=Augment.NONE)
IDENTITY = {"phase": "cnn"}
SMALL = "cnn+dense_units=4+dropout=0"
NO_WEIGHTS = BackboneChoice("efficientnet_lite0", "none")


class Killed(Exception):  # noqa: N818
    """Stands in for the kill of a process, between two epochs."""


class Kill(keras.callbacks.Callback):
    """Raises when the epoch, counted from 1, has been kept."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        if epoch + 1 == self._epoch:
            raise Killed


class Watch(keras.callbacks.Callback):
    """Notes the optimiser's steps at the end of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.steps.append(int(self.model.optimizer.iterations))


class Script(keras.callbacks.Callback):
    """Gives each epoch the validation loss that the script says, whatever was measured."""

    losses: Sequence[float] = ()

    def __init__(self, _network: Any, _dataset: Any) -> None:
        super().__init__()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs |= {"val_loss": self.losses[epoch], "val_accuracy": 0.5}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[float]], None]:
    def use(losses: Sequence[float]) -> None:
        monkeypatch.setattr("leafmodel.training.full.Validation", Script)
        monkeypatch.setattr(Script, "losses", losses)

    return use


@pytest.fixture
def job(make_folder: Callable[..., Path], tmp_path: Path) -> Job:
    parts = split(scan(make_folder({"ash": 6, "elm": 6}, size=32)))
    given = PipelineInput(parts.train, parts.class_names, 4, 32, 5, tmp_path / "work")
    return Job(_small(), PLAIN, given, parts.validation, NO_WEIGHTS, 3)


def _small(changes: str = "") -> Phase:
    """The CNN with one thin block, which is quick to trace."""
    return replace(phase("+".join(filter(None, [SMALL, changes]))), filters=(2,))


def _checkpoints(folder: Path) -> Checkpoints:
    return Checkpoints(folder / "checkpoints", IDENTITY)


def test_all_epochs_are_kept_and_the_network_has_the_weights_of_the_best(
    job: Job, tmp_path: Path, scripted: Callable[[Sequence[float]], None]
) -> None:
    scripted([0.5, 0.4, 0.6])
    kept = tmp_path / "checkpoints" / "epoch-0002" / "network.weights.h5"
    trained = train(job, _checkpoints(tmp_path))
    assert [item.epoch for item in trained.history] == [1, 2, 3]
    assert (trained.best_epoch, trained.stopped_early) == (2, False)
    best = [weight.copy() for weight in trained.network.get_weights()]
    trained.network.load_weights(kept)
    for ours, stored in zip(best, trained.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, stored)


def test_the_best_is_not_the_last(
    job: Job, tmp_path: Path, scripted: Callable[[Sequence[float]], None]
) -> None:
    scripted([0.4, 0.5, 0.6])
    trained = train(job, _checkpoints(tmp_path))
    last = tmp_path / "checkpoints" / "epoch-0003" / "network.weights.h5"
    best = trained.network.get_weights()[0].copy()
    trained.network.load_weights(last)
    assert not np.array_equal(best, trained.network.get_weights()[0])


def test_it_stops_after_patience_epochs_without_a_lower_loss(
    job: Job, tmp_path: Path, scripted: Callable[[Sequence[float]], None]
) -> None:
    scripted([0.5, 0.6, 0.6, 0.6, 0.1])
    impatient = replace(job, phase=_small("patience=2"), epochs=5)
    trained = train(impatient, _checkpoints(tmp_path))
    assert (len(trained.history), trained.best_epoch, trained.stopped_early) == (3, 1, True)


def test_a_killed_training_counts_on(
    job: Job, tmp_path: Path, scripted: Callable[[Sequence[float]], None]
) -> None:
    """Steps, patience and history after a kill are those of a training that was not killed."""
    scripted([0.5, 0.4, 0.6, 0.6, 0.6, 0.1])
    patient = replace(job, phase=_small("patience=3"), epochs=6)
    watch, again = Watch(), Watch()
    with pytest.raises(Killed):
        train(patient, _checkpoints(tmp_path), [watch, Kill(4)])
    trained = train(patient, _checkpoints(tmp_path), [again])
    assert watch.steps + again.steps == [3, 6, 9, 12, 15]
    assert [item.val_loss for item in trained.history] == [0.5, 0.4, 0.6, 0.6, 0.6]
    assert (trained.best_epoch, trained.stopped_early) == (2, True)


def test_a_killed_training_keeps_its_plateau(
    job: Job, tmp_path: Path, scripted: Callable[[Sequence[float]], None]
) -> None:
    """The rate falls after 3 epochs without a lower loss, once, wherever the kill was."""
    scripted([0.5, 0.6, 0.6, 0.6, 0.6, 0.6])
    falling = replace(job, phase=_small("reduce_lr+learning_rate=0.01"), epochs=6)
    for killed in (3, 4):
        with pytest.raises(Killed):
            train(falling, _checkpoints(tmp_path / str(killed)), [Kill(killed)])
        trained = train(falling, _checkpoints(tmp_path / str(killed)))
        rates = [item.learning_rate for item in trained.history]
        assert rates == pytest.approx([0.01] * 4 + [0.002] * 2)


@pytest.mark.parametrize("loader", [Loader.TF_DATA, Loader.RESIDENT])
def test_weights_go_on_where_they_were(loader: Loader, job: Job, tmp_path: Path) -> None:
    """Without shuffled batches and random layers, a kill changes nothing at all."""
    pipeline = PipelineSpec(loader=loader, augment=Augment.NONE)
    given = replace(job.given, batch_size=12)
    whole = replace(job, given=given, phase=_small("ranger"), pipeline=pipeline)
    uncut = train(whole, _checkpoints(tmp_path / "uncut"))
    with pytest.raises(Killed):
        train(whole, _checkpoints(tmp_path / "cut"), [Kill(2)])
    cut = train(whole, _checkpoints(tmp_path / "cut"))
    for ours, theirs in zip(cut.network.get_weights(), uncut.network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_training_that_has_ended_trains_no_more(job: Job, tmp_path: Path) -> None:
    first = train(job, _checkpoints(tmp_path))
    watch = Watch()
    second = train(job, _checkpoints(tmp_path), [watch])
    assert watch.steps == []
    assert second.history == first.history


def test_another_training_is_refused_with_what_differs(job: Job, tmp_path: Path) -> None:
    train(job, _checkpoints(tmp_path))
    other = Checkpoints(tmp_path / "checkpoints", {"phase": "transfer", "seed": "3"})
    with pytest.raises(ModelError, match=r"phase: cnn -> transfer\n  seed: none -> 3"):
        train(job, other)


def test_a_half_written_checkpoint_is_none(job: Job, tmp_path: Path) -> None:
    """A kill while the second epoch is being kept leaves the first."""
    with pytest.raises(Killed):
        train(job, _checkpoints(tmp_path), [Kill(1)])
    folder = tmp_path / "checkpoints"
    shutil.copytree(folder / "epoch-0001", folder / "partial")
    (folder / "partial" / "network.weights.h5").write_bytes(b"half")
    trained = train(job, _checkpoints(tmp_path))
    assert [item.epoch for item in trained.history] == [1, 2, 3]


def test_only_the_last_and_the_best_checkpoint_stay(
    job: Job, tmp_path: Path, scripted: Callable[[Sequence[float]], None]
) -> None:
    scripted([0.3, 0.5, 0.6])
    train(job, _checkpoints(tmp_path))
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["epoch-0001", "epoch-0003"]


def test_broken_checkpoints_are_named(job: Job, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(job, _checkpoints(tmp_path), [Kill(1)])
    broken = tmp_path / "checkpoints" / "epoch-0001" / "optimiser.npz"
    broken.write_bytes(b"PK half")
    with pytest.raises(ModelError, match=r"optimiser\.npz cannot be read .* remove"):
        train(job, _checkpoints(tmp_path))


def test_a_diverged_training_says_so(
    job: Job, tmp_path: Path, scripted: Callable[[Sequence[float]], None]
) -> None:
    scripted([float("nan")] * 3)
    with pytest.raises(ModelError, match="diverged"):
        train(job, _checkpoints(tmp_path))


def _tiny_backbone(*_: Any, input_shape: tuple[int, int, int], **__: Any) -> Any:
    """Stands in for an EfficientNet, by the names of its layers."""
    images = keras.Input(input_shape)
    x = keras.layers.Conv2D(3, 3, strides=8, name="block1a_conv")(images)
    x = keras.layers.Conv2D(3, 1, name="block2a_conv")(x)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))


def test_a_phase_continues_the_one_before(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a learning rate of almost nothing, the network stays what its start made of it."""
    monkeypatch.setattr("leafmodel.models.network.backbone", _tiny_backbone)
    continuing = phase("finetune+dense_units=4+learning_rate=1e-12")
    before = start_of(continuing)
    assert before is not None
    cached = PipelineSpec(loader=Loader.FEATURES, augment=Augment.NONE, feature_passes=1)
    frozen = replace(job, phase=before, pipeline=cached, epochs=2)
    with pytest.raises(Killed):
        train(frozen, _checkpoints(tmp_path / "before"), [Kill(1)])
    first = train(frozen, _checkpoints(tmp_path / "before")).network
    weights = tmp_path / "start.weights.h5"
    first.save_weights(weights)
    following = replace(job, phase=continuing, epochs=1, start=weights)
    second = train(following, _checkpoints(tmp_path / "after")).network
    ours, theirs = (network.get_layer("head").get_weights()[4:] for network in (first, second))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
