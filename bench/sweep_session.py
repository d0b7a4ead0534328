"""The sweep behind a run's measured trials: its emulated devices, one ordinary run after the other.

It goes on where it was stopped, as every run does: `resume` of the measured run comes here, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench import plan, session, shards, sweep_plan
from bench.session import Outcome, Tools
from bench.store import StoredRun, read
from bench.sweep_plan import Part


def go_on(ended: Outcome, tools: Tools) -> Outcome:
    """What the sweep of a run still lacks, and then its report again.

    Args:
        ended: the measured run. Where it was interrupted nothing is emulated.

    Raises:
        BenchError, DataError: the measured records and their report are on disk already.
    """
    stored = read(ended.folder)
    parts = sweep_plan.parts(stored.run.config, ended.folder)
    if not parts or not shards.makes_extras(stored.run):
        return ended
    done: list[Outcome] = []
    for part in parts:
        if ended.interrupted or (done and done[-1].interrupted):
            break
        tools.progress.note(f"Now a device that only takes time: {part.step} a step")
        done.append(_make(part, stored, tools))
    report = tools.report(ended.folder) if done else ended.report
    return replace(_together(ended, parts, done), report=report)


def _make(part: Part, stored: StoredRun, tools: Tools) -> Outcome:
    if (part.folder / "run.json").exists():
        return session.resume(part.folder, tools)
    return session.start(part.config, part.folder, stored.run.command, tools, within=stored)


def _together(ended: Outcome, parts: Sequence[Part], done: Sequence[Outcome]) -> Outcome:
    """The outcome of the measured run and of its sweep as one."""
    return replace(
        ended,
        planned=ended.planned + sum(len(plan.build(part.config)) for part in parts),
        recorded=ended.recorded + sum(item.recorded for item in done),
        failed=ended.failed + sum(item.failed for item in done),
        interrupted=ended.interrupted or any(item.interrupted for item in done),
    )
