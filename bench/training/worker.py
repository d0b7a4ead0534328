"""One model in a process of its own: `python -m bench.training.worker REQUEST.json`.

Standard output carries progress lines (`@epoch 2 50`, `@step 40 94`) among whatever else is
printed. Exit status 0: what was asked for is written. 2: a mistake that the user can mend; the
sentence is in `REQUEST.json.mistake`. Anything else is a crash.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench.codec import decode, encode
from bench.errors import EXIT_OK, EXIT_USAGE, BenchError
from bench.hold import hold
from bench.requests import WorkerFiles
from bench.schema import SCHEMA_VERSION
from bench.store import write_whole
from bench.training.records import EvaluationRecord, PartEvaluation
from bench.training.requests import Answers, EvaluateRequest, PhaseRequest, PredictRequest
from leafmodel.data.folder import ImageFile
from leafmodel.errors import LeafmodelError
from leafmodel.evaluate import evaluate
from leafmodel.model_card import CARD_VERSION, Card, Images, Training, measured
from leafmodel.training.history import to_csv
from leafmodel.training.phases import Phase, phase, start_of

VERSIONED_PACKAGES = ("leafbench", "tensorflow", "keras", "numpy")
TELL_EVERY_S = 1.0


def main(arguments: Sequence[str]) -> int:
    """Carry out the request in the file named first; returns the exit status."""
    path = Path(arguments[0])
    try:
        _carry_out(path)
    except (BenchError, LeafmodelError) as error:
        write_whole(path.with_name(path.name + ".mistake"), str(error).encode())
        return EXIT_USAGE
    return EXIT_OK


def _carry_out(path: Path) -> None:
    if path.name.endswith(".train.json"):
        _train(decode(path.read_bytes(), PhaseRequest, str(path)))
    elif path.name.endswith(".evaluate.json"):
        _evaluate(decode(path.read_bytes(), EvaluateRequest, str(path)))
    else:
        _predict(decode(path.read_bytes(), PredictRequest, str(path)))


def _be_the_first_to_go() -> None:
    """Where memory runs out, let the system end this process and not the one that reports it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _announce(what: str, done: int, total: int) -> None:
    print(f"@{what} {done} {total}", flush=True)


def _steps() -> Any:
    """A callback that tells of steps, in training and in evaluation, now and then."""
    import keras

    class Steps(keras.callbacks.Callback):
        told_s = 0.0

        def _tell(self, step: int) -> None:
            if time.monotonic() - self.told_s >= TELL_EVERY_S:
                self.told_s = time.monotonic()
                _announce("step", step + 1, max(step + 1, (self.params or {}).get("steps") or 0))

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            self._tell(batch)

        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            self._tell(batch)

    return Steps()


# --- training --------------------------------------------------------------------------------


def _train(request: PhaseRequest) -> None:
    """Train, evaluate, save; the card is written last, and says that the phase has ended."""
    from leafmodel.saved_model import save
    from leafmodel.training.checkpoints import Checkpoints
    from leafmodel.training.full import train

    folder = Path(request.folder)
    hold(folder)  # against a worker that outlives the command that started it, by a step
    files = decode(Path(request.files).read_bytes(), WorkerFiles, request.files)
    checkpoints = Checkpoints(folder / "checkpoints", request.identity)
    job = _job(request, files)
    trained = train(job, checkpoints, _callbacks(request))
    answered = EvaluationRecord(
        SCHEMA_VERSION,
        tuple(
            _answered(trained.network, part, images, files.class_names, request.image_size)
            for part, images in (("test", files.test), ("validation", files.validation))
            if images
        ),
    )
    card = _card(request, job.phase, trained, answered)
    save(trained.network, card, folder / "model.keras")
    write_whole(folder / "evaluation.json", encode(answered))
    write_whole(folder / "history.csv", to_csv(trained.history).encode())
    write_whole(folder / "card.json", encode(card))
    checkpoints.remove()


def _job(request: PhaseRequest, files: WorkerFiles) -> Any:
    from leafmodel.models.network import BackboneChoice
    from leafmodel.pipelines.pipeline import PipelineInput
    from leafmodel.training.full import Job

    choice = BackboneChoice(request.backbone, request.weights) if request.backbone else None
    return Job(
        phase=phase(request.phase),
        pipeline=request.pipeline,
        given=PipelineInput(
            files=_image_files(files.train),
            class_names=files.class_names,
            batch_size=request.batch_size,
            image_size=request.image_size,
            seed=request.seed,
            work=Path(request.work),
        ),
        validation=_image_files(files.validation),
        backbone=choice or BackboneChoice(),
        epochs=request.epochs,
        start=Path(request.start) if request.start else None,
    )


def _callbacks(request: PhaseRequest) -> list[Any]:
    import keras

    return [
        keras.callbacks.TensorBoard(request.tensorboard, profile_batch=0, write_graph=False),
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: _announce("epoch", epoch + 1, request.epochs)  # noqa: ARG005
        ),
        _steps(),
    ]


def _answered(
    network: Any,
    part: str,
    pairs: Sequence[tuple[str, int]],
    class_names: Sequence[str],
    image_size: int,
) -> PartEvaluation:
    from leafmodel.saved_model import answers

    probabilities = answers(network, _image_files(pairs), image_size, [_steps()])
    truth = [label for _, label in pairs]
    return PartEvaluation(
        part=part,
        evaluation=evaluate(probabilities, truth, class_names),
        truth=tuple(truth),
        called=tuple(probabilities.argmax(axis=1).tolist()),
    )


def _card(request: PhaseRequest, of: Phase, trained: Any, found: EvaluationRecord) -> Card:
    start = start_of(of)
    data = request.data
    return Card(
        card_version=CARD_VERSION,
        class_names=data.class_names,
        image_size=request.image_size,
        images=Images(
            source=data.source,
            fingerprint=data.fingerprint,
            split_seed=request.split_seed,
            train=data.train_images,
            validation=data.validation_images,
            test=data.test_images,
        ),
        training=Training(
            phase=request.phase,
            summary=of.summary,
            settings=_settings(of),
            start=start.name if start else "",
            backbone=request.backbone,
            weights=_weights(request.weights),
            variant=request.variant,
            batch_size=request.batch_size,
            epochs=len(trained.history),
            best_epoch=trained.best_epoch,
            stopped_early=trained.stopped_early,
            wall_s=sum(item.wall_s for item in trained.history),
        ),
        measured=tuple(measured(item.part, item.evaluation) for item in found.parts),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={package: version(package) for package in VERSIONED_PACKAGES},
    )


def _settings(of: Phase) -> dict[str, str]:
    """All that makes up a phase, as words."""
    values = {field.name: getattr(of, field.name) for field in fields(Phase)}
    del values["name"], values["summary"], values["after"]
    if of.has_backbone:
        del values["filters"]
    else:
        del values["unfreeze"]
    return {
        name: ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
        for name, value in values.items()
    }


def _weights(weights: str) -> str:
    """`imagenet`, `none`, or a file by its name and the first digits of its SHA-256."""
    path = Path(weights)
    if not path.is_file():
        return weights
    return f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:12]})"


# --- saved models ----------------------------------------------------------------------------


def _evaluate(request: EvaluateRequest) -> None:
    from leafmodel.saved_model import load

    model, card = load(Path(request.model))
    part = _answered(model, "images", request.files, card.class_names, card.image_size)
    write_whole(Path(request.out), encode(EvaluationRecord(SCHEMA_VERSION, (part,))))


def _predict(request: PredictRequest) -> None:
    from leafmodel.saved_model import answers, load

    model, card = load(Path(request.model))
    files = [ImageFile(Path(path), 0) for path in request.files]
    found = answers(model, files, card.image_size).astype(np.float64)
    rows = tuple(tuple(row) for row in found.tolist())
    write_whole(Path(request.out), encode(Answers(SCHEMA_VERSION, rows)))


def _image_files(pairs: Sequence[tuple[str, int]]) -> tuple[ImageFile, ...]:
    return tuple(ImageFile(Path(path), label) for path, label in pairs)


if __name__ == "__main__":
    _be_the_first_to_go()
    sys.exit(main(sys.argv[1:]))
