"""Trains nothing, by turns: `stub_trainer.py EPOCHS LOG ROLE [dies|stops|hangs|waits AT]`.

Appends `ROLE EPOCH LINE` to LOG for every turn, so that a test sees who trained when. One that
`waits` leaves its process number beside LOG, and dies before it reads its turn AT.
"""

import os
import sys
import time
from pathlib import Path


def main() -> None:
    epochs, log, role = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    what, at = (sys.argv[4], int(sys.argv[5])) if len(sys.argv) > 4 else ("", -1)
    if what == "waits":
        Path(log).with_suffix(".pid").write_text(str(os.getpid()), encoding="utf-8")
    print("some library says hello", flush=True)
    print(f"@epoch 0 {epochs}", flush=True)
    for epoch in range(epochs):
        if epoch == at and what == "waits":
            os._exit(3)
        line = sys.stdin.readline().strip()
        if epoch == at and what == "dies":
            print("RuntimeError: out of luck", flush=True)
            os._exit(3)
        if epoch == at and what == "stops":
            return
        if epoch == at and what == "hangs":
            time.sleep(600)
        with Path(log).open("a", encoding="utf-8") as stream:
            stream.write(f"{role} {epoch} {line}\n")
        print(f"@epoch {epoch + 1} {epochs}", flush=True)


main()
