"""Reading a profiler's file: what a whole one holds, and what is said of one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.profile_schema import ProfileFailureKind
from bench.trace_work import Event, Role
from bench.xplane import StepMark, TraceError, read_trace
from tests.bench import made_xspace
from tests.bench.made_xspace import BEGIN_REAL_NS, environment, event, host, plane, step, write
from tests.bench.tiny_trace import traces

READ = "read/ReadFile:ReadFile"


def failure(path: Path) -> tuple[ProfileFailureKind, str]:
    with pytest.raises(TraceError) as caught:
        read_trace(path)
    assert str(path) in str(caught.value)
    return caught.value.failure.kind, caught.value.failure.message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vm.xplane.pb"


def test_steps_threads_and_clock_of_a_made_trace(path: Path) -> None:
    lines = {
        "tf_data_private_threadpool/-77": [event(READ, 100, 250)],
        "tf_Compute/5": [],
        "tf_data_private_threadpool/99": [event(READ, 300, 400)],
        "tf_numa_-1_Eigen/3": [event("ThreadpoolListener::Record", 5, 5)],
    }
    trace = read_trace(write(path, host((7, 8), lines), environment()))
    assert trace.steps == (StepMark(7, 0, 990), StepMark(8, 1000, 1990))
    assert [(t.label, t.role) for t in trace.threads] == [
        ("python/1", Role.HOST),
        ("tf_data_private_threadpool/1", Role.PIPELINE),
        ("tf_Compute/1", Role.MODEL),
        ("tf_data_private_threadpool/2", Role.PIPELINE),
    ]
    assert trace.threads[1].events == (Event(READ, 100, 250),)
    assert trace.step_thread is trace.threads[0]
    assert trace.begin_real_ns == BEGIN_REAL_NS
    assert trace.devices == ()
    assert trace.events == 4


def test_steps_are_found_on_whatever_thread_and_in_order(path: Path) -> None:
    lines = {"python": [], "python3": [step(4, 500, 600), step(3, 100, 200)]}
    trace = read_trace(write(path, plane("/host:CPU", lines), environment()))
    assert [mark.number for mark in trace.steps] == [3, 4]
    assert trace.step_thread.label == "python3/1"


def test_a_devices_streams_are_read_and_what_repeats_them_is_not(path: Path) -> None:
    gpu = plane(
        "/device:GPU:0",
        {"Stream #7(Compute)": [event("gemm", 10, 20)], "XLA Ops": [event("gemm", 10, 20)]},
    )
    trace = read_trace(write(path, host(), gpu, plane("/device:CPU:0", {}), environment()))
    assert trace.devices == ("/device:GPU:0",)
    assert [(t.label, t.events) for t in trace.streams] == [
        ("/device:GPU:0/1", (Event("gemm", 10, 20),))
    ]


def test_a_real_trace(tmp_path: Path) -> None:
    made = traces()["plain"]
    trace = read_trace(made.path)
    assert tuple(mark.number for mark in trace.steps) == made.steps
    assert made.begin_real_ns <= trace.begin_real_ns <= made.end_real_ns
    roles = {thread.role for thread in trace.threads}
    assert roles == {Role.HOST, Role.PIPELINE, Role.MODEL}
    assert trace.events == sum(len(thread.events) for thread in trace.threads) > 1000
    assert not any(tmp_path.iterdir())


def test_a_missing_file(path: Path) -> None:
    kind, message = failure(path)
    assert kind is ProfileFailureKind.NOT_WRITTEN
    assert message.endswith("found none. Profile this variant again.")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "found an empty file"),
        (b"hello world" * 50, "found Failed to parse"),
        (bytes(1000), "found Failed to parse"),
        (b'{"schema_version": 1}', "found Failed to parse"),
    ],
    ids=["empty", "text", "zeros", "json"],
)
def test_something_else(path: Path, data: bytes, found: str) -> None:
    path.write_bytes(data)
    kind, message = failure(path)
    assert kind is ProfileFailureKind.UNREADABLE
    assert found in message
    assert "Profile this variant again" in message


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.999])
def test_a_real_trace_that_was_cut_off(path: Path, kept: float) -> None:
    whole = traces()["plain"].path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    kind, message = failure(path)
    assert kind is ProfileFailureKind.UNREADABLE
    assert "cut off while being written" in message


def test_a_trace_cut_off_between_two_planes(path: Path) -> None:
    kind, message = failure(write(path, host()))
    assert kind is ProfileFailureKind.UNREADABLE
    assert "found 1 planes and no profile_start_time" in message


def test_a_folder_in_its_place(path: Path) -> None:
    path.mkdir()
    assert failure(path)[0] is ProfileFailureKind.UNREADABLE


@pytest.mark.parametrize(
    "lines",
    [
        {},
        {"python": [event("train", 0, 5)]},
        {"tf_Compute/1": [step(1, 0, 5)]},
    ],
    ids=["no thread", "no number", "not a step's thread"],
)
def test_a_trace_without_steps(path: Path, lines: dict[str, list[made_xspace.MadeEvent]]) -> None:
    kind, message = failure(write(path, plane("/host:CPU", lines), environment()))
    assert kind is ProfileFailureKind.NO_STEP
    assert "no step ran while the profiler was on. Profile earlier steps." in message
