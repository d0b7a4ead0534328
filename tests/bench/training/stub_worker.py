"""Stands in for `bench.training.worker`: does what the phase's name in the request says."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path


def main(path: Path) -> int:
    print("ordinary output\n@step 1 9", flush=True)
    match json.loads(path.read_bytes())["phase"]:
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "memory":
            print("tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM {{node x}}")
            return 1
        case "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.pause()
        case "mistake":
            path.with_name(path.name + ".mistake").write_text("It cannot go on:\n  seed: 1 -> 2")
            print("last words of a library", flush=True)
            return 2
        case "error":
            raise ValueError("the model has no layers")
        case _:
            print("@epoch 1 9", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
