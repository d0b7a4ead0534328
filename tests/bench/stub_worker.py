"""Stands in for `bench.worker`: does what the variant's name in the request says, at once.

`hang` waits for ever without ending at a polite request; nobody waits for it but its executor.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from bench.codec import decode, encode
from bench.profile_schema import Capture, ReadingOutcome
from bench.requests import ProfileRequest, ProofRequest, ReadingRequest, TrialRequest
from bench.schema import SCHEMA_VERSION
from tests.bench.profile_samples import reading
from tests.bench.samples import trial_record


def main(path: Path) -> int:
    if path.name.endswith(".proof.json"):
        decode(path.read_bytes(), ProofRequest, str(path))
        print("@proof 1 1", flush=True)
        return 0
    if path.name.endswith(".reading.json"):
        return _read(decode(path.read_bytes(), ReadingRequest, str(path)))
    if path.name.endswith(".profile.json"):
        return _profile(decode(path.read_bytes(), ProfileRequest, str(path)))
    request = decode(path.read_bytes(), TrialRequest, str(path))
    return _act(request.spec.variant, request)


def _profile(request: ProfileRequest) -> int:
    spec = request.profile.trial
    Path(request.out).write_bytes(encode(trial_record(spec, [1.0] * spec.epochs, wall_ns=1)))
    if spec.variant != "no_capture":
        capture = Capture(SCHEMA_VERSION, f"{request.logdir}/a.xplane.pb", 1, 2, None)
        Path(request.capture).write_bytes(encode(capture))
    return 0


def _read(request: ReadingRequest) -> int:
    """Does what the trace's name says."""
    match Path(request.trace).name:
        case "aborts":
            os.kill(os.getpid(), signal.SIGABRT)
        case "hangs":
            signal.pause()
        case "garbage":
            Path(request.out).write_text("{")
        case "nothing":
            pass
        case _:
            outcome = ReadingOutcome(SCHEMA_VERSION, reading(), None)
            Path(request.out).write_bytes(encode(outcome))
    return 0


def _act(what: str, request: TrialRequest) -> int:  # noqa: PLR0912
    out = Path(request.out)
    record = trial_record(request.spec, [1.0] * request.spec.epochs, wall_ns=1)
    print("ordinary output", flush=True)
    match what:
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("@epoch 1 2", flush=True)
            signal.pause()
        case "hang_with_child":
            subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
            print("@epoch 1 2", flush=True)
            signal.pause()
        case "orphan":
            child = [sys.executable, "-c", "import signal; signal.pause()"]
            print(subprocess.Popen(child).pid, flush=True)
            out.write_bytes(encode(record))
        case "error":
            raise ValueError("the model has no layers")
        case "chatty_error":
            print("\n".join(f"line {number}" for number in range(100)), flush=True)
            raise ValueError("enough said")
        case "memory":
            raise MemoryError("cannot allocate 9 GiB")
        case "mistake":
            print("Unable to do that: set prefetch=0.", file=sys.stderr)
            return 2
        case "silent":
            os._exit(3)
        case "nothing":
            return 0
        case "garbage":
            out.write_text('{"schema_version": 1, "spec"')
        case "other":
            out.write_bytes(encode(replace(record, spec=replace(request.spec, name="b09"))))
        case "environment":
            for key in ("LEAFBENCH_SPAWNED_NS", "PYTHONHASHSEED", "TF_CPP_MIN_LOG_LEVEL"):
                print(f"{key}={os.environ[key]}")
            print(f"session={os.getsid(0) == os.getpid()}")
            out.write_bytes(encode(record))
        case _:
            print("\n".join(f"line {number}" for number in range(100)))
            print("@epoch 1 2\n@epoch 2 2\n@nonsense\nnot @epoch 1 2", flush=True)
            out.write_bytes(encode(record))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
