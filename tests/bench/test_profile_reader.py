"""The reading process: a request in, an outcome out, whatever the trace."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import profile_reader
from bench.codec import decode, encode
from bench.errors import EXIT_OK, EXIT_USAGE
from bench.profile_reader import CLOCK_SLACK_NS, answer, summarise
from bench.profile_schema import (
    Place,
    ProfileFailure,
    ProfileFailureKind,
    ProfileReading,
    ReadingOutcome,
)
from bench.requests import ReadingRequest
from bench.schema import SCHEMA_VERSION
from bench.xplane import read_trace
from tests.bench import tiny_trace
from tests.bench.made_xspace import BEGIN_REAL_NS, environment, event, host, plane, step, write
from tests.bench.tiny_trace import traces

WAIT = "IteratorGetNextOp::DoCompute"
CONV = "StatefulPartitionedCall/conv2d/convolution:Conv2D"


def request_for(variant: str, tmp_path: Path) -> ReadingRequest:
    made = traces()[variant]
    return ReadingRequest(
        SCHEMA_VERSION,
        str(made.path),
        made.steps,
        made.begin_real_ns,
        made.end_real_ns,
        devices=False,
        out=str(tmp_path / "outcome.json"),
    )


def made_request(trace: Path) -> ReadingRequest:
    """For a trace of `made_xspace`."""
    end_ns = BEGIN_REAL_NS + 10_000
    out = str(trace.with_name("out.json"))
    return ReadingRequest(SCHEMA_VERSION, str(trace), (3, 4, 5), BEGIN_REAL_NS, end_ns, False, out)


def read(variant: str, tmp_path: Path) -> ProfileReading:
    reading = answer(request_for(variant, tmp_path)).reading
    assert reading is not None
    return reading


def failed(request: ReadingRequest) -> ProfileFailure:
    failure = answer(request).failure
    assert failure is not None
    return failure


def causes(reading: ProfileReading) -> set[str]:
    return {f"{share.place}/{share.name}" for step in reading.steps for share in step.shares}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vm.xplane.pb"


def test_the_process_writes_the_outcome_without_tensorflow(tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_bytes(encode(request_for("plain", tmp_path)))
    program = (
        "import sys; from bench import profile_reader\n"
        "status = profile_reader.main(sys.argv[1:])\n"
        "print(status, {'tensorflow', 'keras', 'jax', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(request)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tiny_trace.ROOT,
    )
    assert done.stdout.splitlines()[-1] == f"{EXIT_OK} set()"
    outcome = decode((tmp_path / "outcome.json").read_bytes(), ReadingOutcome, "outcome")
    assert outcome == answer(request_for("plain", tmp_path))


def test_the_folder_of_the_trace_is_left_as_it_was(tmp_path: Path) -> None:
    folder = traces()["plain"].path.parent
    before = {file: file.read_bytes() for file in folder.iterdir()}
    read("plain", tmp_path)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_a_pipeline_that_the_model_waits_for(tmp_path: Path) -> None:
    reading = read("plain", tmp_path)
    assert [step.number for step in reading.steps] == list(traces()["plain"].steps)
    stages = {stage.stage: stage for stage in reading.stages}
    assert {"read", "decode", "convert", "augment", "batch", "shuffle"} <= set(stages)
    images = tiny_trace.Size().batch_size * tiny_trace.STEPS
    assert stages["read"].calls == stages["decode"].calls == images
    assert stages["batch"].calls == tiny_trace.STEPS
    assert {"input/read", "input/decode", "input/augment"} <= causes(reading)
    assert {"model/convolution", "model/optimiser", "model/normalisation"} <= causes(reading)
    assert "model/augmentation" not in causes(reading)
    assert reading.devices == ()


def test_our_account_of_each_wait_is_the_analysers(tmp_path: Path) -> None:
    reading = read("plain", tmp_path)
    ours = {step.number: step.wait_ns for step in reading.steps}
    assert len(reading.analyser) == tiny_trace.STEPS - 2
    assert reading.analyser_note == ""
    for theirs in reading.analyser:
        assert theirs.input_ns == pytest.approx(ours[theirs.number], abs=1000)


def test_a_generator_is_python_and_augmentation(tmp_path: Path) -> None:
    reading = read("default", tmp_path)
    assert [stage.stage for stage in reading.stages] == ["python", "augment"]
    python, augment = reading.stages
    assert python.calls >= tiny_trace.STEPS - 1
    assert augment.busy_ns > 0
    operations = {(o.name, o.kind) for o in reading.operations if o.place is Place.INPUT}
    assert operations == {("PyFunc:PyFunc", "python"), ("augment", "augment")}


def test_augmentation_inside_the_model(tmp_path: Path) -> None:
    reading = read("in_model", tmp_path)
    assert "model/augmentation" in causes(reading)
    assert "augment" not in {stage.stage for stage in reading.stages}
    assert "model/augmentation" in {span.lane for span in reading.spans}


@pytest.mark.parametrize("variant", tiny_trace.VARIANTS)
def test_every_reading_is_consistent(variant: str, tmp_path: Path) -> None:
    reading = read(variant, tmp_path)
    first, *_, last = reading.steps
    window_ns = last.begin_ns + last.step_ns
    assert first.begin_ns == 0
    assert sum(step.step_ns for step in reading.steps) == window_ns
    assert all(stage.busy_ns == sum(stage.threads.values()) for stage in reading.stages)
    assert all(0 < stage.wall_ns <= min(stage.busy_ns, window_ns) for stage in reading.stages)
    assert not any(o.name.startswith("StatefulPartitionedCall") for o in reading.operations)
    assert len(reading.operations) <= 20
    lanes = [span for span in reading.spans if span.lane == "step"]
    assert [span.begin_ns for span in lanes] == [step.begin_ns for step in reading.steps[:3]]


def test_a_made_trace_by_hand(path: Path) -> None:
    """Step 3 is parted; the other two are idle but for a wait without any work."""
    lines = {
        "tf_data_iterator_get_next/1": [
            event(WAIT, 100, 500),
            event("Iterator::Root::BatchV2", 100, 500),
            event("Iterator::Root::BatchV2::ParallelMapV2", 120, 480),
            event(WAIT, 1000, 1100),
        ],
        "tf_data_private_threadpool/1": [event("read/ReadFile:ReadFile", 150, 350)],
        "tf_data_private_threadpool/2": [event("decode/DecodeImage:DecodeImage", 250, 450)],
        "tf_Compute/1": [event(CONV, 500, 900), event(CONV, 200, 300)],
    }
    reading = summarise(read_trace(write(path, host(lines=lines), environment())))
    first, second, third = reading.steps
    assert {f"{s.place}/{s.name}": s.wall_ns for s in first.shares} == {
        "model/convolution": 400,
        "input/decode": 150,
        "input/read": 150,
        "input/batch": 40,
        "input/hand-over": 60,
        "idle/idle": 200,
    }
    assert (first.wait_ns, second.wait_ns, third.wait_ns) == (400, 100, 0)
    assert (first.step_ns, second.step_ns, third.step_ns) == (1000, 1000, 990)


def test_without_an_operation_for_it_the_wait_is_the_iterator_on_the_steps_thread(
    path: Path,
) -> None:
    lines = {
        "python": [
            *(step(n, i * 1000, i * 1000 + 990) for i, n in enumerate((3, 4, 5))),
            event("Iterator::Root", 2, 50),
            event("Iterator::Root::BatchV2", 4, 40),
        ],
        "tf_data_iterator_resource/1": [event("Iterator::Root::Prefetch", 60, 900)],
    }
    reading = summarise(read_trace(write(path, plane("/host:CPU", lines), environment())))
    assert [step.wait_ns for step in reading.steps] == [48, 0, 0]
    shares = {share.name: share.wall_ns for share in reading.steps[0].shares}
    assert shares == {"batch": 36, "hand-over": 12, "idle": 952}


def test_a_busy_device_is_the_model_at_work(path: Path) -> None:
    gpu = plane("/device:GPU:0", {"Stream #7(Compute)": [event("gemm", 100, 900)]})
    trace = write(path, host(), gpu, environment())
    outcome = answer(replace(made_request(trace), devices=True))
    assert outcome.reading is not None
    assert outcome.reading.devices == ("/device:GPU:0",)
    assert {s.name: s.wall_ns for s in outcome.reading.steps[0].shares} == {
        "other": 800,
        "idle": 200,
    }
    assert outcome.reading.operations == ()


def test_an_analyser_without_an_answer_leaves_the_reading(path: Path) -> None:
    outcome = answer(made_request(write(path, host(), environment())))
    assert outcome.reading is not None
    assert outcome.reading.analyser == ()
    note = "xprof's input_pipeline_analyzer found no step in the trace."
    assert outcome.reading.analyser_note == note
    assert outcome.reading.allocator_peak_bytes is None


def test_a_trace_that_cannot_be_copied_leaves_the_reading(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(profile_reader.shutil, "copy", full)
    reading = answer(made_request(write(path, host(), environment()))).reading
    assert reading is not None
    assert reading.analyser_note == (
        "The trace could not be copied: [Errno 28] No space left on device."
    )


def test_a_broken_trace_is_an_outcome_and_exit_status_0(tmp_path: Path, path: Path) -> None:
    path.write_bytes(b"garbage" * 100)
    request = tmp_path / "request.json"
    request.write_bytes(encode(made_request(path)))
    assert profile_reader.main([str(request)]) == EXIT_OK
    outcome = decode((tmp_path / "out.json").read_bytes(), ReadingOutcome, "out")
    assert outcome.failure is not None
    assert outcome.failure.kind is ProfileFailureKind.UNREADABLE
    assert list(tmp_path.glob("*.tmp")) == []


def test_steps_of_another_run_are_foreign(path: Path) -> None:
    failure = failed(made_request(write(path, host((4, 5, 6)), environment())))
    assert failure == ProfileFailure(
        ProfileFailureKind.FOREIGN,
        f"{path} should be a trace of the steps 3, 4, 5, found 4, 5, 6: another program or run "
        "wrote it. Remove it and profile this variant again.",
    )


@pytest.mark.parametrize(
    ("begin_ns", "found"),
    [(-CLOCK_SLACK_NS - 1, "-1.0 s"), (10_000 + CLOCK_SLACK_NS + 1, "1.0 s"), (10**11, "100.0 s")],
)
def test_a_trace_of_another_time_is_foreign(path: Path, begin_ns: int, found: str) -> None:
    trace = write(path, host(), environment(BEGIN_REAL_NS + begin_ns))
    failure = failed(made_request(trace))
    assert failure.kind is ProfileFailureKind.FOREIGN
    assert f"begun from 0 to 0.0 s after the capture began, found {found}:" in failure.message


@pytest.mark.parametrize("begin_ns", [-CLOCK_SLACK_NS, 0, 10_000 + CLOCK_SLACK_NS])
def test_the_clocks_may_differ_by_the_slack(path: Path, begin_ns: int) -> None:
    trace = write(path, host(), environment(BEGIN_REAL_NS + begin_ns))
    assert answer(made_request(trace)).failure is None


def test_an_accelerator_on_a_machine_without_one_is_foreign(path: Path) -> None:
    gpu = plane("/device:GPU:0", {})
    failure = failed(made_request(write(path, host(), gpu, environment())))
    assert failure.kind is ProfileFailureKind.FOREIGN
    assert "of a machine without accelerator, found /device:GPU:0" in failure.message


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "No such file"), ("{", "not a whole JSON record"), ('{"schema_version": 1}', "trace")],
)
def test_a_request_that_cannot_be_read(
    tmp_path: Path, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    request = tmp_path / "request.json"
    if text is not None:
        request.write_text(text)
    assert profile_reader.main([str(request)]) == EXIT_USAGE
    assert said in capsys.readouterr().err


def test_an_outcome_that_cannot_be_written(
    tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = tmp_path / "request.json"
    nowhere = replace(made_request(path), out=str(tmp_path / "nowhere" / "out.json"))
    request.write_bytes(encode(nowhere))
    assert profile_reader.main([str(request)]) == EXIT_USAGE
    assert "Cannot write" in capsys.readouterr().err


def test_a_trace_without_a_fetch_is_refused(path: Path) -> None:
    failure = failed(made_request(write(path, host(lines={}), environment())))
    assert failure.kind is ProfileFailureKind.UNREADABLE
    assert "in none of them is a batch fetched" in failure.message
