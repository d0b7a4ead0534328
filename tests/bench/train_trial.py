"""Runs requests on the Keras backend of its process: `python train_trial.py FOLDER`.

FOLDER holds requests as a run's `work/` does; prints, as JSON, the worker's exit status of each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench import worker

if __name__ == "__main__":
    requests = sorted(Path(sys.argv[1]).glob("*.*.json"))
    statuses = {path.name: worker.main([str(path)]) for path in requests}
    print(json.dumps(statuses))
