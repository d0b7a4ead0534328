"""One request in, one record out, in a process of its own: `python -m bench.worker REQUEST.json`.

Standard output carries progress lines (`@epoch 2 3`, `@proof 4 10`) among whatever else is printed.
Exit status 0: the record is written. 2: a mistake that the user can mend, one sentence on standard
error. Anything else is a crash, and the executor makes a failed record of it.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import gpu
from bench.accounting import accounted, peak_rss_bytes, versions
from bench.codec import decode, encode
from bench.errors import EXIT_OK, EXIT_USAGE, BenchError
from bench.given import image_files, read_files, repeated, training_input
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
)
from bench.store import write_whole
from bench.turns import await_turn, is_conducted
from leafmodel.errors import LeafmodelError
from leafmodel.pipelines.extras import EXTRAS

LOADER_EPOCHS = 1  # in every block, behind the training that has filled the caches


def main(arguments: list[str]) -> int:
    """Carry out the request in the file named first; returns the exit status."""
    path = Path(arguments[0])
    try:
        if path.name.endswith(".proof.json"):
            from bench.proving import prove_all

            request = decode(path.read_bytes(), ProofRequest, str(path))
            _ready(request)()
            prove_all(request, lambda done, total: _announce("proof", done, total))
        elif path.name.endswith(".start.json"):
            _start(decode(path.read_bytes(), StartRequest, str(path)))
        elif path.name.endswith(".profile.json"):
            _profile(decode(path.read_bytes(), ProfileRequest, str(path)))
        else:
            trial = decode(path.read_bytes(), TrialRequest, str(path))
            (_emulate if trial.spec.device else _run)(trial)
    except (BenchError, LeafmodelError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK


def _announce(what: str, done: int, total: int) -> None:
    print(f"@{what} {done} {total}", flush=True)


def _run(request: TrialRequest) -> None:
    def train() -> TrialRecord:
        files = read_files(request.files)
        given = training_input(files, request.spec, request.work)
        return _train(request.spec, given, files, request.start)

    with gpu.sampling() as sampled:
        record = accounted(_ready(request.spec), train)
    write_whole(Path(request.out), encode(replace(record, gpu=sampled.use)))


def _emulate(request: TrialRequest) -> None:
    """Feed a device that only takes time; its ceiling is known, so that nothing is imported."""
    from bench import emulation

    spec = request.spec
    is_ceiling = spec.kind is TrialKind.CEILING

    def feed() -> TrialRecord:
        given = training_input(read_files(request.files), spec, request.work)
        if is_ceiling:
            return emulation.ceiling(spec, len(given.files))
        from leafmodel.pipelines.build import build
        from leafmodel.pipelines.service import explained

        begin_ns = time.perf_counter_ns()
        pipeline = build(spec.pipeline, given)
        build_ns = time.perf_counter_ns() - begin_ns
        source = emulation.Feed(pipeline.drain, pipeline.callbacks)
        with explained(spec.pipeline):
            record = emulation.run(spec, source, lambda done: _announce("epoch", done, spec.epochs))
        return replace(
            record,
            build_ns=build_ns,
            loader_epoch_ns=_drain(pipeline, spec),
            made_once=pipeline.made_once(),
        )

    ready = (lambda: None) if is_ceiling else _ready(spec)
    write_whole(Path(request.out), encode(accounted(ready, feed)))


def _start(request: StartRequest) -> None:
    """Train a head on cached features, and leave the whole network's weights."""
    from leafmodel.training.start import train_start

    spec = request.spec
    _ready(spec)()
    files = read_files(request.files)
    given = training_input(files, spec, request.work)
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


def _ready(asked: TrialSpec | StartSpec | ProofRequest) -> Callable[[], None]:
    """What makes the process ready to train: the backend's import, and its seeds."""

    def prepare() -> None:
        from bench import backend_process

        backend_process.prepare(asked.backend, asked.seed)

    return prepare


def _profile(request: ProfileRequest) -> None:
    spec, window = request.profile.trial, request.profile.window

    def train() -> TrialRecord:
        from bench.profiling import ProfilerWindow

        files = read_files(request.files)
        given = training_input(files, spec, request.work)
        profiler = ProfilerWindow(window, Path(request.logdir))
        enough = repeated(given, window.steps_needed)
        record = _train(spec, enough, files, request.start, [profiler])
        write_whole(Path(request.capture), encode(profiler.capture()))
        return record

    write_whole(Path(request.out), encode(accounted(_ready(spec), train)))


def _train(
    spec: TrialSpec, given: Any, files: WorkerFiles, start: str, callbacks: Sequence[Any] = ()
) -> TrialRecord:
    """Build, train, drain; what only the whole process knows is filled in by the caller.

    A training that is conducted is one of several that wait for each other: it is validated once,
    at its end, and its loader is not drained.
    """
    from bench.backend_process import devices
    from bench.metering import metering
    from leafmodel.pipelines.service import explained
    from leafmodel.training.phases import phase
    from leafmodel.training.schedules import plateau
    from leafmodel.training.train import fit

    begin_ns = time.perf_counter_ns()
    pipeline, planting = _pipeline(spec, given)
    metered = metering(given.steps)
    trainee = _trainee(spec, given, start, pipeline, _model_class(spec, metered, planting))
    is_training = spec.kind is TrialKind.TRAIN
    schedule = plateau(phase(spec.phase)) if is_training else ()
    seldom = planting is not None and not schedule  # a schedule goes by every epoch's validation
    meter = metered.meter(
        images=len(given.files),
        evaluate=_evaluator(trainee.network, given, files.validation) if is_training else None,
        only_after=spec.epochs - 1 if seldom else None,
        on_epoch=lambda done: _epoch_done(done, spec.epochs, planting),
    )
    build_ns = time.perf_counter_ns() - begin_ns
    if planting:
        _epoch_done(0, spec.epochs, planting)
    meter.fit_begins()
    first = [planting.callback] if planting else []
    with explained(spec.pipeline):
        fit(trainee, pipeline, epochs=spec.epochs, callbacks=[*first, meter, *schedule, *callbacks])
    peak_bytes = peak_rss_bytes()  # what comes behind the training is no part of it
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
        loader_epoch_ns=_drain(pipeline, spec) if is_training and not planting else (),
        test_accuracy=test()[1] if test else None,
        peak_rss_bytes=peak_bytes,
        traces=metered.traces(),
        step_clock=metered.step_clock,
        versions=versions(spec.backend, EXTRAS.get(spec.pipeline.loader, "")),
        devices=devices(),
        made_once=pipeline.made_once(),
    )


def _epoch_done(done: int, epochs: int, planting: Any) -> None:
    """Tell how many epochs are done; a training that is conducted waits for the next one's turn."""
    _announce("epoch", done, epochs)
    if planting and done < epochs:
        planting.take(await_turn(sys.stdin.buffer))


def _pipeline(spec: TrialSpec, given: Any) -> tuple[Any, Any]:
    """The pipeline; and where a slowdown can be planted, if the training is conducted."""
    from leafmodel.pipelines.build import build
    from leafmodel.pipelines.resident import build_ceiling

    builder = build_ceiling if spec.kind is TrialKind.CEILING else build
    pipeline = builder(spec.pipeline, given)
    if not is_conducted():
        return pipeline, None
    from bench.planting import Planting

    planting = Planting(pipeline, spec.pipeline.loader)
    return planting.pipeline, planting


def _model_class(spec: TrialSpec, metered: Any, planting: Any) -> Any:
    """The class of the trained model: metered, whatever is planted in its steps included."""
    import keras

    from leafmodel.training.executing import model_class

    base = model_class(spec.execution, planting.model_class if planting else keras.Model)
    return metered.model_class(base)


def _trainee(spec: TrialSpec, given: Any, start: str, pipeline: Any, model_class: Any) -> Any:
    """The model that the pipeline trains, with the weights that it begins with."""
    from leafmodel.training.phases import phase
    from leafmodel.training.train import assemble, continue_from

    trainee = assemble(
        phase(spec.phase),
        pipeline,
        given,
        backbone=_backbone(spec),
        model_class=model_class,
        execution=spec.execution,
    )
    if start:
        continue_from(trainee.network, Path(start))
    return trainee


def _backbone(spec: TrialSpec | StartSpec) -> Any:
    """The pretrained network of a trial; whatever it is where the phase has none."""
    from leafmodel.models.network import BackboneChoice

    return BackboneChoice(spec.backbone, spec.weights) if spec.backbone else BackboneChoice()


def _evaluator(network: Any, given: Any, pairs: tuple[tuple[str, int], ...]) -> Any:
    """A function that gives (loss, accuracy) on these images; every variant uses the same one."""
    from leafmodel.pipelines.tf_data import evaluation_dataset

    dataset = evaluation_dataset(replace(given, files=image_files(pairs)))

    def evaluate() -> tuple[float, float]:
        logs = network.evaluate(dataset, verbose=0, return_dict=True)
        return float(logs["loss"]), float(logs["accuracy"])

    return evaluate


def _drain(pipeline: Any, spec: TrialSpec) -> tuple[int, ...]:
    """Epochs of the pipeline with no model: the loader ceiling. The device's own data has none."""
    if spec.pipeline.is_on_device:
        return ()
    from leafmodel.pipelines.service import explained

    epochs = []
    for _ in range(LOADER_EPOCHS):
        begin_ns = time.perf_counter_ns()
        with explained(spec.pipeline):
            for _batch in pipeline.drain():
                pass
        epochs.append(time.perf_counter_ns() - begin_ns)
    return tuple(epochs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
