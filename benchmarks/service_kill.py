"""One epoch from a tf.data service of two workers, one of which is killed in the middle of it.

    python benchmarks/service_kill.py --data DIR [--sharding dynamic|off] [--gone]

The worker is started again under its address at once; with `--gone` it stays away. Prints one JSON
object: how many images there are, were delivered, got lost and came again, and whether the epoch
ended. `service_scaling.py` calls it.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from leafmodel.data.folder import scan
from leafmodel.pipelines import service
from leafmodel.pipelines.pipeline import PipelineInput
from leafmodel.pipelines.spec import Augment, PipelineSpec
from leafmodel.service import address as addresses
from leafmodel.service import server

WORKERS = 2
PATIENCE_S = 40.0  # from the kill on: ten times what an epoch takes, and a restart
SHARDINGS = {
    "dynamic": tf.data.experimental.service.ShardingPolicy.DYNAMIC,
    "off": tf.data.experimental.service.ShardingPolicy.OFF,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--sharding", choices=SHARDINGS, default="dynamic")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gone", action="store_true", help="do not start it again")
    given = parser.parse_args()
    files = scan(given.data).training[: given.images]
    numbered = tuple(replace(file, label=number) for number, file in enumerate(files))
    names = tuple(map(str, range(len(files))))
    with tempfile.TemporaryDirectory() as folder:
        inputs = PipelineInput(numbered, names, 32, 256, given.seed, Path(folder))
        _Epoch(inputs, given.sharding, gone=given.gone).run()


class _Epoch:
    """An epoch whose images are counted, with a deadline: TensorFlow has none."""

    def __init__(self, inputs: PipelineInput, sharding: str, *, gone: bool) -> None:
        self._inputs = inputs
        self._sharding = sharding
        self._gone = gone
        self._dispatcher = server.dispatcher()
        self._address = f"{server.LOCAL}:{server.port_of(self._dispatcher)}"
        self._ports = [_free_port() for _ in range(WORKERS)]
        self._workers = [self._start(port) for port in self._ports]
        self._seen: Counter[int] = Counter()
        self._killed_s = 0.0

    def run(self) -> None:
        """Print what became of the epoch; ends this process, whatever waits in it."""
        while len(addresses.workers(self._address)) < WORKERS:
            time.sleep(0.1)
        spec = PipelineSpec(augment=Augment.NONE, service_workers=WORKERS)
        policy = SHARDINGS[self._sharding]
        for _, number in service.images(spec, self._inputs, self._address, policy):
            self._seen[int(number)] += 1
            if not self._killed_s and self._seen.total() >= len(self._inputs.files) // 3:
                self._kill()
        self._end(ended=True)

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        words = ("service", "worker", "--dispatcher", self._address, "--port", str(port))
        command = [sys.executable, "-P", "-m", "bench", *words]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, stdout=quiet, stderr=quiet)

    def _kill(self) -> None:
        self._killed_s = time.perf_counter()
        self._workers[0].kill()
        self._workers[0].wait()
        if not self._gone:
            self._workers[0] = self._start(self._ports[0])
        deadline = threading.Timer(PATIENCE_S, lambda: self._end(ended=False))
        deadline.daemon = True
        deadline.start()

    def _end(self, *, ended: bool) -> None:
        found = {
            "sharding": self._sharding,
            "gone": self._gone,
            "images": len(self._inputs.files),
            "delivered": self._seen.total(),
            "lost": len(self._inputs.files) - len(self._seen),
            "repeated": self._seen.total() - len(self._seen),
            "ended": ended,
            "after_kill_s": time.perf_counter() - self._killed_s,
        }
        print(json.dumps(found), flush=True)
        for worker in self._workers:
            worker.kill()
        os._exit(0)


def _free_port() -> int:
    with socket.create_server((server.LOCAL, 0)) as free:
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
