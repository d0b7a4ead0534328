from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from bench import executor as executors
from bench.errors import StoreError
from bench.executor import Captured, ProcessExecutor
from bench.profile_schema import ProfileFailureKind
from bench.requests import ProfileRequest, ProofRequest, ReadingRequest, TrialRequest
from bench.schema import (
    SCHEMA_VERSION,
    FailureKind,
    TrialRecord,
    TrialStatus,
)
from tests.bench.profile_samples import profile_spec, reading
from tests.bench.samples import trial_spec
from tests.processes import has_ended

STUB = (sys.executable, "-m", "tests.bench.stub_worker")


def executor(folder: Path) -> ProcessExecutor:
    return ProcessExecutor(folder, command=STUB, reader=STUB, grace_s=0.2)


def request(folder: Path, what: str, timeout_s: float = 30.0) -> TrialRequest:
    spec = trial_spec(what, epochs=2, timeout_s=timeout_s)
    return TrialRequest(
        SCHEMA_VERSION, spec, "files.json", str(folder), str(folder / f"{spec.name}.json")
    )


def run(folder: Path, what: str, timeout_s: float = 30.0) -> TrialRecord:
    return executor(folder).run(request(folder, what, timeout_s), lambda *_: None)


def test_record_of_the_worker_with_the_time_seen_from_outside(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    record = executor(tmp_path).run(request(tmp_path, "fine"), lambda *step: steps.append(step))
    assert record.status is TrialStatus.OK
    assert record.wall_ns > 1_000_000
    assert steps == [("epoch", 1, 2), ("epoch", 2, 2)]
    log = (tmp_path / f"{record.spec.name}.log").read_text()
    assert log.startswith("ordinary output\nline 0\n")
    assert log.endswith("@nonsense\nnot @epoch 1 2\n")


def test_worker_gets_its_environment_and_a_session_of_its_own(tmp_path: Path) -> None:
    record = run(tmp_path, "environment")
    log = (tmp_path / f"{record.spec.name}.log").read_text()
    assert "LEAFBENCH_SPAWNED_NS=" in log
    assert "PYTHONHASHSEED=0\nTF_CPP_MIN_LOG_LEVEL=2\nsession=True" in log


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        ("segfault", FailureKind.CRASH, "crashed: SIGSEGV"),
        ("killed", FailureKind.MEMORY, "killed by the system, most likely for lack of memory"),
        ("error", FailureKind.ERROR, "ValueError: the model has no layers"),
        ("memory", FailureKind.MEMORY, "MemoryError: cannot allocate 9 GiB"),
        ("mistake", FailureKind.ERROR, "Unable to do that: set prefetch=0."),
        ("silent", FailureKind.ERROR, "ordinary output"),
        ("nothing", FailureKind.CRASH, "ended without an error and without a record"),
        ("garbage", FailureKind.CRASH, "is not a whole JSON record"),
        ("other", FailureKind.CRASH, "the record of another trial, 'b09'"),
    ],
)
def test_failure_is_a_record_that_says_why(
    tmp_path: Path, what: str, kind: FailureKind, message: str
) -> None:
    record = run(tmp_path, what)
    assert record.status is TrialStatus.FAILED
    assert record.failure is not None
    assert record.failure.kind is kind
    assert message in record.failure.message
    assert record.failure.log_tail.startswith("ordinary output")
    assert record.wall_ns > 0
    assert record.started_at


@pytest.mark.parametrize("what", ["hang", "hang_with_child"])
def test_hung_worker_is_killed_with_all_that_it_started(tmp_path: Path, what: str) -> None:
    record = run(tmp_path, what, timeout_s=1.0)
    assert record.failure is not None
    assert record.failure.kind is FailureKind.TIMEOUT
    assert "killed after its timeout of 1 s" in record.failure.message


def test_what_a_worker_leaves_running_is_ended_with_it(tmp_path: Path) -> None:
    record = run(tmp_path, "orphan")
    assert record.status is TrialStatus.OK
    orphan = int((tmp_path / f"{record.spec.name}.log").read_text().split()[-1])
    assert has_ended(orphan, timeout_s=10)


def test_a_failure_carries_the_end_of_the_log(tmp_path: Path) -> None:
    failure = run(tmp_path, "chatty_error").failure
    assert failure is not None
    assert failure.message == "ValueError: enough said"
    lines = failure.log_tail.splitlines()
    assert len(lines) == 40
    assert lines[-1] == "ValueError: enough said"


def test_record_of_an_earlier_try_is_not_taken_for_this_one(tmp_path: Path) -> None:
    asked = request(tmp_path, "nothing")
    Path(asked.out).write_text("{}")
    record = run(tmp_path, "nothing")
    assert record.failure is not None
    assert "without a record" in record.failure.message


def test_interrupt_kills_the_worker_and_goes_on_up(tmp_path: Path) -> None:
    pids: list[int] = []
    others = set(_children())  # of tests before this one: multiprocessing's own helper stays

    def interrupt(*_: object) -> None:
        pids.extend(set(_children()) - others)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor(tmp_path).run(request(tmp_path, "hang"), interrupt)
    assert pids
    assert not set(pids) & set(_children())


def test_full_disk_while_logging_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StoreError, match="The disk is full: "):
        run(tmp_path, "fine")


def test_proving_reports_progress_and_no_failure(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    asked = ProofRequest(SCHEMA_VERSION, {}, 8, 64, 0, "files.json", str(tmp_path), str(tmp_path))
    failure = executor(tmp_path).prove(asked, 30.0, lambda *step: steps.append(step))
    assert failure is None
    assert steps == [("proof", 1, 1)]


def test_failed_proving_says_why(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "raise RuntimeError('no proofs today')")
    asked = ProofRequest(SCHEMA_VERSION, {}, 8, 64, 0, "files.json", str(tmp_path), str(tmp_path))
    failure = ProcessExecutor(tmp_path, command=command).prove(asked, 30.0, lambda *_: None)
    assert failure is not None
    assert failure.message == "RuntimeError: no proofs today"


def _children() -> list[int]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [int(pid) for pid in text.split()]


def profile(folder: Path, variant: str) -> Captured:
    out, capture = str(folder / "trial.json"), str(folder / "capture.json")
    request = ProfileRequest(
        SCHEMA_VERSION, profile_spec(variant), "files.json", str(folder), out, capture, "logdir"
    )
    return executor(folder).profile(request, lambda *_: None)


def test_a_profile_is_a_trial_and_what_the_profiler_left(tmp_path: Path) -> None:
    captured = profile(tmp_path, "plain")
    assert captured.trial.status is TrialStatus.OK
    assert captured.trial.spec == profile_spec("plain").trial
    assert captured.trial.wall_ns > 1_000_000
    assert captured.capture is not None
    assert captured.capture.trace == "logdir/a.xplane.pb"


def test_a_profile_without_a_capture_says_so(tmp_path: Path) -> None:
    captured = profile(tmp_path, "no_capture")
    assert captured.trial.status is TrialStatus.OK
    assert captured.capture is not None
    assert captured.capture.failure is not None
    assert captured.capture.failure.kind is ProfileFailureKind.NOT_WRITTEN


def reading_request(folder: Path, trace: str) -> ReadingRequest:
    return ReadingRequest(
        SCHEMA_VERSION, f"traces/{trace}", (3, 4, 5), 1, 2, False, str(folder / "read.json")
    )


def test_a_reading_is_what_the_reader_wrote(tmp_path: Path) -> None:
    outcome = executor(tmp_path).read_trace(reading_request(tmp_path, "good"))
    assert outcome.reading == reading()


@pytest.mark.parametrize(
    ("trace", "kind", "message"),
    [
        ("aborts", ProfileFailureKind.UNREADABLE, "its reader ended with SIGABRT"),
        ("garbage", ProfileFailureKind.UNREADABLE, "is not a whole JSON record"),
        ("nothing", ProfileFailureKind.UNREADABLE, "without an error and without a record"),
        ("hangs", ProfileFailureKind.TIMEOUT, "traces/hangs was given up after 0.5 s"),
    ],
)
def test_a_reader_that_dies_costs_one_profile(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trace: str,
    kind: ProfileFailureKind,
    message: str,
) -> None:
    if trace == "hangs":
        monkeypatch.setattr(executors, "READING_TIMEOUT_S", 0.5)
    outcome = executor(tmp_path).read_trace(reading_request(tmp_path, trace))
    assert outcome.reading is None
    assert outcome.failure is not None
    assert outcome.failure.kind is kind
    assert message in outcome.failure.message
