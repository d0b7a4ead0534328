"""From what the command line says to a session with real tools."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from bench import environment, reporting, session, shards, sweep_session
from bench.backends import require_installed
from bench.config import DEFAULT_SUITE, for_machine, make_config
from bench.errors import ConfigError
from bench.executor import ProcessExecutor
from bench.progress import Progress
from bench.schema import RunConfig, Shard
from bench.session import Outcome, Tools
from bench.store import read
from bench.variants import variant
from leafmodel.service.address import require_workers

REPORTS = Path("reports")


def run(given: Mapping[str, Any], command: tuple[str, ...], progress: Progress) -> Outcome:
    """Begin the run, or shard of one, that the options describe, or go on with `resume`'s.

    Raises:
        BenchError, LeafmodelError: the sentence to show.
    """
    options = {key: value for key, value in given.items() if value is not None}
    resume = options.pop("resume", None)
    interrupt_on_terminate()
    tools = real_tools(progress)
    if resume is not None:
        _refuse_beside_resume(options)
        _require_service(read(Path(resume)).run.config)
        return sweep_session.go_on(session.resume(Path(resume), tools), tools)
    suite = options.pop("suite", DEFAULT_SUITE)
    out, shard_text = options.pop("out", None), options.pop("shard", None)
    config = for_machine(make_config(suite, _seeds_as_blocks(options)), environment.gpus())
    require_installed(config.backend)
    _require_service(config)
    shard = None if shard_text is None else shards.parse(shard_text, config.blocks)
    folder = Path(out) if out else default_out(suite, datetime.now(UTC), shard)
    ended = session.start(config, folder, ("leafbench", *command), tools, shard)
    return sweep_session.go_on(ended, tools)


def real_tools(progress: Progress) -> Tools:
    """Processes, clocks and files as they are."""
    return Tools(
        executor=ProcessExecutor,
        progress=progress,
        environment=environment.read,
        now=lambda: datetime.now(UTC),
        report=reporting.make,
    )


def default_out(suite: str, now: datetime, shard: Shard | None = None) -> Path:
    """Where a run goes if nothing is said: `reports/20260102-030405-quick`, a shard `…-2of3`."""
    share = f"-{shard.number}of{shard.of}" if shard else ""
    return REPORTS / f"{now:%Y%m%d-%H%M%S}-{Path(suite).stem}{share}"


def _require_service(config: RunConfig) -> None:
    """Ask a service that the run is to use before anything is begun."""
    counts = {variant(name).pipeline.service_workers for name in config.variants}
    for expected in sorted(counts - {0}) if config.service else ():
        require_workers(config.service, expected)


def _seeds_as_blocks(options: Mapping[str, Any]) -> dict[str, Any]:
    """`--seeds` is `--blocks` by the name that it has where accuracies are compared."""
    if "seeds" in options and "blocks" in options:
        raise ConfigError(
            "--seeds and --blocks are the same number, since every block has a seed of its own: "
            "give one of them."
        )
    return {"blocks" if key == "seeds" else key: value for key, value in options.items()}


def _refuse_beside_resume(options: Mapping[str, Any]) -> None:
    if options:
        names = ", ".join(sorted(options))
        raise ConfigError(
            f"--resume goes on with a run exactly as it began: leave out {names}, or begin a new "
            "run without --resume."
        )


def interrupt_on_terminate() -> None:
    """Stop as cleanly for a cancelled job or a closed terminal as for Ctrl-C."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
