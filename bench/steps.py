"""From readings of clocks to the steps of an epoch. Pure arithmetic, nanoseconds throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Begin:
    """The host begins to execute a step, or several that run as one.

    Attributes:
        step: the first one's number in its epoch.
        at_ns: on the host's monotonic clock. real_ns: the same moment on its real-time clock.
    """

    step: int
    at_ns: int
    real_ns: int


@dataclass(frozen=True)
class Steps:
    """The steps of an epoch: the first begins at `begin_ns`, the last ends at `end_ns`.

    `wait_ns` and `compute_ns` are None where nobody could see when a step had its batch.
    """

    begin_ns: int
    end_ns: int
    step_ns: tuple[int, ...]
    wait_ns: tuple[int, ...] | None = None
    compute_ns: tuple[int, ...] | None = None


def by_host(begins: Sequence[Begin], end_ns: int) -> Steps:
    """From begin to begin, the last one to the end."""
    marks = [*(begin.at_ns for begin in begins), end_ns]
    return Steps(marks[0], end_ns, _between(marks))


def by_stamps(begins: Sequence[Begin], stamps: Sequence[tuple[int, int]], end_ns: int) -> Steps:
    """Each step has two real-time stamps of its own: its batch is there, its weights are updated.

    The first step of an execution begins on the host; where an execution has several, each other
    one begins when the step before it has updated the weights, and waits only from there: its batch
    may have been fetched meanwhile.

    Raises:
        ValueError: a step that began has no stamps.
    """
    if begins[-1].step >= len(stamps):
        raise ValueError(f"expected stamps of step {begins[-1].step}, found {len(stamps)} in all")
    marks, waits, computes = [], [], []
    firsts = {begin.step: begin for begin in begins}
    host = begins[0]
    for step, (stamped_ns, done_ns) in enumerate(stamps):
        host = firsts.get(step, host)
        is_first = step == host.step
        begin_ns = host.real_ns if is_first else stamps[step - 1][1]
        ready_ns = stamped_ns if is_first else max(stamped_ns, begin_ns)
        marks.append(host.at_ns + begin_ns - host.real_ns)
        waits.append(ready_ns - begin_ns)
        computes.append(done_ns - ready_ns)
    return Steps(marks[0], end_ns, _between([*marks, end_ns]), tuple(waits), tuple(computes))


def by_completion(begin_ns: int, ready_ns: Sequence[int], done_ns: Sequence[int]) -> Steps:
    """Steps that the host hands over without waiting for them: from completion to completion.

    A step waits as long as the device is done with the one before it and its own batch is not
    there; it computes for the rest.

    Args:
        ready_ns: when each step's batch was there, in the order of the steps.
        done_ns: when each completion was noticed, in any order: several threads look, and one that
            is held up may come after the next.
    """
    marks = [begin_ns]
    for noticed_ns in sorted(done_ns):
        marks.append(max(noticed_ns, marks[-1] + 1))  # two threads can read one and the same tick
    steps = _between(marks)
    frees = marks[:-1]
    waits = tuple(
        min(step, max(0, ready - free))
        for step, ready, free in zip(steps, ready_ns, frees, strict=True)
    )
    computes = tuple(step - wait for step, wait in zip(steps, waits, strict=True))
    return Steps(begin_ns, marks[-1], steps, waits, computes)


def _between(marks: Sequence[int]) -> tuple[int, ...]:
    return tuple(later - earlier for earlier, later in pairwise(marks))
