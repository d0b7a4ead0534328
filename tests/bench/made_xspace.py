"""Traces made by hand, for what no program on this machine writes: `write(path, plane(...), …)`.

Times are nanoseconds. The message types are TensorFlow's; only tests need them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

BEGIN_REAL_NS = 1_700_000_000_000_000_000
STEP_NS = 1000

# Name, begin, end, and stats of an event.
MadeEvent = tuple[str, int, int, Mapping[str, int]]


@cache
def _messages() -> Any:
    """TensorFlow's `xplane_pb2`, without the seconds that importing TensorFlow takes."""
    found = importlib.util.find_spec("tensorflow")
    assert found is not None
    assert found.submodule_search_locations is not None
    path = Path(found.submodule_search_locations[0]) / "tsl/profiler/protobuf/xplane_pb2.py"
    spec = importlib.util.spec_from_file_location("xplane_pb2", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def step(number: int, begin_ns: int, end_ns: int) -> MadeEvent:
    """A step mark."""
    return "train", begin_ns, end_ns, {"step_num": number, "_r": 1}


def event(name: str, begin_ns: int, end_ns: int) -> MadeEvent:
    """Any other event."""
    return name, begin_ns, end_ns, {}


def plane(name: str, lines: Mapping[str, Sequence[MadeEvent]]) -> Any:
    """A plane with its lines."""
    made = _messages().XPlane(name=name)
    names: dict[str, int] = {}
    stats: dict[str, int] = {}
    for line_name, events in lines.items():
        line = made.lines.add(name=line_name)
        for event_name, begin_ns, end_ns, values in events:
            added = line.events.add(
                metadata_id=names.setdefault(event_name, len(names) + 1),
                offset_ps=begin_ns * 1000,
                duration_ps=(end_ns - begin_ns) * 1000,
            )
            for key, value in values.items():
                key_id = stats.setdefault(key, len(stats) + 1)
                added.stats.add(metadata_id=key_id, int64_value=value)
    for text, number in names.items():
        made.event_metadata[number].id, made.event_metadata[number].name = number, text
    for text, number in stats.items():
        made.stat_metadata[number].id, made.stat_metadata[number].name = number, text
    return made


def environment(begin_real_ns: int = BEGIN_REAL_NS) -> Any:
    """The plane that says when the profiler began."""
    made = _messages().XPlane(name="Task Environment")
    made.stat_metadata[1].id, made.stat_metadata[1].name = 1, "profile_start_time"
    made.stats.add(metadata_id=1, uint64_value=begin_real_ns)
    return made


def host(
    numbers: Sequence[int] = (3, 4, 5), lines: Mapping[str, Sequence[MadeEvent]] | None = None
) -> Any:
    """The host's plane: steps of `STEP_NS`, 10 ns apart, and further lines.

    Without any, one fetch that takes no time.
    """
    fetch = {"tf_data_iterator_get_next/1": [event("IteratorGetNextOp::DoCompute", 0, 0)]}
    steps = [step(n, i * STEP_NS, (i + 1) * STEP_NS - 10) for i, n in enumerate(numbers)]
    return plane("/host:CPU", {"python": steps, **(fetch if lines is None else lines)})


def write(path: Path, *planes: Any) -> Path:
    """Write a trace of these planes."""
    path.write_bytes(_messages().XSpace(planes=planes).SerializeToString())
    return path
