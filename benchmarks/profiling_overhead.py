"""What the profiler costs the steps that it profiles, pair by pair.

    python benchmarks/profiling_overhead.py [--variant plain] [--batch 8] [--steps 8] [--pairs 10]

One epoch of the claim's CNN with the profiler on in its window and one without, in turn, the order
reversed in every second pair; the same steps of both are compared, and the ratio is formed inside a
pair. Timed trials are no part of this: in them there is no profiler.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from bench.profile_schema import WARM_STEPS, ProfileWindow
from bench.profiling import ProfilerWindow
from bench.timing import EpochMeter, StepStamps, metered
from bench.variants import variant
from leafmodel.data.folder import scan
from leafmodel.data.generate import generate
from leafmodel.pipelines.build import build
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.training.phases import PHASES
from leafmodel.training.train import assemble, fit


def _input(folder: Path, batch: int, window: ProfileWindow) -> PipelineInput:
    images = batch * window.steps_needed
    generate(folder / "leaves", images=images, size=256, seed=0)
    found = scan(folder / "leaves")
    return PipelineInput(found.training, found.class_names, batch, 256, 0, folder / "work")


def _trainer(
    name: str, given: PipelineInput, window: ProfileWindow, traces: Path
) -> Callable[[bool], float]:
    """A function that trains one epoch, profiled or not: mean seconds of the window's steps."""
    pipeline = build(variant(name).pipeline, given)
    stamps = StepStamps(given.steps)
    trainee = assemble(PHASES["cnn"], pipeline, given, model_class=metered(stamps))

    def step_s(profiled: bool) -> float:
        meter = EpochMeter(images=len(given.files), stamps=stamps)
        profiler: list[ProfilerWindow] = [ProfilerWindow(window, traces)] if profiled else []
        fit(trainee, pipeline, epochs=1, callbacks=[meter, *profiler])
        for used in profiler:
            capture = used.capture()
            assert capture.failure is None, capture.failure
        steps_ns = meter.epochs[0].step_ns[window.first_step : window.numbers[-1] + 1]
        return statistics.fmean(steps_ns) / 1e9

    return step_s


def _pairs(step_s: Callable[[bool], float], count: int) -> Sequence[tuple[float, float]]:
    """(profiled, bare) seconds of a step, interleaved."""
    pairs = []
    for pair in range(count):
        order = (True, False) if pair % 2 == 0 else (False, True)
        times = {profiled: step_s(profiled) for profiled in order}
        pairs.append((times[True], times[False]))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--variant", default="plain")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=10)
    given = parser.parse_args()
    window = ProfileWindow(epoch=0, first_step=WARM_STEPS, steps=given.steps)
    with tempfile.TemporaryDirectory() as folder:
        images = _input(Path(folder), given.batch, window)
        step_s = _trainer(given.variant, images, window, Path(folder) / "traces")
        step_s(False)  # traces the model
        pairs = _pairs(step_s, given.pairs)
    ratios = [profiled / bare for profiled, bare in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(
        f"profiled / bare steps of {given.variant}: median {middle:.4f} (quartiles {low:.4f} to "
        f"{high:.4f}, {len(ratios)} pairs), 256 px, batch {given.batch}; bare step "
        f"{statistics.median(bare for _, bare in pairs):.3f} s"
    )


if __name__ == "__main__":
    main()
