"""A training that is not ours, without Keras: trains by turns and leaves a record.

`stub_recorded.py STEP_MS EPOCHS [nothing|twice|crash]`: the step is said to have taken STEP_MS,
read from a file of that name if there is one, so that two revisions can differ.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from bench.codec import encode
from bench.turns import await_turn
from tests.bench.gate import made


def main() -> None:
    source, epochs, what = sys.argv[1], int(sys.argv[2]), (*sys.argv[3:], "")[0]
    step_ms = float(Path(source).read_text()) if Path(source).exists() else float(source)
    out = Path(os.environ["LEAFBENCH_OUT"])
    out.mkdir(parents=True)
    print(f"@epoch 0 {epochs}", flush=True)
    done = []
    for number in range(epochs):
        turn = await_turn(sys.stdin.buffer)
        if what == "crash" and number == 2:
            raise RuntimeError("no memory left for layer conv2d_7")
        done.append(made.epoch(number, step_ms * (1 + turn.plant)))
        print(f"@epoch {number + 1} {epochs}", flush=True)
    record = made.trial(done)
    names = {"nothing": (), "twice": ("a", "b")}.get(what, ("train",))
    for name in names:
        (out / f"{name}.json").write_bytes(encode(replace(record, wall_ns=1)))


main()
