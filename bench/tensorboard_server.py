"""TensorBoard on a run: what there is to see, the link to each page, the server itself.

The links into the profile page are its own scheme: `?tool=trace_viewer@&run=<profile>/<time>`.
"""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.parse import quote

from bench.errors import BenchError, ConfigError, StoreError
from bench.profile_schema import ProfileRecord
from bench.store import StoredRun, read
from bench.tensorboard_tools import HOST, Child, Tools, real_tools

# TensorBoard imports TensorFlow first, which takes half a minute on a slow disk.
START_S = 180.0
_TICK_S = 0.2
_STOPPING = (signal.SIGTERM, signal.SIGHUP)

NO_TENSORBOARD = "TensorBoard is not installed: pip install tensorboard (or make install)."
NO_PROFILE_PAGE = (
    "TensorBoard's profile page is not installed: scalars and HParams work, traces do not. "
    "To see them: pip install tensorboard-plugin-profile"
)
NO_PROFILE = "No variant of this run was profiled: leafbench run --profile auto makes profiles."


@dataclass(frozen=True)
class Link:
    """A page of TensorBoard."""

    title: str
    address: str


@dataclass(frozen=True)
class View:
    """What TensorBoard shows of a run.

    Attributes:
        traces: the trace viewer of each profile.
        notes: what is missing, and how to get it.
    """

    address: str
    pages: tuple[Link, ...]
    traces: tuple[Link, ...]
    notes: tuple[str, ...]


def serve(
    folder: Path,
    variant: str | None,
    port: int | None,
    show: Callable[[View], None],
    say: Callable[[str], None] = lambda _line: None,
    tools: Tools | None = None,
) -> None:
    """Show a run in TensorBoard until this process is interrupted or terminated.

    Args:
        variant: show the links of this one's traces only.
        port: None is any free one.
        show: called once TensorBoard answers.
        say: called before the wait for it.

    Raises:
        StoreError: there is no run, or no folder for TensorBoard can be made in it.
        ConfigError: the port is taken, or the variant has no profile.
        BenchError: TensorBoard is not installed, or it ended by itself.
    """
    tools = tools or real_tools()
    if not tools.has_tensorboard():
        raise BenchError(NO_TENSORBOARD)
    stored = read(folder)
    profiles = chosen(stored.profiles, variant)
    number = tools.port(port)
    logdir = folder.resolve() / "tensorboard"
    notes = (*_write_logs(logdir, stored), *missing(stored, folder, tools.has_profile_page()))
    present = [p for p in profiles if tools.has_profile_page() and _has_trace(p, folder)]
    say("TensorBoard starts; that takes some seconds.")
    started = command(logdir, number)
    with suppress(KeyboardInterrupt), _stopped_by_signals(), closing(tools.start(started)) as child:
        _await(lambda: tools.answers(number), child, tools.wait)
        show(make_view(number, present, notes))
        _await(lambda: False, child, tools.wait, deadline_s=math.inf)


def chosen(profiles: Sequence[ProfileRecord], variant: str | None) -> tuple[ProfileRecord, ...]:
    """The profiles of a variant, or all.

    Raises:
        ConfigError: this variant has none, though others have.
    """
    names = dict.fromkeys(profile.spec.trial.variant for profile in profiles)
    if variant is not None and names and variant not in names:
        raise ConfigError(f"{variant} has no profile in this run; there are: {', '.join(names)}.")
    return tuple(p for p in profiles if variant in (None, p.spec.trial.variant))


def missing(stored: StoredRun, folder: Path, has_profile_page: bool) -> Iterator[str]:
    """What cannot be shown, a sentence each."""
    if not has_profile_page:
        yield NO_PROFILE_PAGE
    if not stored.profiles:
        yield NO_PROFILE
    lost = [p.spec.trial.name for p in stored.profiles if not _has_trace(p, folder)]
    if lost:
        yield f"The trace is not in the run's folder: {', '.join(lost)}."
    for error in stored.broken:
        yield f"Left out: {error}"


def make_view(port: int, profiles: Sequence[ProfileRecord], notes: Sequence[str]) -> View:
    """The pages of a TensorBoard that listens on `port`."""
    address = f"http://{HOST}:{port}/"
    pages = (Link("Scalars", f"{address}#scalars"), Link("HParams", f"{address}#hparams"))
    traces = tuple(
        Link(
            f"{profile.spec.trial.variant}, {profile.spec.trial.phase}",
            trace_address(address, Path(profile.trace)),
        )
        for profile in profiles
        if profile.trace is not None
    )
    return View(address, pages, traces, tuple(notes))


def trace_address(address: str, trace: Path) -> str:
    """The trace viewer of a file `tensorboard/<name>/plugins/profile/<time>/<host>.xplane.pb`."""
    name, time_, host = trace.parts[-5], trace.parts[-2], trace.name.removesuffix(".xplane.pb")
    run, tool = quote(f"{name}/{time_}", safe=""), quote("trace_viewer@", safe="")
    return f"{address}?tool={tool}&run={run}&host={quote(host, safe='')}#profile"


def command(logdir: Path, port: int) -> tuple[str, ...]:
    """The command line of TensorBoard."""
    options = ("--logdir", str(logdir), "--host", HOST, "--port", str(port))
    return (sys.executable, "-m", "tensorboard.main", *options)


def _has_trace(profile: ProfileRecord, folder: Path) -> bool:
    return profile.trace is not None and (folder / profile.trace).is_file()


def _write_logs(logdir: Path, stored: StoredRun) -> tuple[str, ...]:
    """Write what TensorBoard lacks; a folder that cannot be written is shown as it is."""
    from bench import tensorboard_logs

    try:
        tensorboard_logs.write_columns(logdir, stored.run.plan, stored.run.created_at)
        tensorboard_logs.write_missing(logdir, stored.trials)
    except StoreError as error:
        if not logdir.is_dir():
            raise StoreError(
                f"{error} TensorBoard's files lie in the run's folder: copy the run to where it "
                "can be written, and trace the copy."
            ) from error
        return (f"Scalars and HParams are not complete. {error}",)
    return ()


def _await(
    ready: Callable[[], bool],
    child: Child,
    wait: Callable[[float], None],
    deadline_s: float = START_S,
) -> None:
    waited_s = 0.0
    while not ready():
        if child.status() is not None:
            raise BenchError(f"TensorBoard ended with status {child.status()}:\n{child.said()}")
        if waited_s > deadline_s:
            raise BenchError(f"TensorBoard did not answer in {waited_s:.0f} s:\n{child.said()}")
        wait(_TICK_S)
        waited_s += _TICK_S


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let a terminated process, or one whose terminal was closed, stop as if by Ctrl-C."""

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    kept = {number: signal.getsignal(number) for number in _STOPPING}
    # What is ignored stays so: `nohup leafbench trace` outlives its terminal.
    before = {number: handler for number, handler in kept.items() if handler != signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
