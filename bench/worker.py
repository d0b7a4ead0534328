"""One request in, one record out, in a process of its own: `python -m bench.worker REQUEST.json`.

Standard output carries progress lines (`@epoch 2 3`, `@proof 4 10`) among whatever else is printed.
Exit status 0: the record is written. 2: a mistake that the user can mend, one sentence on standard
error. Anything else is a crash, and the executor makes a failed record of it.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

from bench.accounting import accounted
from bench.codec import decode, encode
from bench.errors import EXIT_OK, EXIT_USAGE, BenchError
from bench.requests import (
    ProfileRequest,
    ProofRequest,
    StartRequest,
    TrialRequest,
    WorkerFiles,
)
from bench.schema import (
    SCHEMA_VERSION,
    StartRecord,
    StartSpec,
    TrialKind,
    TrialRecord,
    TrialSpec,
    TrialStatus,
    VariantProof,
)
from bench.store import write_whole
from bench.turns import await_turn, is_conducted
from leafmodel.errors import LeafmodelError
from leafmodel.pipelines.facts import ProofCheck, ProofStatus

VERSIONED_PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "pillow")
LOADER_EPOCHS = 1  # in every block, behind the training that has filled the caches
NS_PER_S = 1_000_000_000


def main(arguments: list[str]) -> int:
    """Carry out the request in the file named first; returns the exit status."""
    path = Path(arguments[0])
    try:
        if path.name.endswith(".proof.json"):
            _prove(decode(path.read_bytes(), ProofRequest, str(path)))
        elif path.name.endswith(".start.json"):
            _start(decode(path.read_bytes(), StartRequest, str(path)))
        elif path.name.endswith(".profile.json"):
            _profile(decode(path.read_bytes(), ProfileRequest, str(path)))
        else:
            _run(decode(path.read_bytes(), TrialRequest, str(path)))
    except (BenchError, LeafmodelError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK


def _announce(what: str, done: int, total: int) -> None:
    print(f"@{what} {done} {total}", flush=True)


# --- proofs ----------------------------------------------------------------------------------


def _prove(request: ProofRequest) -> None:
    from leafmodel.pipelines.proof import Proof, prove

    files = _files(request.files)
    for number, (name, pipeline) in enumerate(request.pipelines.items(), 1):
        given = _given(files, request, request.work)
        try:
            proof = prove(pipeline, given)
        except LeafmodelError as error:  # the other variants are still to be proved
            proof = Proof((), (_unbuildable(error),), 0)
        record = VariantProof(
            schema_version=SCHEMA_VERSION,
            variant=name,
            pipeline=pipeline,
            stages=proof.stages,
            checks=proof.checks,
            images_checked=proof.images_checked,
        )
        write_whole(Path(request.out) / f"{name}.json", encode(record))
        _announce("proof", number, len(request.pipelines))


def _unbuildable(error: LeafmodelError) -> ProofCheck:
    return ProofCheck("can be built", ProofStatus.FAILED, "a pipeline", str(error))


def _files(path: str) -> WorkerFiles:
    return decode(Path(path).read_bytes(), WorkerFiles, path)


def _given(files: WorkerFiles, asked: TrialSpec | StartSpec | ProofRequest, work: str) -> Any:
    """The training images as a pipeline's input."""
    from leafmodel.pipelines.pipeline import PipelineInput

    return PipelineInput(
        files=_image_files(files.train),
        class_names=files.class_names,
        batch_size=asked.batch_size,
        image_size=asked.image_size,
        seed=asked.seed,
        work=Path(work),
    )


def _image_files(pairs: tuple[tuple[str, int], ...]) -> tuple[Any, ...]:
    from leafmodel.data.folder import ImageFile

    return tuple(ImageFile(Path(path), label) for path, label in pairs)


# --- trials ----------------------------------------------------------------------------------


def _run(request: TrialRequest) -> None:
    def train() -> TrialRecord:
        files = _files(request.files)
        given = _given(files, request.spec, request.work)
        return _train(request.spec, given, files, request.start)

    write_whole(Path(request.out), encode(accounted(_ready(request.spec.seed), train)))


def _start(request: StartRequest) -> None:
    """Train a head on cached features, and leave the whole network's weights."""
    import keras

    from leafmodel.training.start import train_start

    spec = request.spec
    keras.utils.set_random_seed(spec.seed)
    files = _files(request.files)
    given = _given(files, spec, request.work)
    begin_ns = time.perf_counter_ns()
    network = train_start(
        spec.phase,
        given,
        _backbone(spec),
        spec.epochs,
        lambda n: _announce("start", n, spec.epochs),
    )
    wall_ns = time.perf_counter_ns() - begin_ns
    weights = Path(request.weights)
    partial = weights.with_name(f"partial-{weights.name}")  # Keras insists on the ending
    network.save_weights(partial)
    partial.replace(weights)
    record = StartRecord(
        schema_version=SCHEMA_VERSION,
        spec=spec,
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        wall_ns=wall_ns,
        val_accuracy=_evaluator(network, given, files.validation)()[1],
    )
    write_whole(Path(request.out), encode(record))


def _ready(seed: int) -> Callable[[], None]:
    """What makes the process ready to train: TensorFlow's import, and its seeds."""

    def prepare() -> None:
        import keras

        keras.utils.set_random_seed(seed)

    return prepare


def _profile(request: ProfileRequest) -> None:
    spec, window = request.profile.trial, request.profile.window

    def train() -> TrialRecord:
        from bench.profiling import ProfilerWindow

        files = _files(request.files)
        given = _given(files, spec, request.work)
        profiler = ProfilerWindow(window, Path(request.logdir))
        repeated = _repeated(given, window.steps_needed)
        record = _train(spec, repeated, files, request.start, [profiler])
        write_whole(Path(request.capture), encode(profiler.capture()))
        return record

    write_whole(Path(request.out), encode(accounted(_ready(spec.seed), train)))


def _repeated(given: Any, steps: int) -> Any:
    """The same images over and over, until an epoch has so many steps."""
    files = given.files
    while ceil(len(files) / given.batch_size) < steps:
        files = (*files, *given.files)
    return replace(given, files=files)


def _train(
    spec: TrialSpec, given: Any, files: WorkerFiles, start: str, callbacks: Sequence[Any] = ()
) -> TrialRecord:
    """Build, train, drain; what only the whole process knows is filled in by the caller."""
    from bench.timing import EpochMeter
    from leafmodel.training.phases import phase
    from leafmodel.training.schedules import plateau
    from leafmodel.training.train import fit

    begin_ns = time.perf_counter_ns()
    turns = _Turns(spec.epochs) if is_conducted() else None
    pipeline, trainee, stamps = _assembled(spec, given, start, turns)
    is_training = spec.kind is TrialKind.TRAIN
    meter = EpochMeter(
        images=len(given.files),
        evaluate=_evaluator(trainee.network, given, files.validation) if is_training else None,
        stamps=stamps,
        on_epoch=turns.epoch_done if turns else lambda n: _announce("epoch", n, spec.epochs),
    )
    build_ns = time.perf_counter_ns() - begin_ns
    if turns:
        turns.epoch_done(0)
    meter.fit_begins()
    schedule = plateau(phase(spec.phase)) if is_training else ()
    before = turns.callbacks if turns else ()
    fit(trainee, pipeline, epochs=spec.epochs, callbacks=[*before, meter, *schedule, *callbacks])
    peak_rss_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    test = _evaluator(trainee.network, given, files.test) if is_training and files.test else None
    return TrialRecord(
        schema_version=SCHEMA_VERSION,
        spec=spec,
        status=TrialStatus.OK,
        failure=None,
        started_at="",
        wall_ns=1,
        build_ns=build_ns,
        first_batch_ns=meter.first_batch_ns,
        epochs=tuple(meter.epochs),
        loader_epoch_ns=_drain(pipeline, spec) if is_training and not turns else (),
        test_accuracy=test()[1] if test else None,
        peak_rss_bytes=peak_rss_bytes,
        traces=stamps.traces,
        versions={package: version(package) for package in VERSIONED_PACKAGES},
    )


class _Turns:
    """Waits for the conductor before each epoch, and plants what it asks for."""

    def __init__(self, epochs: int) -> None:
        from bench.planting import Plant, Planter

        self._epochs = epochs
        self.plant = Plant()
        self.callbacks = (Planter(self.plant),)

    def epoch_done(self, done: int) -> None:
        """Say how many epochs are done, and wait for the next one's turn."""
        _announce("epoch", done, self._epochs)
        if done < self._epochs:
            self.plant.turn = await_turn(sys.stdin.buffer)


def _assembled(
    spec: TrialSpec, given: Any, start: str, turns: _Turns | None
) -> tuple[Any, Any, Any]:
    """The pipeline, the model that it trains, and the stamps of its steps."""
    from bench.timing import StepStamps, metered
    from leafmodel.pipelines.build import build
    from leafmodel.pipelines.resident import build_ceiling
    from leafmodel.training.phases import phase
    from leafmodel.training.train import assemble, continue_from

    builder = build_ceiling if spec.kind is TrialKind.CEILING else build
    pipeline = builder(spec.pipeline, given)
    stamps = StepStamps(given.steps)
    model_class = metered(stamps)
    if turns:
        from bench.planting import planted_model, planted_pipeline

        pipeline = planted_pipeline(pipeline, turns.plant)
        model_class = metered(stamps, planted_model(turns.plant))
    trainee = assemble(
        phase(spec.phase),
        pipeline,
        given,
        backbone=_backbone(spec),
        model_class=model_class,
    )
    if start:
        continue_from(trainee.network, Path(start))
    return pipeline, trainee, stamps


def _backbone(spec: TrialSpec | StartSpec) -> Any:
    """The pretrained network of a trial; whatever it is where the phase has none."""
    from leafmodel.models.network import BackboneChoice

    return BackboneChoice(spec.backbone, spec.weights) if spec.backbone else BackboneChoice()


def _evaluator(network: Any, given: Any, pairs: tuple[tuple[str, int], ...]) -> Any:
    """A function that gives (loss, accuracy) on these images; every variant uses the same one."""
    from leafmodel.pipelines.tf_data import evaluation_dataset

    dataset = evaluation_dataset(replace(given, files=_image_files(pairs)))

    def evaluate() -> tuple[float, float]:
        logs = network.evaluate(dataset, verbose=0, return_dict=True)
        return float(logs["loss"]), float(logs["accuracy"])

    return evaluate


def _drain(pipeline: Any, spec: TrialSpec) -> tuple[int, ...]:
    """Epochs of the pipeline with no model: the loader ceiling. The device's own data has none."""
    if spec.pipeline.is_on_device:
        return ()
    epochs = []
    for _ in range(LOADER_EPOCHS):
        begin_ns = time.perf_counter_ns()
        for _batch in pipeline.drain():
            pass
        epochs.append(time.perf_counter_ns() - begin_ns)
    return tuple(epochs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
